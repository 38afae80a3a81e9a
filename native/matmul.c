/*
 * out[r, n] = Σ_k in[r, k] · weight[n, k] + bias[n]
 *
 * Weights are repacked when a plan is compiled: 16 outputs (a tile) side by side, so that a vector holds the same k of 16
 * outputs, one activation is broadcast to all lanes, and no sum over lanes is ever needed. Padded outputs are zero.
 *   F32, F16, BF16   [tiles][inputs][16]
 *   Q8_0             [tiles][inputs / 32]{ f16 scale[16]; u8 code + 128 [8][16][4] }     as many bytes as in the file
 *   Q4_0             [tiles][inputs / 32]{ f16 scale[16]; u8 codes [4][16][4] }          low nibbles k, high nibbles k + 16
 * Other types stay as in the file and are decoded panel by panel, 16 outputs by 256 inputs, into the first form.
 *
 * For Q8_0 and Q4_0 activations come as 8-bit codes with a scale for 32 inputs (GATUN_QUANTIZE): products and sums of a block
 * are exact integers, blocks are added in order of k as total += float(sum) · (weight scale · activation scale).
 * For the others a partial sum runs over 256 inputs in order of k, then is added to the total.
 *
 * One weight vector serves all rows of a register tile; work is shared by tiles of outputs, taken from a common counter.
 */
#include "simd.h"

enum { BLOCK_8 = 2 * GATUN_LANES + GATUN_BLOCK * GATUN_LANES, BLOCK_4 = 2 * GATUN_LANES + GATUN_BLOCK * GATUN_LANES / 2 };

/* How far ahead of use weights are fetched, in bytes: some 100 nanoseconds of a core's stream. */
enum { PREFETCH = 2048 };

struct quantized {
    const int8_t *codes;
    const float *scales;
    const int32_t *sums;
};

static struct quantized quantized_at(const void *memory, int64_t rows, int64_t inputs) {
    const int8_t *codes = memory;
    const float *scales = (const float *)(codes + rows * inputs);
    return (struct quantized){codes, scales, (const int32_t *)(scales + rows * (inputs / GATUN_BLOCK))};
}

/* Writes 16 results of a row, without those beyond the last output. */
INLINE void put(const struct gatun_command *command, int64_t row, int64_t output, floats value) {
    float *target = (float *)command->out + row * command->width + output;
    const float *bias = command->aux == NULL ? NULL : (const float *)command->aux + output;
    int64_t left = command->width - output;
    if (left >= GATUN_LANES) {
        store(target, bias == NULL ? value : value + load(bias));
        return;
    }
    for (int64_t i = 0; i < left; i++) {
        target[i] = value[i] + (bias == NULL ? 0 : bias[i]);
    }
}

/* A register tile of Q8_0 or Q4_0: `vectors` tiles of outputs by `rows` rows. */
INLINE void multiply_quantized(const struct gatun_command *command, struct quantized in, int64_t tile, int64_t row,
    const int vectors, const int rows, const int four_bits) {
    const int64_t inputs = command->group;
    const int64_t blocks = inputs / GATUN_BLOCK;
    const int64_t block_bytes = four_bits ? BLOCK_4 : BLOCK_8;
    const int groups = four_bits ? 4 : 8; /* vectors of weights in a block */
    const uint8_t *weights = (const uint8_t *)command->weights + tile * blocks * block_bytes;
    floats total[TILE_VECTORS][TILE_ROWS] = {0};
    for (int64_t block = 0; block < blocks; block++) {
        ints sum[TILE_VECTORS][TILE_ROWS];
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) {
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                int32_t activations = in.sums[(row + r) * blocks + block];
                sum[v][r] = four_bits ? splat_int(-8 * activations) : start_8_bits(activations);
            }
        }
        const int8_t *codes = in.codes + row * inputs + block * GATUN_BLOCK;
        for (int group = 0; group < groups; group++) {
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++) {
                const uint8_t *source = weights + (v * blocks + block) * block_bytes + 2 * GATUN_LANES + 64 * group;
                __builtin_prefetch(source + PREFETCH);
                bytes weight = load_bytes(source);
#pragma GCC unroll 8
                for (int r = 0; r < rows; r++) {
                    if (four_bits) {
                        sum[v][r] = dot_4_bits(sum[v][r], weight & 15, codes + r * inputs + 4 * group);
                        sum[v][r] = dot_4_bits(sum[v][r], weight >> 4, codes + r * inputs + 4 * group + 16);
                    } else {
                        sum[v][r] = dot_8_bits(sum[v][r], weight, codes + r * inputs + 4 * group);
                    }
                }
            }
        }
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) {
            floats scale = from_halves((const uint16_t *)(weights + (v * blocks + block) * block_bytes));
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                floats factor = scale * in.scales[(row + r) * blocks + block];
                total[v][r] = multiply_add(to_floats(sum[v][r]), factor, total[v][r]);
            }
        }
    }
    for (int v = 0; v < vectors; v++) {
        for (int r = 0; r < rows; r++) {
            put(command, row + r, (tile + v) * GATUN_LANES, total[v][r]);
        }
    }
}

