// Rows of activations in 8 bits (plan.Activations), for matmul_s8.cu.
//
//     scale[r] = largest / 127, code[r, k] = in[r, k] * (127 / largest) to the nearest even, largest = max over k of |in[r, k]|
//
// Entry point: quantize_rows_s8 (codes, scales, counts, places, outliers, in, rows, width, threshold)
//
// in [rows, width] f32, rows [1] int, width a multiple of 8; codes [rows, weight_tiles * 64] s8 with weight_tiles = width / 64 rounded up,
// codes beyond the width 0; scales [rows] f32. Addresses are multiples of 16.
// Elements of a magnitude of threshold or more are outliers: they do not count for the largest, their codes are 0, and they are listed:
// counts [rows] int, places [rows, width] int, outliers [rows, width] f32. counts may be 0, for none; then threshold is infinity.
// A row whose largest is below 2^-120 has scale 0 and codes 0; one with anything not finite scale NaN, codes 0 and no outliers. All
// of that is rounded as f32, so codes are those of quantize.RowCodes.
// Codes lie as matmul_s8.cu reads them: of each 16 inputs in turn 2 t, 2 t + 8, 2 t + 1 and 2 t + 9, t from 0 to 3.
// Launch: grid (max rows), block 256, no dynamic shared memory, compute capability 8.0.
// A block reads a row twice, the second time from L1. Outliers are listed in an order that depends on the width and the block alone.

#include "quantize.cuh"

constexpr int THREADS = 256;

extern "C" __global__ void __launch_bounds__(THREADS)
quantize_rows_s8(signed char* codes, float* scales, int* counts, int* places, float* outliers, const float* in, const int* rows,
        int width, float threshold) {
    const long long row = blockIdx.x;
    if (row < *rows) {
        in += row * width;
        quantize_row({codes, scales, counts, places, outliers}, row, width, threshold,
                [&](int input) { return *reinterpret_cast<const float2*>(in + input); });
    }
}
