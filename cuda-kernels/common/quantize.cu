// Rows of activations in 8 bits (plan.Activations), for matmul_s8.cu.
//
//     scale[r] = largest / 127, code[r, k] = in[r, k] * (127 / largest) to the nearest even, largest = max over k of |in[r, k]|
//
// Entry point: quantize_rows_s8, of QuantizeArguments
//
// width is a multiple of 8; codes beyond it are 0. Addresses are multiples of 16.
// Elements of a magnitude of threshold or more are outliers: they do not count for the largest, their codes are 0, and they are listed.
// counts may be null, for none; then threshold is infinity.
// A row whose largest is below 2^-120 has scale 0 and codes 0; one with anything not finite scale NaN, codes 0 and no outliers. All
// of that is rounded as f32, so codes are those of quantize.RowCodes.
// Codes lie as matmul_s8.cu reads them: of each 16 inputs in turn 2 t, 2 t + 8, 2 t + 1 and 2 t + 9, t from 0 to 3.
// Launch: grid (max rows), block 256, no dynamic shared memory, compute capability 8.0.
// A block reads a row twice, the second time from L1. Outliers are listed in an order that depends on the width and the block alone.

#include "quantize.cuh"

struct QuantizeArguments {
    signed char* codes; // [rows, width rounded up to 64]
    float* scales;      // [rows]
    int* counts;        // [rows] of outliers, or null
    int* places;        // [rows, width] of outliers, or null
    float* outliers;    // [rows, width], or null
    const float* in;    // [rows, width]
    const int* rows;    // [1]: how many there are
    int width;
    float threshold;
};

constexpr int THREADS = 256;

extern "C" __global__ void __launch_bounds__(THREADS) quantize_rows_s8(const QuantizeArguments arguments) {
    const long long row = blockIdx.x;
    if (row < *arguments.rows) {
        const float* in = arguments.in + row * arguments.width;
        quantize_row({arguments.codes, arguments.scales, arguments.counts, arguments.places, arguments.outliers}, row, arguments.width,
                arguments.threshold, [&](int input) { return *reinterpret_cast<const float2*>(in + input); });
    }
}
