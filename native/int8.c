/*
 * Products of INT8 weights with activations that have one scale a row (plan.ActivationQuantization, quantize.RowCodes):
 *
 *     out[r, n] = Σ_k code[r, k] · q[n, k] · (scale[r] · scale[n]) + Σ_outliers in[r, k] · (q[n, k] · scale[n]) + bias[n]
 *
 * The sum of int8 products is of whole numbers and exact, whatever the order; outliers are added in f32, in order of k. Weights are packed
 * as for other products with INT8, see matmul.c.
 */
#include <float.h>
#include <math.h>

/* Rows in 8 bits, as GATUN_QUANTIZE_ROWS leaves them. */
struct int8_rows {
    int8_t *codes;      /* [rows, blocks, 32] */
    float *scales;      /* [rows] */
    int32_t *sums;      /* [rows, blocks], of the codes of a block */
    int32_t *counts;    /* [rows], of outliers */
    int32_t *places;    /* [rows, inputs], of a row's outliers, rising; no memory unless the threshold is finite */
};

static struct int8_rows int8_rows_at(void *memory, int64_t rows, int64_t inputs) {
    const int64_t blocks = gatun_blocks(inputs);
    int8_t *codes = memory;
    float *scales = (float *)(codes + rows * blocks * GATUN_BLOCK);
    int32_t *sums = (int32_t *)(scales + rows);
    int32_t *counts = sums + rows * blocks;
    return (struct int8_rows){codes, scales, sums, counts, counts + rows};
}

/* Outliers themselves follow all places. */
static float *outliers_of(struct int8_rows in, int64_t rows, int64_t inputs) {
    return (float *)(in.places + rows * inputs);
}

/* A vector of elements of a row from `k` on; those beyond its end are 0. */
INLINE floats load_within(const float *row, int64_t k, int64_t width) {
    floats value = {0};
    memcpy(&value, row + k, width - k < WIDTH ? (size_t)(width - k) * sizeof *row : sizeof value);
    return value;
}

/* The largest magnitude of a row below the threshold; NaN if anything in it is not finite. */
static float largest_below(const float *row, int64_t width, float threshold) {
    floats largest = {0};
    ints finite = splat_int(-1);
    for (int64_t k = 0; k < width; k += WIDTH) {
        floats magnitude = magnitude_of(width - k >= WIDTH ? load(row + k) : load_within(row, k, width));
        finite &= magnitude <= FLT_MAX;
        largest = larger(choose(magnitude < threshold, magnitude, splat(0)), largest);
    }
    return sum_of_ints(finite) == -WIDTH ? largest_of(largest) : NAN;
}

static void list_outliers(struct int8_rows out, float *outliers, const float *row, int64_t number, int64_t width, float threshold) {
    int32_t count = 0;
    for (int64_t k = 0; k < width && threshold < INFINITY; k++) {
        if (fabsf(row[k]) >= threshold) {
            out.places[number * width + count] = (int32_t)k;
            outliers[number * width + count++] = row[k];
        }
    }
    out.counts[number] = count;
}

/* Each thread looks for the largest element of all rows of which it rounds a part, so that none waits for another. */
static void NAME(gatun_quantize_rows)(const struct gatun_command *command, const struct gatun_batch *batch, const struct share *share) {
    (void)batch;
    const struct gatun_quantize_rows *operands = &command->quantize_rows;
    const int64_t width = operands->width;
    const int64_t blocks = gatun_blocks(width);
    const float threshold = operands->outlier_magnitude;
    struct int8_rows out = int8_rows_at(operands->out, share->rows, width);
    int64_t from;
    int64_t to;
    part(share->rows * blocks, share, &from, &to);
    for (int64_t row = from / blocks; row * blocks < to; row++) {
        const float *in = operands->in + row * width;
        const float largest = largest_below(in, width, threshold);
        const int numbers = largest >= 0x1p-120f; /* not of a row of zeros, nor of NaN */
        const floats inverse = splat(numbers ? 127 / largest : 0);
        for (int64_t block = from > row * blocks ? from : row * blocks; block < to && block < (row + 1) * blocks; block++) {
            int32_t sum = 0;
            for (int i = 0; i < GATUN_BLOCK && numbers; i += WIDTH) {
                int64_t k = (block - row * blocks) * GATUN_BLOCK + i;
                floats x = k < width ? load_within(in, k, width) : splat(0);
                ints rounded = nearest(x * inverse) & (magnitude_of(x) < threshold);
                codes bytes_of_codes = to_codes(rounded);
                memcpy(out.codes + block * GATUN_BLOCK + i, &bytes_of_codes, sizeof bytes_of_codes);
                sum += sum_of_ints(rounded);
            }
            if (!numbers) {
                memset(out.codes + block * GATUN_BLOCK, 0, GATUN_BLOCK);
            }
            out.sums[block] = sum;
        }
        if (row * blocks >= from) {
            out.scales[row] = largest >= 0x1p-120f ? largest / 127 : largest < 0x1p-120f ? 0 : largest;
            list_outliers(out, outliers_of(out, share->rows, width), in, row, width, threshold);
        }
    }
}

