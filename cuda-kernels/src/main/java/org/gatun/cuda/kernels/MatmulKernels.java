package org.gatun.cuda.kernels;

import java.util.Optional;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `matmul.cu`: products of bf16 matrices.
public final class MatmulKernels {
    private static final int TILE_OUTPUTS = 128;
    private static final int STAGES = 4;
    private static final int STAGE_ROW_BYTES = 64;

    private MatmulKernels() {}

    /// How many rows a block computes. The result has the same bits with either.
    public enum Tile {
        /// A few rows, as in decoding.
        ROWS_16(16, 128),
        /// Many rows, as in a prompt.
        ROWS_128(128, 256);

        private final int rows;
        private final int threads;

        Tile(int rows, int threads) {
            this.rows = rows;
            this.threads = threads;
        }

        /// The one that is meant for a number of rows.
        public static Tile of(int rows) {
            return rows <= 64 ? ROWS_16 : ROWS_128;
        }
    }

    /// `out[r, n] = Σ_k in[r, k] · weight[n, k] (+ bias[n])`.
    ///
    /// @param outType of `out`
    /// @param out `[rows, outputs]`
    /// @param in `[rows, inputs] bf16`
    /// @param weight `[outputs, inputs] bf16`
    /// @param bias `[outputs] f32`
    /// @param inputs a multiple of 8
    /// @throws IllegalArgumentException if a buffer is too small, or the inputs are not a multiple of 8
    public static KernelLaunch bf16(KernelLibrary library, Tile tile, ElementType outType, DeviceBuffer out, DeviceBuffer in,
            DeviceBuffer weight, Optional<DeviceBuffer> bias, int rows, int outputs, int inputs) {
        CudaFunction kernel = library.kernel("matmul_bf16_" + tile.rows + "x" + TILE_OUTPUTS + "_" + outType);
        KernelLaunch.check(kernel, "out", out, outType.byteSize(), rows, outputs);
        KernelLaunch.check(kernel, "in", in, ElementType.BF16.byteSize(), rows, inputs);
        KernelLaunch.check(kernel, "weight", weight, ElementType.BF16.byteSize(), outputs, inputs);
        bias.ifPresent(buffer -> KernelLaunch.check(kernel, "bias", buffer, Float.BYTES, outputs));
        if (inputs % 8 != 0) {
            throw new IllegalArgumentException("inputs of " + kernel + ": found " + inputs + ", expected a multiple of 8");
        }
        int sharedBytes = STAGES * STAGE_ROW_BYTES * (tile.rows + TILE_OUTPUTS);
        if (sharedBytes > 48 * 1024) {
            kernel.allowDynamicSharedBytes(sharedBytes);
        }
        var arguments = kernel.arguments().set(0, out).set(1, in).set(2, weight)
                .set(4, rows).set(5, outputs).set(6, inputs);
        bias.ifPresentOrElse(buffer -> arguments.set(3, buffer), () -> arguments.set(3, 0L));
        return new KernelLaunch(kernel,
                LaunchConfiguration.of(Math.ceilDiv(rows, tile.rows), Math.ceilDiv(outputs, TILE_OUTPUTS), tile.threads)
                        .withDynamicSharedBytes(sharedBytes), arguments);
    }
}
