/*
 * out[r, n] = Σ_k in[r, k] · weight[n, k] + bias[n]
 *
 * Weights are repacked when a plan is compiled: 16 outputs (a tile) side by side, so that a vector holds the same k of as many
 * outputs as it has lanes, one activation is broadcast to all lanes, and no sum over lanes is ever needed. Padded outputs are zero.
 *   F32, F16, BF16   [tiles][inputs][16]
 *   quantized types  [tiles][inputs / 32]{ f16 scale[1 or 2][16]; f16 minimum[16], if the type has them; codes }
 *     codes of 8 bits    u8 code + 128 [8][16][4]; vector g holds k = 4 g .. 4 g + 3 of each output
 *     codes of 4 bits    u8 [4][16][4], vector g of the above in the low nibbles of g, g + 4 in the high ones
 *     codes of 5 bits    as 4, then the fifth bits u8 [16][4], bit g for vector g
 *     codes of 6 bits    as 4, then the upper two bits u8 [2][16][4], bits 2 (g % 4) of half g / 4 for vector g
 *   MXFP4            the same with bf16 scale[16] and codes of 4 bits
 *   NF4, FP4         [tiles][inputs / 64]{ f32 scale[16]; codes of 4 bits, of two blocks }
 *   INT8             [tiles]{ f32 scale[16]; [inputs / 32]{ codes of 8 bits } }, the last block filled up
 *   2:4 of INT8      [tiles]{ f32 scale[16]; [inputs / 32]{ s8 code [4][16][4]; u8 places [16][4] } }
 *   2:4 of NF4       [tiles][inputs / 64]{ f32 scale[16]; two blocks of { codes of 4 bits [2][16][4]; u8 places [16][4] } }
 *     vector g holds what is kept of k = 8 g .. 8 g + 7 of each output; its places are bits 2 g
 *   N:M of F16       [tiles][units]{ u16 places[16]; f16 kept[n][16] }: n = 8 places of 2 bits, or 4 of 4 where M > 4
 * That is as many bytes as in the file, but for Q4_K, Q5_K, Q6_K, MXFP4, 2:8 and 4:8 (11, 9, 7, 6, 5 and 5 % more): scales of
 * scales are multiplied out and rounded to f16, powers of two take 16 bits and places of 3 bits 4. A value is
 * scale · (code - middle) + minimum; Q6_K has a scale for 16 inputs. NF4, FP4 and MXFP4 have scale · codebook[code], with codebooks of
 * small integers: docs/decisions/four-bit-codebooks-on-cpu.md.
 *
 * For these activations come as 8-bit codes with a scale for 32 inputs (GATUN_QUANTIZE): products and sums of a block are
 * exact integers, blocks are added in order of k as total += float(sum) · (weight scale · activation scale), the first half of
 * a block first, then minimum · (activation scale · sum of activations). A scale of the row is multiplied at the end.
 * For plain types and N:M of F16 a partial sum runs over 256 inputs in order of k, then is added to the total.
 *
 * Sparse weights are multiplied as they are kept: a shuffle brings each output the activations of its own places, so that time
 * falls with the elements that are kept, not only with their bytes.
 *
 * One weight vector serves all rows of a register tile; work is shared by tiles of outputs, taken from a common counter.
 */
#include "simd.h"

enum scales { OF_BLOCK, POWER_OF_BLOCK, OF_TWO_BLOCKS, OF_ROW };

/* What the kernels need to know of a quantized type; constant where a kernel is compiled for it. */
struct coding {
    int bits;
    int middle;             /* subtracted from codes */
    enum scales scales;     /* f16, bf16, f32, f32 */
    int halves;             /* scales of a block */
    int minimum;            /* whether blocks have one */
    int largest;            /* magnitude of what is multiplied */
    int vectors;            /* of 16 outputs by 4 codes in a block of 32 inputs: 4 if the type is sparse */
    const int8_t *codebook;     /* what codes stand for, if not for themselves */
};

/*
 * The codebooks of NF4 and FP4 in whole numbers, and their unit: those that come closest to the codebooks, in root mean square over
 * the codes of normally distributed weights. A test of the quantized products holds them.
 */