/* Bytes of weights for input k, of the outputs from `lane` of a tile on, as numbers. */
INLINE floats weights_at(const uint8_t *tile, const int lane, int64_t k) {
    ints four;
    memcpy(&four, tile + 64 + k / 4 * 64 + 4 * lane, sizeof four);
    return to_floats((four >> 8 * (k % 4) & 255) - 128);
}

INLINE void multiply_int8(const struct gatun_matmul *matmul, struct int8_rows in, const float *outliers, int64_t tile, int64_t row,
    const int vectors, const int rows) {
    const int64_t inputs = matmul->inputs;
    const int64_t blocks = gatun_blocks(inputs);
    const int64_t tile_bytes = gatun_packed_bytes(GATUN_INT8, GATUN_LANES, inputs);
    const uint8_t *weights = (const uint8_t *)matmul->weights + tile * tile_bytes;
    ints sum[TILE_VECTORS][TILE_ROWS];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        int32_t known = 0;
        for (int64_t block = 0; block < blocks; block++) {
            known += in.sums[(row + r) * blocks + block];
        }
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) {
            sum[v][r] = start_signed(known);
        }
    }
    for (int64_t block = 0; block < blocks; block++) {
        const int8_t *activations = in.codes + (row * blocks + block) * GATUN_BLOCK;
#pragma GCC unroll 8
        for (int group = 0; group < GATUN_BLOCK / 4; group++) {
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++) {
                const uint8_t *source = weights + v / PARTS * tile_bytes + 64 + (block * (GATUN_BLOCK / 4) + group) * 64;
                if (lane_of(v) == 0) {
                    __builtin_prefetch(source + PREFETCH);
                }
                bytes weight = of_raised(load_bytes(source + 4 * lane_of(v)));
#pragma GCC unroll 8
                for (int r = 0; r < rows; r++) {
                    const int8_t *four = activations + r * blocks * GATUN_BLOCK + 4 * group;
                    sum[v][r] = end(sum[v][r], dot_signed(begin(sum[v][r]), weight, four));
                }
            }
        }
    }
    for (int v = 0; v < vectors; v++) {
        const uint8_t *packed = weights + v / PARTS * tile_bytes;
        const floats scale = load((const float *)packed + lane_of(v));
        for (int r = 0; r < rows; r++) {
            floats total = to_floats(sum[v][r]) * (scale * in.scales[row + r]);
            for (int64_t i = (row + r) * inputs; i < (row + r) * inputs + in.counts[row + r]; i++) {
                total = multiply_add(weights_at(packed, lane_of(v), in.places[i]) * scale, splat(outliers[i]), total);
            }
            put(matmul, row + r, tile * GATUN_LANES + v * WIDTH, total, 1);
        }
    }
}

INLINE void int8_tile(const struct gatun_matmul *matmul, struct int8_rows in, int64_t tile, int64_t rows, const int vectors) {
    const float *outliers = outliers_of(in, rows, matmul->inputs);
#define RUN(n) multiply_int8(matmul, in, outliers, tile, row, vectors, n)
    FOR_ROWS(rows, RUN);
#undef RUN
}

static void int8_tiles(const struct gatun_matmul *matmul, int64_t tile, const int vectors, const struct share *share) {
    struct int8_rows in = int8_rows_at((void *)matmul->in, share->rows, matmul->inputs);
    if (vectors == PARTS) {
        int8_tile(matmul, in, tile, share->rows, PARTS);
    } else {
        int8_tile(matmul, in, tile, share->rows, TILE_VECTORS);
    }
}
