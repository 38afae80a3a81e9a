/*
 * out[r, n] = Σ_k in[r, k] · weight[n, k] + bias[n]
 *
 * Weights are repacked when a plan is compiled: 16 outputs (a tile) side by side, so that a vector holds the same k of 16
 * outputs, one activation is broadcast to all lanes, and no sum over lanes is ever needed. Padded outputs are zero.
 *   F32, F16, BF16   [tiles][inputs][16]
 *   quantized types  [tiles][inputs / 32]{ f16 scale[1 or 2][16]; f16 minimum[16], if the type has them; codes }
 *     codes of 8 bits    u8 code + 128 [8][16][4]; vector g holds k = 4 g .. 4 g + 3 of each output
 *     codes of 4 bits    u8 [4][16][4], vector g of the above in the low nibbles of g, g + 4 in the high ones
 *     codes of 5 bits    as 4, then the fifth bits u8 [16][4], bit g for vector g
 *     codes of 6 bits    as 4, then the upper two bits u8 [2][16][4], bits 2 (g % 4) of half g / 4 for vector g
 * That is as many bytes as in the file, but for Q4_K, Q5_K and Q6_K (11, 9 and 7 % more), whose scales of scales are
 * multiplied out and rounded to f16. A value is scale · (code - middle) + minimum; Q6_K has a scale for 16 inputs.
 *
 * For these activations come as 8-bit codes with a scale for 32 inputs (GATUN_QUANTIZE): products and sums of a block are
 * exact integers, blocks are added in order of k as total += float(sum) · (weight scale · activation scale), the first half of
 * a block first, then minimum · (activation scale · sum of activations).
 * For plain types a partial sum runs over 256 inputs in order of k, then is added to the total.
 *
 * One weight vector serves all rows of a register tile; work is shared by tiles of outputs, taken from a common counter.
 */
#include "simd.h"

/* What the kernels need to know of a quantized type; constant where a kernel is compiled for it. */
struct coding {
    int bits;
    int middle;         /* subtracted from codes */
    int halves;         /* scales of a block */
    int minimum;        /* whether blocks have one */
    int block_bytes;    /* of 16 outputs by 32 inputs */
};

INLINE struct coding coding_of(const int type) {
    switch (type) {
        case GATUN_Q8_0: return (struct coding){8, 128, 1, 0, 32 + 512};
        case GATUN_Q4_0: return (struct coding){4, 8, 1, 0, 32 + 256};
        case GATUN_Q5_0: return (struct coding){5, 16, 1, 0, 32 + 256 + 64};
        case GATUN_Q4_1:
        case GATUN_Q4_K: return (struct coding){4, 0, 1, 1, 64 + 256};
        case GATUN_Q5_1:
        case GATUN_Q5_K: return (struct coding){5, 0, 1, 1, 64 + 256 + 64};
        default: return (struct coding){6, 32, 2, 0, 64 + 256 + 128};
    }
}

/* How far ahead of use weights are fetched, in bytes: some 100 nanoseconds of a core's stream. */
enum { PREFETCH = 2048 };

struct quantized {
    int8_t *codes;      /* [rows, inputs] */
    float *scales;      /* [rows, inputs / 32] */
    int32_t *sums;      /* [rows, inputs / 16], of the codes */
};