static const int8_t nf4_codebook[16] = {-112, -78, -59, -44, -32, -21, -10, 0, 9, 18, 28, 38, 49, 63, 81, 112};
static const int8_t fp4_codebook[16] = {0, 1, 80, 120, 40, 60, 20, 30, 0, -1, -80, -120, -40, -60, -20, -30};
static const float nf4_unit = 0.0089235323f;
static const float fp4_unit = 1.0f / 120;

INLINE struct coding coding_of(const int type) {
    switch (type) {
        case GATUN_Q8_0: return (struct coding){8, 128, OF_BLOCK, 1, 0, 128, 8, NULL};
        case GATUN_Q4_0: return (struct coding){4, 8, OF_BLOCK, 1, 0, 15, 8, NULL};
        case GATUN_Q5_0: return (struct coding){5, 16, OF_BLOCK, 1, 0, 31, 8, NULL};
        case GATUN_Q4_1:
        case GATUN_Q4_K: return (struct coding){4, 0, OF_BLOCK, 1, 1, 15, 8, NULL};
        case GATUN_Q5_1:
        case GATUN_Q5_K: return (struct coding){5, 0, OF_BLOCK, 1, 1, 31, 8, NULL};
        case GATUN_Q6_K: return (struct coding){6, 32, OF_BLOCK, 2, 0, 63, 8, NULL};
        case GATUN_NF4: return (struct coding){4, 0, OF_TWO_BLOCKS, 1, 0, 112, 8, nf4_codebook};
        case GATUN_FP4: return (struct coding){4, 0, OF_TWO_BLOCKS, 1, 0, 120, 8, fp4_codebook};
        case GATUN_MXFP4: return (struct coding){4, 0, POWER_OF_BLOCK, 1, 0, 12, 8, gatun_mxfp4_codebook};
        case GATUN_INT8: return (struct coding){8, 128, OF_ROW, 1, 0, 128, 8, NULL};
        case GATUN_SPARSE_2_4_INT8: return (struct coding){8, 0, OF_ROW, 1, 0, 128, 4, NULL};
        default: return (struct coding){4, 0, OF_TWO_BLOCKS, 1, 0, 112, 4, nf4_codebook};
    }
}

/* Bytes of codes and places of a block, of 16 outputs. */
INLINE int code_bytes(const struct coding coding) {
    return 8 * coding.vectors * coding.bits + (coding.vectors == 4 ? 64 : 0);
}

/* Bytes of the scales that blocks share or have for themselves, which lie before their codes. */
INLINE int scale_bytes(const struct coding coding) {
    return coding.scales == OF_ROW ? 0 : coding.scales == OF_TWO_BLOCKS ? 64 : 32 * (coding.halves + coding.minimum);
}

/* Where the scales of a block lie that it does not share with the whole row. */
INLINE int64_t scales_at(const struct coding coding, int64_t block) {
    switch (coding.scales) {
        case OF_ROW: return 64;
        case OF_TWO_BLOCKS: return block / 2 * (scale_bytes(coding) + 2 * code_bytes(coding));
        default: return block * (scale_bytes(coding) + code_bytes(coding));
    }
}

/* Where the codes of a block lie. */
INLINE int64_t codes_of(const struct coding coding, int64_t block) {
    switch (coding.scales) {
        case OF_ROW: return 64 + block * code_bytes(coding);
        case OF_TWO_BLOCKS: return scales_at(coding, block) + scale_bytes(coding) + block % 2 * code_bytes(coding);
        default: return scales_at(coding, block) + scale_bytes(coding);
    }
}

/* How far ahead of use weights are fetched, in bytes: some 100 nanoseconds of a core's stream. */
enum { PREFETCH = 2048 };

/* Results of the last tile of a row where that is cut short: as many of a vector as there are, if any. */
static __attribute__((noinline)) void put_some(float *target, const float *addend, floats value, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        target[i] = value[i] + (addend == NULL ? 0 : addend[i]);
    }
}

/* Puts a vector of results of a row where they belong: the first with the bias, others are added to what is there. */
INLINE void put(const struct gatun_matmul *matmul, int64_t row, int64_t output, floats value, const int first) {
    float *target = matmul->out + row * matmul->outputs + output;
    const float *addend = !first ? target : matmul->bias == NULL ? NULL : matmul->bias + output;
    const int64_t left = matmul->outputs - output;
    if (matmul->outputs - output / GATUN_LANES * GATUN_LANES < GATUN_LANES) {
        put_some(target, addend, value, left < WIDTH ? left : WIDTH);
    } else {
        store(target, addend == NULL ? value : value + load(addend));
    }
}

