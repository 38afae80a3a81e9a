package org.gatun.cuda.kernels;

import java.util.Optional;
import org.gatun.cuda.CudaDevice;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.KernelArguments;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of the files `matmul*.cu`: products of matrices. A row has the same bits by every tile and beside any other rows; by those
/// of four warps where [TileComparison] says so.
public final class MatmulKernels {
    /// Weight rows that follow each other from the gate, and then from up, in the weight of [#swiglu].
    public static final int SWIGLU_ROWS = 8;

    private static final int PADDING = 8;
    private static final int F32_THREADS = 256;

    private MatmulKernels() {}

    /// What a block computes: for how many rows it is meant.
    public enum Tile {
        /// Decoding.
        FEW(16, 32, 128, 6, 64, 128, 6, 1),
        /// Decoding, with enough outputs for every multiprocessor: a quarter of the blocks read the same rows.
        WIDE(16, 128, 64, 4, 256, 128, 4, 1),
        /// As [#FEW], where eight blocks form a cluster that reads the rows once.
        FEW_IN_CLUSTERS(16, 32, 128, 6, 64, 128, 6, 8),
        /// As [#WIDE], likewise.
        WIDE_IN_CLUSTERS(16, 128, 64, 4, 256, 128, 4, 8),
        /// Trees.
        SOME(64, 64, 64, 4, 128, 64, 4, 1),
        /// Prompts.
        MANY(128, 128, 32, 4, 256, 64, 3, 1),
        /// Prompts on compute capability 9.0, whose tensor cores multiply for four warps at a time.
        GROUPED(128, 128, 64, 6, 384, 0, 0, 1),
        /// Likewise, with enough of them for every multiprocessor: half as many blocks read the same rows.
        GROUPED_WIDE(128, 256, 64, 4, 384, 0, 0, 1);

        /// Times ten: of devices whose copies reach all blocks of a cluster, and whose tensor cores multiply for four warps.
        private static final int CLUSTER_CAPABILITY = 90;

        private final int rows;
        private final int outputs;
        private final int inputs;
        private final int stages;
        private final int threads;
        private final int quantizedInputs;
        private final int quantizedStages;
        private final int cluster;

        Tile(int rows, int outputs, int inputs, int stages, int threads, int quantizedInputs, int quantizedStages, int cluster) {
            this.rows = rows;
            this.outputs = outputs;
            this.inputs = inputs;
            this.stages = stages;
            this.threads = threads;
            this.quantizedInputs = quantizedInputs;
            this.quantizedStages = quantizedStages;
            this.cluster = cluster;
        }

        /// The one for passes of at most so many rows.
        ///
        /// @param weightRows of the weight, both of the gate and of up
        public static Tile of(int rows, int weightRows, CudaDevice device) {
            if (rows > FEW.rows) {
                return rows > SOME.rows ? MANY : SOME;
            }
            boolean wide = weightRows / WIDE.outputs >= device.multiprocessors();
            Tile tile = wide ? WIDE_IN_CLUSTERS : FEW_IN_CLUSTERS;
            return tile.runsOn(device) ? tile : tile.alone();
        }

        /// The same without clusters.
        public Tile alone() {
            return this == FEW_IN_CLUSTERS ? FEW : this == WIDE_IN_CLUSTERS ? WIDE : this;
        }

        /// Whether a device can run it.
        public boolean runsOn(CudaDevice device) {
            return cluster == 1 && !isGrouped() || device.computeCapability() == CLUSTER_CAPABILITY;
        }

        /// The one of those of four warps for passes of at most so many rows.
        ///
        /// @param weightRows of the weight, both of the gate and of up
        public static Tile ofGroups(int rows, int weightRows, int multiprocessors) {
            return (long) Math.ceilDiv(rows, GROUPED_WIDE.rows) * (weightRows / GROUPED_WIDE.outputs) >= multiprocessors ? GROUPED_WIDE
                    : GROUPED;
        }

        /// The one of which there is a kernel for a type.
        private Tile of(WeightType type) {
            return switch (this) {
                case FEW, SOME -> this;
                case WIDE -> type == WeightType.F32 ? FEW : this;
                case FEW_IN_CLUSTERS, WIDE_IN_CLUSTERS -> switch (type) {
                    case F32 -> FEW;
                    case SPARSE_1_4, SPARSE_2_8, SPARSE_4_8, SPARSE_1_16, SPARSE_2_16 -> alone();
                    default -> this;
                };
                case MANY -> type == WeightType.F32 ? SOME : this;
                case GROUPED, GROUPED_WIDE -> switch (type) {
                    case F16, BF16 -> this;
                    case INT8, Q8_0, Q4_0, NF4, FP4 -> GROUPED;
                    default -> MANY.of(type);
                };
            };
        }

