package org.gatun.cuda.kernels;

import java.util.Optional;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.KernelArguments;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `matmul.cu`, `matmul_quantized.cu`, `matmul_float4.cu`, `matmul_sparse.cu` and `matmul_groups.cu`: products of
/// matrices. A row has the same bits by every tile and beside any other rows.
public final class MatmulKernels {
    /// Weight rows that follow each other from the gate, and then from up, in the weight of [#swiglu].
    public static final int SWIGLU_ROWS = 8;

    private static final int PADDING = 8;
    private static final int F32_THREADS = 256;

    private MatmulKernels() {}

    /// What a block computes: for how many rows it is meant.
    public enum Tile {
        /// Decoding.
        FEW(16, 32, 128, 6, 64, 128, 6),
        /// Decoding, with enough outputs for every multiprocessor: a quarter of the blocks read the same rows.
        WIDE(16, 128, 64, 4, 256, 128, 4),
        /// Trees.
        SOME(64, 64, 64, 4, 128, 64, 4),
        /// Prompts.
        MANY(128, 128, 32, 4, 256, 64, 3);

        private final int rows;
        private final int outputs;
        private final int inputs;
        private final int stages;
        private final int threads;
        private final int quantizedInputs;
        private final int quantizedStages;

        Tile(int rows, int outputs, int inputs, int stages, int threads, int quantizedInputs, int quantizedStages) {
            this.rows = rows;
            this.outputs = outputs;
            this.inputs = inputs;
            this.stages = stages;
            this.threads = threads;
            this.quantizedInputs = quantizedInputs;
            this.quantizedStages = quantizedStages;
        }

        /// The one for passes of at most so many rows.
        ///
        /// @param weightRows of the weight, both of the gate and of up
        public static Tile of(int rows, int weightRows, int multiprocessors) {
            return rows > SOME.rows ? MANY : rows > FEW.rows ? SOME : weightRows / WIDE.outputs >= multiprocessors ? WIDE : FEW;
        }

        /// The one of which there is a kernel for a type.
        private Tile of(WeightType type) {
            return type != WeightType.F32 ? this : switch (this) {
                case FEW, WIDE -> FEW;
                case SOME, MANY -> SOME;
            };
        }

        /// Name of the kernel of a family that computes such tiles, as `matmul_bf16_16x32`.
        public String kernel(String family, WeightType type) {
            return family + "_" + type + "_" + of(type).rows + "x" + of(type).outputs;
        }

        private int sharedBytes(WeightType type) {
            if (type.hasUnits()) {
                int ring = this == MANY && type.hasTable() ? quantizedStages - 1 : quantizedStages;
                return ring * (rows * (quantizedInputs + PADDING) * Short.BYTES
                        + outputs / WeightType.UNIT_OUTPUTS * (quantizedInputs / WeightType.UNIT_INPUTS) * type.unitBytes());
            }
            return stages * (rows + outputs) * (inputs > 32 ? inputs + PADDING : inputs) * Short.BYTES;
        }
    }

    /// `out[r, n] = Σ_k in[r, k] · weight[n, k] (+ bias[n])`.
    ///
    /// @param type of `weight`
    /// @param out `[rows, outputs] f32`
    /// @param in `[rows, inputs]`, in the type's [WeightType#activations]
    /// @param weight `[outputs, inputs]`
    /// @param bias `[outputs] f32`
    /// @param inputs a multiple of 8; any number for f32
    /// @throws IllegalArgumentException if an operand is too small, or the inputs are not a multiple of 8
    public static KernelLaunch matmul(KernelLibrary library, Tile tile, WeightType type, DeviceSlice out, DeviceSlice in,
            DeviceSlice weight, Optional<DeviceSlice> bias, Rows rows, int outputs, int inputs) {
        Tile chosen = tile.of(type);
        CudaFunction kernel = library.kernel(tile.kernel("matmul", type));
        KernelLaunch.check(kernel, "out", out, Float.BYTES, rows.most(), outputs);
        KernelLaunch.check(kernel, "in", in, type.activations().byteSize(), rows.most(), inputs);
        KernelLaunch.check(kernel, "weight", weight, 1, type.byteSize(outputs, inputs));
        bias.ifPresent(operand -> KernelLaunch.check(kernel, "bias", operand, Float.BYTES, outputs));
        KernelArguments arguments = kernel.arguments().set(0, out).set(1, in).set(2, weight)
                .set(4, rows.count()).set(5, outputs).set(6, inputs);
        bias.ifPresentOrElse(operand -> arguments.set(3, operand), () -> arguments.setNull(3));
        if (type == WeightType.F32) {
            return new KernelLaunch(kernel, LaunchConfiguration.of(Math.ceilDiv(rows.most(), chosen.rows),
                    Math.ceilDiv(outputs, chosen.outputs), F32_THREADS), arguments);
        }
        return new KernelLaunch(kernel, tensorCores(kernel, chosen, type, rows, outputs, inputs), arguments);
    }

    /// The gate and up projections and what follows: `out = g · σ(g) · u`, `g` and `u` the products with the gate's and up's rows.
    ///
    /// @param type of `weight`, not f32
    /// @param out `[rows, outputs]`, in the type's [WeightType#activations]
    /// @param in `[rows, inputs]`, likewise
    /// @param weight `[2 outputs, inputs]`, by turns [#SWIGLU_ROWS] rows of the gate and the same of up
    /// @param outputs a multiple of [#SWIGLU_ROWS]
    /// @param inputs a multiple of 8
    /// @throws IllegalArgumentException if an operand is too small, or a number no multiple of 8
    public static KernelLaunch swiglu(KernelLibrary library, Tile tile, WeightType type, DeviceSlice out, DeviceSlice in,
            DeviceSlice weight, Rows rows, int outputs, int inputs) {
        CudaFunction kernel = library.kernel(tile.kernel("matmul_swiglu", type));
        KernelLaunch.check(kernel, "out", out, type.activations().byteSize(), rows.most(), outputs);
        KernelLaunch.check(kernel, "in", in, type.activations().byteSize(), rows.most(), inputs);
        KernelLaunch.check(kernel, "weight", weight, 1, type.byteSize(2L * outputs, inputs));
        if (outputs % SWIGLU_ROWS != 0) {
            throw new IllegalArgumentException("outputs of " + kernel + ": found " + outputs + ", expected a multiple of 8");
        }
        return new KernelLaunch(kernel, tensorCores(kernel, tile, type, rows, 2 * outputs, inputs), kernel.arguments()
                .set(0, out).set(1, in).set(2, weight).set(3, rows.count()).set(4, outputs).set(5, inputs));
    }

    private static LaunchConfiguration tensorCores(CudaFunction kernel, Tile tile, WeightType type, Rows rows, int weightRows, int inputs) {
        if (inputs % 8 != 0) {
            throw new IllegalArgumentException("inputs of " + kernel + ": found " + inputs + ", expected a multiple of 8");
        }
        kernel.allowDynamicSharedBytes(tile.sharedBytes(type));
        return LaunchConfiguration.of(Math.ceilDiv(rows.most(), tile.rows), Math.ceilDiv(weightRows, tile.outputs), tile.threads)
                .withDynamicSharedBytes(tile.sharedBytes(type));
    }
}