/*
 * Vector `group` of the codes of a block, or of what the codebook says for them: for a dense type k = 4 group .. 4 group + 3 of the
 * outputs from `codes` on, as dot_signed or dot_unsigned take them; for a sparse one what dot_picked takes.
 */
INLINE bytes codes_at(const uint8_t *codes, const int group, const struct coding coding) {
    if (coding.bits == 8) {
        bytes whole = load_bytes(codes + 64 * group);
        return coding.vectors == 4 ? whole : of_raised(whole);
    }
    const int half = coding.vectors / 2;
    bytes low = bits_of(load_bytes(codes + 64 * (group % half)), group < half ? 0 : 4, 15);
    if (coding.bits == 5) {
        low |= bits_of(load_bytes(codes + 256), group - 4, 16);
    } else if (coding.bits == 6) {
        low |= bits_of(load_bytes(codes + 256 + 64 * (group / 4)), 2 * (group % 4) - 4, 48);
    } else if (coding.codebook != NULL) {
        bytes codebook = repeat_bytes(coding.codebook);
        low = look_up(coding.vectors == 4 ? codebook : of_signed(codebook), low);
    }
    return low;
}

/* What is kept in vector `group` of a sparse block: where each is among the 16 inputs that hold those of the vector. */
INLINE bytes places_at(const uint8_t *places, const int group) {
    static const uint8_t offsets[2][16] = {{0, 0, 4, 4, 0, 0, 4, 4, 0, 0, 4, 4, 0, 0, 4, 4},
        {8, 8, 12, 12, 8, 8, 12, 12, 8, 8, 12, 12, 8, 8, 12, 12}};
    return bits_of(load_bytes(places), 2 * group, 3) | repeat_bytes(offsets[group % 2]);
}

/* Where vector `v` of a register tile begins within its tile of 16 outputs. */
INLINE int lane_of(const int v) {
    return v % PARTS * WIDTH;
}

/* Only what a register tile uses, so that it stays in registers. */
INLINE void clear(floats sums[TILE_VECTORS][TILE_ROWS], const int vectors, const int rows) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) {
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            sums[v][r] = splat(0);
        }
    }
}

/*
 * Adds the products of a block of a sparse type, of the outputs from `lane` of a tile on, to the totals of `rows` rows; they are
 * `stride` blocks apart.
 */
INLINE void multiply_sparse_block(const struct gatun_rounded *in, int64_t stride, const uint8_t *weights, const int lane,
    int64_t block, floats *totals, const int rows, const struct coding coding) {
    const uint8_t *source = weights + codes_of(coding, block) + 4 * lane;
    bytes weight[4];
    bytes places[4];
    ints start = {0};
#pragma GCC unroll 8
    for (int group = 0; group < 4; group++) {
        weight[group] = codes_at(source, group, coding);
        places[group] = places_at(source + code_bytes(coding) - 64, group);
        start = add_lift(start, weight[group]);
    }
    start = -start;
    for (int line = 0; line < code_bytes(coding) / 64 && lane == 0; line++) {
        __builtin_prefetch(source + 64 * line + PREFETCH);
    }
    floats scale = coding.scales == OF_ROW ? splat(1) : load((const float *)(weights + scales_at(coding, block)) + lane);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        ints sum = start;
#pragma GCC unroll 8
        for (int group = 0; group < 4; group++) {
            bytes some = lift(repeat_bytes(in[r * stride].codes + group / 2 * 16));
            sum = end(sum, dot_picked(begin(sum), weight[group], look_up(some, places[group])));
        }
        totals[r] = multiply_add(to_floats(sum), scale * in[r * stride].scale, totals[r]);
    }
}

/* The same of a dense type and `vectors` vectors of outputs. */
INLINE void multiply_block(const struct gatun_rounded *in, int64_t stride, const uint8_t *weights, int64_t tile_bytes, int64_t block,
    floats totals[TILE_VECTORS][TILE_ROWS], const int vectors, const int rows, const struct coding coding) {
    const int with_sign = coding.bits == 8 || coding.codebook != NULL; /* signed codes */
#pragma GCC unroll 2
    for (int half = 0; half < coding.halves; half++) {
        const int groups = 8 / coding.halves;
        const int run = dots_of(coding.largest);
        ints sum[TILE_VECTORS][TILE_ROWS];
        partials partial[TILE_VECTORS][TILE_ROWS];
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            const int32_t *sums = in[r * stride].sums;
            int32_t known = coding.halves == 2 ? sums[half] : wrapping_sum(sums[0], sums[1]);
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++) {
                sum[v][r] = with_sign ? start_signed(known) : splat_int(-coding.middle * known);
            }
        }