INLINE floats weight_at(const void *weights, int64_t index, const int type) {
    switch (type) {
        case GATUN_F16:
            return from_halves((const uint16_t *)weights + index * GATUN_LANES);
        case GATUN_BF16:
            return from_bfloats((const uint16_t *)weights + index * GATUN_LANES);
        default:
            return load((const float *)weights + index * GATUN_LANES);
    }
}

/* Adds a panel of up to 256 inputs to the results in out; `stride` is the number of inputs of a tile. */
INLINE void multiply_panel(const struct gatun_command *command, const void *weights, int64_t stride, int64_t tile,
    int64_t row, int64_t from, int64_t to, const int vectors, const int rows, const int type) {
    const int64_t inputs = command->group;
    const float *in = (const float *)command->in + row * inputs;
    floats sum[TILE_VECTORS][TILE_ROWS] = {0};
    for (int64_t k = from; k < to; k++) {
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) {
            __builtin_prefetch((const uint8_t *)weights + (v * stride + k - from) * GATUN_LANES * (type == GATUN_F32 ? 4 : 2)
                + PREFETCH);
            floats weight = weight_at(weights, v * stride + k - from, type);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                sum[v][r] = multiply_add(weight, splat(in[r * inputs + k]), sum[v][r]);
            }
        }
    }
    for (int v = 0; v < vectors; v++) {
        int64_t output = (tile + v) * GATUN_LANES;
        for (int r = 0; r < rows; r++) {
            if (from == 0) {
                put(command, row + r, output, sum[v][r]);
                continue;
            }
            float *target = (float *)command->out + (row + r) * command->width + output;
            int64_t left = command->width - output;
            if (left >= GATUN_LANES) {
                store(target, load(target) + sum[v][r]);
            } else {
                for (int64_t i = 0; i < left; i++) {
                    target[i] += sum[v][r][i];
                }
            }
        }
    }
}

/*
 * Calls run(n) for all rows in register tiles of n rows, n a constant, so that the compiler keeps the sums in registers;
 * `row` is the first of them.
 */
#define FOR_ROWS(rows, run) \
    do { \
        int64_t row = 0; \
        for (; row + TILE_ROWS <= (rows); row += TILE_ROWS) { \
            run(TILE_ROWS); \
        } \
        switch ((rows) - row) { \
            case 5: run(5 < TILE_ROWS ? 5 : 1); break; \
            case 4: run(4 < TILE_ROWS ? 4 : 1); break; \
            case 3: run(3); break; \
            case 2: run(2); break; \
            case 1: run(1); break; \
            default: break; \
        } \
    } while (0)

INLINE void quantized_rows(const struct gatun_command *command, struct quantized in, int64_t tile, int64_t rows,
    const int vectors, const int four_bits) {
#define RUN(n) multiply_quantized(command, in, tile, row, vectors, n, four_bits)
    FOR_ROWS(rows, RUN);
#undef RUN
}

INLINE void panel_rows(const struct gatun_command *command, const void *weights, int64_t stride, int64_t tile, int64_t from,
    int64_t to, int64_t rows, const int vectors, const int type) {
#define RUN(n) multiply_panel(command, weights, stride, tile, row, from, to, vectors, n, type)
    FOR_ROWS(rows, RUN);
#undef RUN
}