        private boolean isGrouped() {
            return this == GROUPED || this == GROUPED_WIDE;
        }

        /// Name of the kernel of a family that computes such tiles, as `matmul_bf16_16x32`.
        public String kernel(String family, WeightType type) {
            Tile tile = of(type);
            return family + "_" + type + "_" + tile.rows + "x" + tile.outputs
                    + (tile.cluster > 1 ? "_cluster" : tile.isGrouped() ? "w" : "");
        }

        /// Blocks for all outputs, whole clusters of them.
        private int blocks(int weightRows) {
            return Math.ceilDiv(Math.ceilDiv(weightRows, outputs), cluster) * cluster;
        }

        private int sharedBytes(WeightType type) {
            if (isGrouped()) {
                int weightBytes = type.isTiled() ? outputs / WeightType.TILE_OUTPUTS * type.tileBytes() : outputs * inputs * Short.BYTES;
                return stages * (rows * inputs * Short.BYTES + weightBytes + 2 * Long.BYTES); // and two barriers
            }
            if (type.isTiled()) {
                int ring = this == MANY && type.hasTable() ? quantizedStages - 1 : quantizedStages;
                return ring * (rows * (quantizedInputs + PADDING) * Short.BYTES
                        + outputs / WeightType.TILE_OUTPUTS * (quantizedInputs / WeightType.TILE_INPUTS) * type.tileBytes());
            }
            return stages * (rows + outputs) * (inputs > 32 ? inputs + PADDING : inputs) * Short.BYTES;
        }
    }

    /// Whether the device has the kernels of four warps for a type.
    public static boolean hasGroups(KernelLibrary library, WeightType type) {
        return Tile.GROUPED.of(type) == Tile.GROUPED && library.has(Tile.GROUPED.kernel("matmul", type));
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
        KernelLaunch.check(kernel, "out", out, Float.BYTES, rows.max(), outputs);
        KernelLaunch.check(kernel, "in", in, type.activations().byteSize(), rows.max(), inputs);
        KernelLaunch.check(kernel, "weight", weight, 1, type.byteSize(outputs, inputs));
        bias.ifPresent(operand -> KernelLaunch.check(kernel, "bias", operand, Float.BYTES, outputs));
        KernelArguments arguments = arguments(kernel, out, in, weight, bias, rows, outputs, inputs);
        if (type == WeightType.F32) {
            return new KernelLaunch(kernel, LaunchConfiguration.of(Math.ceilDiv(rows.max(), chosen.rows),
                    chosen.blocks(outputs), F32_THREADS), arguments);
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
        Tile chosen = tile.of(type);
        CudaFunction kernel = library.kernel(tile.kernel("matmul_swiglu", type));
        KernelLaunch.check(kernel, "out", out, type.activations().byteSize(), rows.max(), outputs);
        KernelLaunch.check(kernel, "in", in, type.activations().byteSize(), rows.max(), inputs);
        KernelLaunch.check(kernel, "weight", weight, 1, type.byteSize(2L * outputs, inputs));
        if (outputs % SWIGLU_ROWS != 0) {
            throw new IllegalArgumentException("outputs of " + kernel + ": found " + outputs + ", expected a multiple of 8");
        }
        return new KernelLaunch(kernel, tensorCores(kernel, chosen, type, rows, 2 * outputs, inputs),
                arguments(kernel, out, in, weight, Optional.empty(), rows, outputs, inputs));
    }

    private static KernelArguments arguments(CudaFunction kernel, DeviceSlice out, DeviceSlice in, DeviceSlice weight,
            Optional<DeviceSlice> bias, Rows rows, int outputs, int inputs) {
        return kernel.arguments().set("out", out).set("in", in).set("weight", weight).set("bias", bias).set("rows", rows.count())
                .set("outputs", outputs).set("inputs", inputs);
    }

    private static LaunchConfiguration tensorCores(CudaFunction kernel, Tile tile, WeightType type, Rows rows, int weightRows, int inputs) {
        if (inputs % 8 != 0) {
            throw new IllegalArgumentException("inputs of " + kernel + ": found " + inputs + ", expected a multiple of 8");
        }
        kernel.allowDynamicSharedBytes(tile.sharedBytes(type));
        return LaunchConfiguration.of(Math.ceilDiv(rows.max(), tile.rows), tile.blocks(weightRows), tile.threads)
                .withDynamicSharedBytes(tile.sharedBytes(type));
    }
}