#pragma GCC unroll 8
        for (int i = 0; i < groups; i++) {
            /* Those of the low and high nibbles of a byte one after the other, so that no register holds it for long. */
            const int group = coding.halves == 2 ? half * groups + i : i % 2 * 4 + i / 2;
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++) {
                const uint8_t *source = weights + v / PARTS * tile_bytes + codes_of(coding, block) + 4 * lane_of(v);
                if (group < code_bytes(coding) / 64 && lane_of(v) == 0) {
                    __builtin_prefetch(source + 64 * group + PREFETCH);
                }
                bytes weight = codes_at(source, group, coding);
#pragma GCC unroll 8
                for (int r = 0; r < rows; r++) {
                    const int8_t *four = in[r * stride].codes + 4 * group;
                    partials before = i % run == 0 ? begin(sum[v][r]) : partial[v][r];
                    partial[v][r] = with_sign ? dot_signed(before, weight, four) : dot_unsigned(before, weight, four);
                    if ((i + 1) % run == 0 || i + 1 == groups) {
                        sum[v][r] = end(sum[v][r], partial[v][r]);
                    }
                }
            }
        }
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) {
            const uint8_t *scales = weights + v / PARTS * tile_bytes + scales_at(coding, block);
            const uint16_t *rounded = (const uint16_t *)scales + half * GATUN_LANES + lane_of(v);
            floats scale = coding.scales == OF_BLOCK ? from_halves(rounded)
                : coding.scales == POWER_OF_BLOCK ? from_bfloats(rounded)
                : coding.scales == OF_TWO_BLOCKS ? load((const float *)scales + lane_of(v)) : splat(1);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                floats factor = scale * in[r * stride].scale;
                totals[v][r] = multiply_add(to_floats(sum[v][r]), factor, totals[v][r]);
            }
            if (coding.minimum) {
                floats minimum = from_halves((const uint16_t *)scales + coding.halves * GATUN_LANES + lane_of(v));
#pragma GCC unroll 8
                for (int r = 0; r < rows; r++) {
                    const struct gatun_rounded *rounded_row = in + r * stride;
                    float activation = rounded_row->scale * (float)wrapping_sum(rounded_row->sums[0], rounded_row->sums[1]);
                    totals[v][r] = multiply_add(minimum, splat(activation), totals[v][r]);
                }
            }
        }
    }
}

/* Products with activations that have a scale for each row. (int8.c) */
static void int8_tiles(const struct gatun_matmul *matmul, int64_t tile, const int vectors, const struct share *share);

/* A register tile: `vectors` vectors of outputs, of whole tiles, by `rows` rows. */
INLINE void multiply_quantized(const struct gatun_matmul *matmul, int64_t tile, int64_t row, const int vectors, const int rows,
    const int type) {
    const struct coding coding = coding_of(type);
    const int64_t blocks = gatun_blocks(matmul->inputs);
    const int64_t tile_bytes = gatun_packed_bytes(type, GATUN_LANES, matmul->inputs);
    const uint8_t *weights = (const uint8_t *)matmul->weights + tile * tile_bytes;
    const struct gatun_rounded *in = (const struct gatun_rounded *)matmul->in + row * blocks;
    floats totals[TILE_VECTORS][TILE_ROWS] = {0};
    for (int64_t block = 0; block < blocks; block++) {
        if (coding.vectors == 8) {
            multiply_block(in + block, blocks, weights, tile_bytes, block, totals, vectors, rows, coding);
        } else {
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++) {
                multiply_sparse_block(
                    in + block, blocks, weights + v / PARTS * tile_bytes, lane_of(v), block, totals[v], rows, coding);
            }
        }
    }
    for (int v = 0; v < vectors; v++) {
        floats scale = coding.scales == OF_ROW ? load((const float *)(weights + v / PARTS * tile_bytes) + lane_of(v)) : splat(1);
        for (int r = 0; r < rows; r++) {
            floats value = coding.scales == OF_ROW ? totals[v][r] * scale : totals[v][r];
            put(matmul, row + r, tile * GATUN_LANES + v * WIDTH, value, 1);
        }
    }
}