/* All rows of `vectors` tiles of outputs whose weights were repacked as plain elements. */
INLINE void plain_rows(const struct gatun_command *command, int64_t tile, int64_t rows, const int vectors, const int type) {
    const int64_t inputs = command->group;
    for (int64_t from = 0; from < inputs; from += GATUN_PANEL) {
        int64_t to = from + GATUN_PANEL < inputs ? from + GATUN_PANEL : inputs;
        const uint8_t *weights = (const uint8_t *)command->weights
            + (tile * inputs + from) * GATUN_LANES * (type == GATUN_F32 ? 4 : 2);
        panel_rows(command, weights, inputs, tile, from, to, rows, vectors, type);
    }
}

/* All rows of one tile of outputs whose weights are as in the file: each panel is decoded once. */
static void decoded_rows(const struct gatun_command *command, int64_t tile, int64_t rows, float *panel) {
    const int64_t inputs = command->group;
    const int64_t row_bytes = gatun_file_bytes(command->type, inputs);
    float *decoded = panel + GATUN_PANEL * GATUN_LANES;
    memset(panel, 0, GATUN_PANEL * GATUN_LANES * sizeof *panel);
    for (int64_t from = 0; from < inputs; from += GATUN_PANEL) {
        int64_t to = from + GATUN_PANEL < inputs ? from + GATUN_PANEL : inputs;
        for (int64_t lane = 0; lane < GATUN_LANES && tile * GATUN_LANES + lane < command->width; lane++) {
            const uint8_t *source = (const uint8_t *)command->weights + (tile * GATUN_LANES + lane) * row_bytes
                + gatun_file_bytes(command->type, from);
            gatun_decode(command->type, source, decoded, to - from);
            for (int64_t k = 0; k < to - from; k++) {
                panel[k * GATUN_LANES + lane] = decoded[k];
            }
        }
        panel_rows(command, panel, 0, tile, from, to, rows, 1, GATUN_F32);
    }
}

static void tiles(const struct gatun_command *command, int64_t tile, const int vectors, const struct share *share) {
    const int64_t rows = share->rows;
    const int all = vectors == TILE_VECTORS;
    switch (command->type) {
        case GATUN_Q8_0:
        case GATUN_Q4_0: {
            struct quantized in = quantized_at(command->in, rows, command->group);
            if (command->type == GATUN_Q8_0) {
                all ? quantized_rows(command, in, tile, rows, TILE_VECTORS, 0) : quantized_rows(command, in, tile, rows, 1, 0);
            } else {
                all ? quantized_rows(command, in, tile, rows, TILE_VECTORS, 1) : quantized_rows(command, in, tile, rows, 1, 1);
            }
            break;
        }
        case GATUN_F32:
            all ? plain_rows(command, tile, rows, TILE_VECTORS, GATUN_F32) : plain_rows(command, tile, rows, 1, GATUN_F32);
            break;
        case GATUN_F16:
            all ? plain_rows(command, tile, rows, TILE_VECTORS, GATUN_F16) : plain_rows(command, tile, rows, 1, GATUN_F16);
            break;
        case GATUN_BF16:
            all ? plain_rows(command, tile, rows, TILE_VECTORS, GATUN_BF16) : plain_rows(command, tile, rows, 1, GATUN_BF16);
            break;
        default:
            for (int v = 0; v < vectors; v++) {
                decoded_rows(command, tile + v, rows, share->scratch);
            }
    }
}

static void NAME(gatun_matmul)(const struct gatun_command *command, const struct gatun_pass *pass, const struct gatun_kv *kv,
    const struct share *share) {
    (void)pass;
    (void)kv;
    const int count = (command->width + GATUN_LANES - 1) / GATUN_LANES;
    /* Pieces small enough that no thread waits long for another, large enough that the counter is no bottleneck. */
    int piece = count / (8 * share->threads) / TILE_VECTORS * TILE_VECTORS;
    piece = share->threads == 1 ? count : piece < 2 * TILE_VECTORS ? 2 * TILE_VECTORS : piece;
    for (int from; (from = atomic_fetch_add_explicit(share->next, piece, memory_order_relaxed)) < count;) {
        int to = from + piece < count ? from + piece : count;
        int tile = from;
        for (; tile + TILE_VECTORS <= to; tile += TILE_VECTORS) {
            tiles(command, tile, TILE_VECTORS, share);
        }
        for (; tile < to; tile++) {
            tiles(command, tile, 1, share);
        }
    }
}

