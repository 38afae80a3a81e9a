package org.gatun.cuda.simulator;

/// Room for the matrices of one product.
final class MatrixScratch {
    /// Row-major `[16, 64]` at most; a sparse one is as in its registers, half as deep.
    final float[] left = new float[16 * 64];
    /// Row-major `[64, 8]` at most.
    final float[] right = new float[64 * 8];
    final int[] leftInts = new int[16 * 64];
    final int[] rightInts = new int[64 * 8];
    /// The left matrix with the zeros that a sparse one leaves out.
    final float[] expanded = new float[16 * 64];
    final int[] expandedInts = new int[16 * 64];
    /// The right matrix `[16, columns]` of a product of four warps, and a row of its sums.
    final float[] wide = new float[MatrixDescriptor.DEPTH * WarpgroupMultiply.MAX_COLUMNS];
    final float[] wideSums = new float[WarpgroupMultiply.MAX_COLUMNS];
}