/* A type whose elements, or those of them that are kept, are numbers as they stand. */
struct plain {
    int bytes;                          /* of an element */
    struct gatun_sparsity sparsity;
    int unit;                           /* elements whose places lie before them */
    int place_bits;
};

INLINE struct plain plain_of(const int type) {
    const struct gatun_sparsity sparsity = gatun_sparsity_of(type);
    return (struct plain){type == GATUN_F32 ? 4 : 2, sparsity, sparsity.group == 4 ? 8 : 4, sparsity.group == 4 ? 2 : 4};
}

/* Bytes that 16 outputs take of a multiple of 64 inputs, or of any number of inputs that are all there. */
INLINE int64_t plain_bytes(const struct plain plain, int64_t inputs) {
    return plain.sparsity.group == 0 ? inputs * GATUN_LANES * plain.bytes
        : inputs / plain.sparsity.group * plain.sparsity.kept / plain.unit * (plain.unit + 1) * GATUN_LANES * plain.bytes;
}

/* Inputs of a sparse type that are multiplied at a time: whole units, and whole vectors of activations. */
INLINE int sparse_step(const struct plain plain) {
    const int inputs = plain.sparsity.group == 0 ? GATUN_LANES : plain.unit / plain.sparsity.kept * plain.sparsity.group;
    return inputs < GATUN_LANES ? GATUN_LANES : inputs;
}

/* Element number `index` of the outputs from `lane` of a tile on. */
INLINE floats weight_at(const uint8_t *weights, int64_t index, const int lane, const int type) {
    const uint8_t *source = weights + (index * GATUN_LANES + lane) * plain_of(type).bytes;
    switch (type) {
        case GATUN_BF16:
            return from_bfloats((const uint16_t *)source);
        case GATUN_F32:
            return load((const float *)source);
        default:
            return from_halves((const uint16_t *)source);
    }
}

/* Adds a panel of up to 256 inputs to the results in out; the weights begin with it. */
INLINE void multiply_panel(const struct gatun_matmul *matmul, const uint8_t *weights, int64_t tile, int64_t row, int64_t from,
    int64_t to, const int vectors, const int rows, const int type) {
    const struct plain plain = plain_of(type);
    const struct gatun_sparsity sparsity = plain.sparsity;
    const int64_t inputs = matmul->inputs;
    const int64_t tile_bytes = plain_bytes(plain, inputs);
    const float *in = (const float *)matmul->in + row * inputs;
    floats sum[TILE_VECTORS][TILE_ROWS];
    clear(sum, vectors, rows);
    for (int64_t k = from; k < to && sparsity.group == 0; k++) {
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) {
            const uint8_t *source = weights + v / PARTS * tile_bytes;
            floats weight = weight_at(source, k - from, lane_of(v), type);
            if (lane_of(v) == 0) {
                __builtin_prefetch(source + (k - from) * GATUN_LANES * plain.bytes + PREFETCH);
            }
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                sum[v][r] = multiply_add(weight, splat(in[r * inputs + k]), sum[v][r]);
            }
        }
    }
    const int step = sparse_step(plain);
    for (int64_t k = from; k < to && sparsity.group != 0; k += step) {
        words places[TILE_VECTORS];
#pragma GCC unroll 8
        for (int i = 0; i < step / sparsity.group * sparsity.kept; i++) {
            const int group = i / sparsity.kept * sparsity.group;
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++) {
                const uint8_t *source = weights + v / PARTS * tile_bytes + plain_bytes(plain, k - from);
                const int line = i / plain.unit * (plain.unit + 1) + i % plain.unit + 1;
                places[v] = i % plain.unit != 0 ? places[v] >> plain.place_bits
                    : load_16_bits((const uint16_t *)source + (line - 1) * GATUN_LANES + lane_of(v));
                if (lane_of(v) == 0) {
                    __builtin_prefetch(source + 32 * line + PREFETCH);
                }
                floats weight = weight_at(source, line, lane_of(v), type);
                words aimed = aim(places[v], group % GATUN_LANES, sparsity.group);
#pragma GCC unroll 8
                for (int r = 0; r < rows; r++) {
                    const float *sixteen = in + r * inputs + k + group / GATUN_LANES * GATUN_LANES;
                    floats picked = pick(sixteen, aimed, group % GATUN_LANES, sparsity.group);
                    sum[v][r] = multiply_add(weight, picked, sum[v][r]);
                }
            }
        }
    }
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) {
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            put(matmul, row + r, tile * GATUN_LANES + v * WIDTH, sum[v][r], from == 0);
        }
    }
}