static struct quantized quantized_at(void *memory, int64_t rows, int64_t inputs) {
    int8_t *codes = memory;
    float *scales = (float *)(codes + rows * inputs);
    return (struct quantized){codes, scales, (int32_t *)(scales + rows * (inputs / GATUN_BLOCK))};
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

/* Vector `group` of the codes of a block, k = 4 group .. 4 group + 3 of 16 outputs. */
INLINE bytes codes_at(const uint8_t *codes, const int group, const int bits) {
    if (bits == 8) {
        return load_bytes(codes + 64 * group);
    }
    bytes low = load_bytes(codes + 64 * (group % 4));
    low = group < 4 ? low & 15 : low >> 4;
    if (bits == 5) {
        low |= (load_bytes(codes + 256) >> group & 1) << 4;
    } else if (bits == 6) {
        low |= (load_bytes(codes + 256 + 64 * (group / 4)) >> 2 * (group % 4) & 3) << 4;
    }
    return low;
}

/* A register tile: `vectors` tiles of outputs by `rows` rows. */
INLINE void multiply_quantized(const struct gatun_command *command, struct quantized in, int64_t tile, int64_t row,
    const int vectors, const int rows, const int type) {
    const struct coding coding = coding_of(type);
    const int64_t inputs = command->group;
    const int64_t blocks = inputs / GATUN_BLOCK;
    const uint8_t *weights = (const uint8_t *)command->weights + tile * blocks * coding.block_bytes;
    floats total[TILE_VECTORS][TILE_ROWS] = {0};
    for (int64_t block = 0; block < blocks; block++) {
        const int8_t *activations = in.codes + row * inputs + block * GATUN_BLOCK;
#pragma GCC unroll 2
        for (int half = 0; half < coding.halves; half++) {
            const int groups = 8 / coding.halves;
            ints sum[TILE_VECTORS][TILE_ROWS];
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                const int32_t *sums = in.sums + ((row + r) * blocks + block) * 2;
                int32_t known = coding.halves == 2 ? sums[half] : sums[0] + sums[1];
#pragma GCC unroll 8
                for (int v = 0; v < vectors; v++) {
                    sum[v][r] = coding.bits == 8 ? start_8_bits(known) : splat_int(-coding.middle * known);
                }
            }
#pragma GCC unroll 8
            for (int i = 0; i < groups; i++) {
                const int group = half * groups + i;
#pragma GCC unroll 8
                for (int v = 0; v < vectors; v++) {
                    const uint8_t *source = weights + (v * blocks + block) * coding.block_bytes;
                    if (coding.bits == 8 || group < 4) {
                        __builtin_prefetch(source + 64 * group + PREFETCH);
                    }
                    bytes weight = codes_at(source + 32 * (coding.halves + coding.minimum), group, coding.bits);
#pragma GCC unroll 8
                    for (int r = 0; r < rows; r++) {
                        const int8_t *four = activations + r * inputs + 4 * group;
                        sum[v][r] = coding.bits == 8 ? dot_8_bits(sum[v][r], weight, four)
                            : dot_unsigned(sum[v][r], weight, four);
                    }
                }
            }
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++) {
                const uint16_t *scales = (const uint16_t *)(weights + (v * blocks + block) * coding.block_bytes);
                floats scale = from_halves(scales + half * GATUN_LANES);
#pragma GCC unroll 8
                for (int r = 0; r < rows; r++) {
                    floats factor = scale * in.scales[(row + r) * blocks + block];
                    total[v][r] = multiply_add(to_floats(sum[v][r]), factor, total[v][r]);
                }
                if (coding.minimum) {
                    floats minimum = from_halves(scales + coding.halves * GATUN_LANES);
#pragma GCC unroll 8
                    for (int r = 0; r < rows; r++) {
                        const int32_t *sums = in.sums + ((row + r) * blocks + block) * 2;
                        float activation = in.scales[(row + r) * blocks + block] * (float)(sums[0] + sums[1]);
                        total[v][r] = multiply_add(minimum, splat(activation), total[v][r]);
                    }
                }
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
        if (TILE_ROWS > 4 && row + 4 <= (rows)) { \
            run(4); \
            row += 4; \
        } \
        if (row + 2 <= (rows)) { \
            run(2); \
            row += 2; \
        } \
        if (row < (rows)) { \
            run(1); \
        } \
    } while (0)

INLINE void quantized_rows(const struct gatun_command *command, struct quantized in, int64_t tile, int64_t rows,
    const int vectors, const int type) {
#define RUN(n) multiply_quantized(command, in, tile, row, vectors, n, type)
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

static void tiles(const struct gatun_command *command, int64_t tile, const int vectors, const struct share *share) {
    const int64_t rows = share->rows;
    struct quantized in = quantized_at((void *)command->in, rows, command->group);
    switch (command->type) {
#define QUANTIZED(type) \
        case type: \
            vectors == 1 ? quantized_rows(command, in, tile, rows, 1, type) \
                : quantized_rows(command, in, tile, rows, TILE_VECTORS, type); \
            break;
#define PLAIN(type) \
        case type: \
            vectors == 1 ? plain_rows(command, tile, rows, 1, type) : plain_rows(command, tile, rows, TILE_VECTORS, type); \
            break;
        QUANTIZED(GATUN_Q8_0)
        QUANTIZED(GATUN_Q4_0)
        QUANTIZED(GATUN_Q5_0)
        QUANTIZED(GATUN_Q6_K)
        case GATUN_Q4_K: /* repacked, it is the same as the next */
        QUANTIZED(GATUN_Q4_1)
        case GATUN_Q5_K:
        QUANTIZED(GATUN_Q5_1)
        PLAIN(GATUN_F32)
        PLAIN(GATUN_F16)
        PLAIN(GATUN_BF16)
        default:
            break;
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
    struct quantized out = quantized_at(command->out, rows, width);
    int64_t from;
    int64_t to;
    part(rows * (width / GATUN_BLOCK), share, &from, &to);
    for (int64_t block = from; block < to; block++) {
        const float *in = (const float *)command->in + block * GATUN_BLOCK;
        floats first = load(in);
        floats second = load(in + 16);
        floats magnitude = larger(larger(first, -first), larger(second, -second));
        float largest = largest_of(magnitude);
        float inverse = largest == 0 ? 0 : 127 / largest;
        const float rounder = 0x1.8p23f;
        ints low = __builtin_convertvector(first * inverse + rounder - rounder, ints);
        ints high = __builtin_convertvector(second * inverse + rounder - rounder, ints);
        codes rounded[2] = {to_codes(low), to_codes(high)};
        int32_t sums[2] = {sum_of_ints(low), sum_of_ints(high)};
        memcpy(out.codes + block * GATUN_BLOCK, rounded, sizeof rounded);
        out.scales[block] = largest / 127;
        memcpy(out.sums + 2 * block, sums, sizeof sums);
    }
}

/* Repacks a block of 32 inputs of one output. */
static void pack_block(int32_t type, const uint8_t *row, int64_t block, uint8_t *target, int lane) {
    const struct coding coding = coding_of(type);
    struct gatun_codes read;
    gatun_read_codes(type, row, block, &read);
    uint16_t *scales = (uint16_t *)target;
    for (int half = 0; half < coding.halves; half++) {
        scales[half * GATUN_LANES + lane] = read.scales[half];
    }
    if (coding.minimum) {
        scales[coding.halves * GATUN_LANES + lane] = read.minimum;
    }
    uint8_t *codes = target + 32 * (coding.halves + coding.minimum) + 4 * lane;
    if (coding.bits == 8) {
        for (int group = 0; group < 8; group++) {
            memcpy(codes + 64 * group, read.codes + 4 * group, 4);
        }
        return;
    }
    uint8_t nibbles[16];
    for (int k = 0; k < 16; k++) {
        nibbles[k] = (uint8_t)((read.codes[k] & 15) | read.codes[k + 16] << 4);
    }
    for (int group = 0; group < 4; group++) {
        memcpy(codes + 64 * group, nibbles + 4 * group, 4);
    }
    for (int j = 0; j < 4 && coding.bits > 4; j++) {
        int upper[2] = {0};
        for (int group = 0; group < 8; group++) {
            int bits = read.codes[4 * group + j] >> 4;
            upper[coding.bits == 6 ? group / 4 : 0] |= coding.bits == 6 ? bits << 2 * (group % 4) : bits << group;
        }
        codes[256 + j] = (uint8_t)upper[0];
        if (coding.bits == 6) {
            codes[320 + j] = (uint8_t)upper[1];
        }
    }
}

static void NAME(gatun_pack_tile)(
    int32_t type, int64_t outputs, int64_t inputs, int64_t tile, const uint8_t *source, uint8_t *target) {
    const int64_t row_bytes = gatun_file_bytes(type, inputs);
    const int64_t tile_bytes = gatun_packed_bytes(type, GATUN_LANES, inputs);
    const int lanes = outputs - tile * GATUN_LANES < GATUN_LANES ? (int)(outputs - tile * GATUN_LANES) : GATUN_LANES;
    const uint8_t *rows = source + tile * GATUN_LANES * row_bytes;
    uint8_t *packed = target + tile * tile_bytes;
    if (lanes < GATUN_LANES) {
        memset(packed, 0, (size_t)tile_bytes);
    }
    if (type == GATUN_F32) {
        for (int64_t k = 0; k < inputs; k++) {
            for (int lane = 0; lane < lanes; lane++) {
                memcpy(packed + (k * GATUN_LANES + lane) * 4, rows + lane * row_bytes + k * 4, 4);
            }
        }
        return;
    }
    if (type == GATUN_F16 || type == GATUN_BF16) {
        for (int64_t k = 0; k < inputs; k++) {
            for (int lane = 0; lane < lanes; lane++) {
                memcpy(packed + (k * GATUN_LANES + lane) * 2, rows + lane * row_bytes + k * 2, 2);
            }
        }
        return;
    }
    for (int64_t block = 0; block < inputs / GATUN_BLOCK; block++) {
        for (int lane = 0; lane < lanes; lane++) {
            pack_block(type, rows + lane * row_bytes, block, packed + block * coding_of(type).block_bytes, lane);
        }
    }
}