/* Activations to 8 bits: for each 32 inputs scale = max|x| / 127, code = x / scale rounded to nearest even. */
static void NAME(gatun_quantize)(const struct gatun_command *command, const struct gatun_pass *pass, const struct gatun_kv *kv,
    const struct share *share) {
    (void)pass;
    (void)kv;
    const int64_t rows = share->rows;
    const int64_t width = command->width;
    int8_t *codes = command->out;
    float *scales = (float *)(codes + rows * width);
    int32_t *sums = (int32_t *)(scales + rows * (width / GATUN_BLOCK));
    int64_t from;
    int64_t to;
    part(rows * (width / GATUN_BLOCK), share, &from, &to);
    for (int64_t block = from; block < to; block++) {
        const float *in = (const float *)command->in + block * GATUN_BLOCK;
        floats first = load(in);
        floats second = load(in + 16);
        floats magnitude = larger(larger(first, -first), larger(second, -second));
        float largest = 0;
        for (int lane = 0; lane < 16; lane++) {
            largest = magnitude[lane] > largest ? magnitude[lane] : largest;
        }
        float inverse = largest == 0 ? 0 : 127 / largest;
        const float rounder = 0x1.8p23f;
        ints low = __builtin_convertvector(first * inverse + rounder - rounder, ints);
        ints high = __builtin_convertvector(second * inverse + rounder - rounder, ints);
        int32_t sum = 0;
        for (int lane = 0; lane < 16; lane++) {
            codes[block * GATUN_BLOCK + lane] = (int8_t)low[lane];
            codes[block * GATUN_BLOCK + 16 + lane] = (int8_t)high[lane];
            sum += low[lane] + high[lane];
        }
        scales[block] = largest / 127;
        sums[block] = sum;
    }
}

static void pack_block_8(const uint8_t *source, uint8_t *target, int lane) {
    memcpy(target + 2 * lane, source, 2);
    for (int k = 0; k < GATUN_BLOCK; k++) {
        target[2 * GATUN_LANES + k / 4 * 64 + 4 * lane + k % 4] = source[2 + k] ^ 0x80;
    }
}

static void pack_block_4(const uint8_t *source, uint8_t *target, int lane) {
    memcpy(target + 2 * lane, source, 2);
    for (int k = 0; k < GATUN_BLOCK / 2; k++) {
        target[2 * GATUN_LANES + k / 4 * 64 + 4 * lane + k % 4] = source[2 + k];
    }
}

static void NAME(gatun_pack_tile)(
    int32_t type, int64_t outputs, int64_t inputs, int64_t tile, const uint8_t *source, uint8_t *target) {
    const int64_t row_bytes = gatun_file_bytes(type, inputs);
    const int lanes = outputs - tile * GATUN_LANES < GATUN_LANES ? (int)(outputs - tile * GATUN_LANES) : GATUN_LANES;
    const uint8_t *rows = source + tile * GATUN_LANES * row_bytes;
    uint8_t *packed = target + tile * GATUN_LANES * row_bytes;
    if (lanes < GATUN_LANES) {
        memset(packed, 0, (size_t)(GATUN_LANES * row_bytes));
    }
    switch (type) {
        case GATUN_Q8_0:
            for (int64_t block = 0; block < inputs / GATUN_BLOCK; block++) {
                for (int lane = 0; lane < lanes; lane++) {
                    pack_block_8(rows + lane * row_bytes + block * 34, packed + block * BLOCK_8, lane);
                }
            }
            break;
        case GATUN_Q4_0:
            for (int64_t block = 0; block < inputs / GATUN_BLOCK; block++) {
                for (int lane = 0; lane < lanes; lane++) {
                    pack_block_4(rows + lane * row_bytes + block * 18, packed + block * BLOCK_4, lane);
                }
            }
            break;
        case GATUN_F32:
            for (int64_t k = 0; k < inputs; k++) {
                for (int lane = 0; lane < lanes; lane++) {
                    memcpy(packed + (k * GATUN_LANES + lane) * 4, rows + lane * row_bytes + k * 4, 4);
                }
            }
            break;
        default:
            for (int64_t k = 0; k < inputs; k++) {
                for (int lane = 0; lane < lanes; lane++) {
                    memcpy(packed + (k * GATUN_LANES + lane) * 2, rows + lane * row_bytes + k * 2, 2);
                }
            }
    }
}