/*
 * Calls run(n) for all rows in register tiles of n rows, n a constant, so that the compiler keeps the sums in registers;
 * `row` is the first of them. A tile of two rows takes about as long as one of four, as its sums wait for each other.
 */
#define FOR_ROWS(rows, run) \
    do { \
        int64_t row = 0; \
        for (; row + TILE_ROWS <= (rows) && row + 8 != (rows); row += TILE_ROWS) { \
            run(TILE_ROWS); \
        } \
        for (; row + 4 <= (rows); row += 4) { \
            run(4); \
        } \
        if (row + 2 <= (rows)) { \
            run(2); \
            row += 2; \
        } \
        if (row < (rows)) { \
            run(1); \
        } \
    } while (0)

INLINE void quantized_rows(const struct gatun_matmul *matmul, int64_t tile, int64_t rows, const int vectors, const int type) {
#define RUN(n) multiply_quantized(matmul, tile, row, vectors, n, type)
    FOR_ROWS(rows, RUN);
#undef RUN
}

INLINE void panel_rows(const struct gatun_matmul *matmul, const uint8_t *weights, int64_t tile, int64_t from, int64_t to,
    int64_t rows, const int vectors, const int type) {
#define RUN(n) multiply_panel(matmul, weights, tile, row, from, to, vectors, n, type)
    FOR_ROWS(rows, RUN);
#undef RUN
}

/* All rows of `vectors` vectors of outputs whose weights are numbers as they stand. */
INLINE void plain_rows(const struct gatun_matmul *matmul, int64_t tile, int64_t rows, const int vectors, const int type) {
    const int64_t inputs = matmul->inputs;
    for (int64_t from = 0; from < inputs; from += GATUN_PANEL) {
        int64_t to = from + GATUN_PANEL < inputs ? from + GATUN_PANEL : inputs;
        const uint8_t *weights = (const uint8_t *)matmul->weights
            + tile * plain_bytes(plain_of(type), inputs) + plain_bytes(plain_of(type), from);
        panel_rows(matmul, weights, tile, from, to, rows, vectors, type);
    }
}

static void tiles(const struct gatun_matmul *matmul, int64_t tile, const int vectors, const struct share *share) {
    const int64_t rows = share->rows;
    if (matmul->row_scales) {
        int8_tiles(matmul, tile, vectors, share);
        return;
    }
    switch (matmul->type) {
#define QUANTIZED(type) \
        case type: \
            vectors == PARTS ? quantized_rows(matmul, tile, rows, PARTS, type) \
                : quantized_rows(matmul, tile, rows, TILE_VECTORS, type); \
            break;
#define PLAIN(type) \
        case type: \
            vectors == PARTS ? plain_rows(matmul, tile, rows, PARTS, type) : plain_rows(matmul, tile, rows, TILE_VECTORS, type); \
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
        QUANTIZED(GATUN_NF4)
        QUANTIZED(GATUN_FP4)
        QUANTIZED(GATUN_MXFP4)
        QUANTIZED(GATUN_INT8)
        QUANTIZED(GATUN_SPARSE_2_4_INT8)
        QUANTIZED(GATUN_SPARSE_2_4_NF4)
        PLAIN(GATUN_SPARSE_2_4_F16)
        PLAIN(GATUN_SPARSE_1_4_F16)
        PLAIN(GATUN_SPARSE_2_8_F16)
        PLAIN(GATUN_SPARSE_4_8_F16)
        PLAIN(GATUN_SPARSE_1_16_F16)
        PLAIN(GATUN_SPARSE_2_16_F16)
        default:
            break;
    }
}

