// Which rows of a tree pass each of them attends to.
//
// Entry points, of TreeArguments:
//     tree_paths
//
// Bit v of a row of ancestors says that it attends to row v of the pass. paths gets the numbers of the set bits of each row in rising order,
// lengths how many there are.
// Launch: grid (max rows / 4 rounded up), block 128, a warp a row, no dynamic shared memory, compute capability 8.0.

struct TreeArguments {
    int* paths;                          // [rows, 64 words]
    int* lengths;                        // [rows]
    const unsigned long long* ancestors; // [rows, words]
    const int* rows;                     // [1]: how many there are
    int words;
};

constexpr int ROWS_A_BLOCK = 4;

extern "C" __global__ void __launch_bounds__(32 * ROWS_A_BLOCK) tree_paths(const TreeArguments arguments) {
    const int words = arguments.words;
    const int row = blockIdx.x * ROWS_A_BLOCK + threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    if (row >= *arguments.rows) {
        return;
    }
    int length = 0;
#pragma unroll 1
    for (int word = 0; word < words; word++) {
        const unsigned long long bits = arguments.ancestors[row * words + word];
#pragma unroll
        for (int bit = lane; bit < 64; bit += 32) {
            if (bits >> bit & 1) {
                arguments.paths[row * 64 * words + length + __popcll(bits & ((1ull << bit) - 1))] = 64 * word + bit;
            }
        }
        length += __popcll(bits);
    }
    if (lane == 0) {
        arguments.lengths[row] = length;
    }
}