static void NAME(gatun_matmul)(const struct gatun_command *command, const struct gatun_batch *batch, const struct share *share) {
    (void)batch;
    const struct gatun_matmul *matmul = &command->matmul;
    const int count = (matmul->outputs + GATUN_LANES - 1) / GATUN_LANES;
    /* Pieces small enough that no thread waits long for another, large enough that the counter is no bottleneck. */
    const int wide = TILE_VECTORS / PARTS;
    int piece = count / (8 * share->threads) / wide * wide;
    piece = share->threads == 1 ? count : piece < 2 * wide ? 2 * wide : piece;
    for (int from; (from = atomic_fetch_add_explicit(share->next, piece, memory_order_relaxed)) < count;) {
        int to = from + piece < count ? from + piece : count;
        int tile = from;
        for (; tile + wide <= to; tile += wide) {
            tiles(matmul, tile, TILE_VECTORS, share);
        }
        for (; tile < to; tile++) {
            tiles(matmul, tile, PARTS, share);
        }
    }
}

/* Activations to 8 bits: for each 32 inputs scale = max|x| / 127, code = x / scale rounded to nearest even. */
static void NAME(gatun_quantize)(const struct gatun_command *command, const struct gatun_batch *batch, const struct share *share) {
    (void)batch;
    const struct gatun_quantize *operands = &command->quantize;
    const int64_t rows = share->rows;
    const int64_t width = operands->width;
    const int64_t blocks = gatun_blocks(width);
    struct gatun_rounded *out = operands->out;
    int64_t from;
    int64_t to;
    part(rows * blocks, share, &from, &to);
    for (int64_t block = from; block < to; block++) {
        const int64_t begin = block % blocks * GATUN_BLOCK;
        const float *in = operands->in + block / blocks * width + begin;
        float last[GATUN_BLOCK] = {0};
        if (width - begin < GATUN_BLOCK) {
            memcpy(last, in, (size_t)(width - begin) * sizeof *in);
            in = last;
        }
        floats magnitude = magnitude_of(load(in));
#pragma GCC unroll 8
        for (int i = WIDTH; i < GATUN_BLOCK; i += WIDTH) {
            magnitude = larger(magnitude, magnitude_of(load(in + i)));
        }
        float largest = largest_of(magnitude);
        float inverse = largest == 0 ? 0 : 127 / largest;
        const float rounder = 0x1.8p23f;
        ints sums[2] = {{0}, {0}};
#pragma GCC unroll 8
        for (int i = 0; i < GATUN_BLOCK; i += WIDTH) {
            ints whole = __builtin_convertvector(load(in + i) * inverse + rounder - rounder, ints);
            codes rounded = to_codes(whole);
            memcpy(out[block].codes + i, &rounded, sizeof rounded);
            sums[i / GATUN_LANES] += whole;
        }
        out[block].scale = largest / 127;
        out[block].sums[0] = sum_of_ints(sums[0]);
        out[block].sums[1] = sum_of_ints(sums[1]);
    }
}

/* Repacks a block of 32 inputs of one output. */
static void pack_block(int32_t type, const uint8_t *row, int64_t inputs, int64_t block, uint8_t *tile, int lane) {
    const struct coding coding = coding_of(type);
    struct gatun_codes read;
    gatun_read_codes(type, row, inputs, block, &read);
    uint16_t *rounded = (uint16_t *)(tile + scales_at(coding, block));
    if (coding.scales == OF_TWO_BLOCKS || coding.scales == OF_ROW) {
        float unit = coding.codebook == nf4_codebook ? nf4_unit : coding.codebook == fp4_codebook ? fp4_unit : 1;
        ((float *)(tile + (coding.scales == OF_ROW ? 0 : scales_at(coding, block))))[lane] = read.scale * unit;
    } else {
        for (int half = 0; half < coding.halves; half++) {
            rounded[half * GATUN_LANES + lane] = read.scales[half];
        }
        if (coding.minimum) {
            rounded[coding.halves * GATUN_LANES + lane] = read.minimum;
        }
    }
    uint8_t *codes = tile + codes_of(coding, block) + 4 * lane;
    for (int j = 0; j < 4 && coding.vectors == 4; j++) {
        uint8_t places = 0;
        for (int group = 0; group < 4; group++) {
            places |= (uint8_t)(read.places[4 * group + j] << 2 * group);
        }
        codes[code_bytes(coding) - 64 + j] = places;
    }
    if (coding.bits == 8) {
        for (int group = 0; group < coding.vectors; group++) {
            memcpy(codes + 64 * group, read.codes + 4 * group, 4);
        }
        return;
    }
    const int half = 2 * coding.vectors;
    uint8_t nibbles[16];
    for (int k = 0; k < half; k++) {
        nibbles[k] = (uint8_t)((read.codes[k] & 15) | read.codes[k + half] << 4);
    }
    for (int group = 0; group < coding.vectors / 2; group++) {
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

/* The codes of such a block, of a type without sparsity, and its scale and minimum if they are halves. */
static void unpack_block(int32_t type, const uint8_t *tile, int64_t block, int lane, struct gatun_codes *result) {
    const struct coding coding = coding_of(type);
    const uint16_t *scales = (const uint16_t *)(tile + scales_at(coding, block));
    const uint8_t *codes = tile + codes_of(coding, block) + 4 * lane;
    result->scales[0] = scales[lane];
    result->minimum = coding.minimum ? scales[coding.halves * GATUN_LANES + lane] : 0;
    for (int k = 0; k < 32; k++) {
        const int group = k / 4;
        const uint8_t *code = codes + k % 4;
        if (coding.bits == 8) {
            result->codes[k] = code[64 * group];
            continue;
        }
        int bits = code[64 * (group % 4)] >> (group < 4 ? 0 : 4) & 15;
        if (coding.bits == 5) {
            bits |= (code[256] >> group & 1) << 4;
        } else if (coding.bits == 6) {
            bits |= (code[256 + 64 * (group / 4)] >> 2 * (group % 4) & 3) << 4;
        }
        result->codes[k] = (uint8_t)bits;
    }
}

/* Decodes a row of a repacked matrix: bit for bit what gatun_decode makes of it as stored. For `scales` see gatun_embed. */
static void decode_packed(
    int32_t type, const uint8_t *packed, const uint8_t *scales, int64_t row, float *target, int64_t elements) {
    const uint8_t *tile = packed + row / GATUN_LANES * gatun_packed_bytes(type, GATUN_LANES, elements);
    const int lane = (int)(row % GATUN_LANES);
    if (type == GATUN_F32 || type == GATUN_F16 || type == GATUN_BF16) {
        const int64_t size = gatun_file_bytes(type, 1);
        uint8_t stored[4 * GATUN_PANEL];
        for (int64_t from = 0; from < elements; from += GATUN_PANEL) {
            const int64_t count = elements - from < GATUN_PANEL ? elements - from : GATUN_PANEL;
            for (int64_t k = 0; k < count; k++) {
                memcpy(stored + k * size, tile + ((from + k) * GATUN_LANES + lane) * size, (size_t)size);
            }
            gatun_decode(type, stored, target + from, count);
        }
        return;
    }
    const int64_t bytes = gatun_scale_bytes(type);
    for (int64_t block = 0; block < gatun_blocks(elements); block++) {
        struct gatun_codes read;
        unpack_block(type, tile, block, lane, &read);
        const uint8_t *exact = bytes == 0 ? NULL : scales + (row * (elements / 256) + block / 8) * bytes;
        gatun_decode_codes(type, &read, exact, block, target + block * GATUN_BLOCK);
    }
}

/* Repacks a row of one output of which not all elements are kept, all of them f16. */
static void pack_kept(int32_t type, const uint8_t *row, int64_t inputs, uint8_t *tile, int lane) {
    const struct plain plain = plain_of(type);
    uint16_t *target = (uint16_t *)tile + lane;
    for (int64_t unit = 0; unit < inputs / plain.sparsity.group * plain.sparsity.kept / plain.unit; unit++) {
        int places = 0;
        for (int i = 0; i < plain.unit; i++) {
            int place;
            target[(i + 1) * GATUN_LANES] = gatun_read_kept(type, row, unit * plain.unit + i, &place);
            places |= place << i * plain.place_bits;
        }
        *target = (uint16_t)places;
        target += (plain.unit + 1) * GATUN_LANES;
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
    const int kept = gatun_sparsity_of(type).group != 0 && type != GATUN_SPARSE_2_4_INT8 && type != GATUN_SPARSE_2_4_NF4;
    for (int lane = 0; lane < lanes && kept; lane++) {
        pack_kept(type, rows + lane * row_bytes, inputs, packed, lane);
    }
    for (int64_t block = 0; block < gatun_blocks(inputs) && !kept; block++) {
        for (int lane = 0; lane < lanes; lane++) {
            pack_block(type, rows + lane * row_bytes, inputs, block, packed, lane);
        }
    }
}
