package org.gatun.cuda.kernels;

import java.util.List;
import java.util.Optional;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.KernelArguments;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `quantize.cu`, `norm_s8.cu` and `matmul_s8.cu`: activations in 8 bits, and products of these with weights of INT8. A row
/// has the same bits by every tile and beside any other rows.
public final class Int8Kernels {
    /// Most inputs of a product: sums of int8 products are within 32 bits.
    public static final int MAX_INPUTS = 1 << 17;

    /// The tiles that products have kernels for; others take the one of these that is alike.
    public static final List<MatmulKernels.Tile> TILES = List.of(MatmulKernels.Tile.FEW, MatmulKernels.Tile.WIDE,
            MatmulKernels.Tile.SOME, MatmulKernels.Tile.MANY);

    private static final int QUANTIZE_THREADS = 256;
    private static final int STAGE_INPUTS = 128;
    private static final int PADDING = 16; // bytes behind the codes of a row of a stage

    private Int8Kernels() {}

    /// What a block of a tile has and needs.
    private record Launch(int rows, int outputs, int threads, int stages) {
        private static Launch of(MatmulKernels.Tile tile) {
            return switch (tile) {
                case FEW, FEW_IN_CLUSTERS -> new Launch(16, 32, 64, 6);
                case WIDE, WIDE_IN_CLUSTERS -> new Launch(16, 128, 256, 4);
                case SOME -> new Launch(64, 64, 128, 4);
                case MANY, GROUPED, GROUPED_WIDE -> new Launch(128, 128, 256, 2);
            };
        }

        private int sharedBytes() {
            return stages * (rows * (STAGE_INPUTS + PADDING)
                    + outputs / WeightType.TILE_OUTPUTS * (STAGE_INPUTS / WeightType.TILE_INPUTS) * WeightType.INT8.tileBytes());
        }
    }

    /// Name of the kernel of a family, `matmul` or `matmul_swiglu`, that computes such tiles.
    public static String kernel(String family, MatmulKernels.Tile tile) {
        return family + "_s8_" + Launch.of(tile).rows + "x" + Launch.of(tile).outputs;
    }

    /// Rounds rows to 8 bits.
    ///
    /// @param in `[rows, out.width] f32`
    /// @param threshold magnitude from which on elements are outliers; infinity where `out` keeps none
    /// @throws IllegalArgumentException if an operand is too small, or outliers are looked for and not kept
    public static KernelLaunch quantize(KernelLibrary library, QuantizedRows out, DeviceSlice in, Rows rows, float threshold) {
        CudaFunction kernel = library.kernel("quantize_rows_s8");
        KernelLaunch.check(kernel, "in", in, Float.BYTES, rows.max(), out.width());
        requireRoom(kernel, out, rows, threshold);
        KernelArguments arguments = setRows(kernel.arguments(), out).set("in", in).set("rows", rows.count())
                .set("width", out.width()).set("threshold", threshold);
        return new KernelLaunch(kernel, LaunchConfiguration.of(rows.max(), QUANTIZE_THREADS), arguments);
    }

    /// The norm of rows, rounded to 8 bits: [NormKernels#rms] and [#quantize] in one.
    ///
    /// @param in `[rows, out.width] f32`
    /// @param gain `[out.width] f32`
    /// @param threshold magnitude from which on elements are outliers; infinity where `out` keeps none
    /// @throws IllegalArgumentException if an operand is too small, or outliers are looked for and not kept
    public static KernelLaunch norm(KernelLibrary library, QuantizedRows out, DeviceSlice in, DeviceSlice gain, Rows rows, float epsilon,
            float threshold) {
        CudaFunction kernel = library.kernel("norm_rms_s8");
        KernelLaunch.check(kernel, "in", in, Float.BYTES, rows.max(), out.width());
        KernelLaunch.check(kernel, "gain", gain, Float.BYTES, out.width());
        requireRoom(kernel, out, rows, threshold);
        return new KernelLaunch(kernel, normConfiguration(rows, out), normArguments(kernel, out, in, gain, rows, epsilon, threshold)
                .setNull("sum").setNull("residual"));
    }

    /// First `sum = in + residual`, then the norm of `sum`, rounded to 8 bits.
    ///
    /// @param sum `[rows, out.width] f32`; may be `residual` or `in`
    /// @param in `[rows, out.width] f32`
    /// @param residual `[rows, out.width] f32`
    /// @param gain `[out.width] f32`
    /// @param threshold magnitude from which on elements are outliers; infinity where `out` keeps none
    /// @throws IllegalArgumentException if an operand is too small, or outliers are looked for and not kept
    public static KernelLaunch normAdd(KernelLibrary library, QuantizedRows out, DeviceSlice sum, DeviceSlice in, DeviceSlice residual,
            DeviceSlice gain, Rows rows, float epsilon, float threshold) {
        CudaFunction kernel = library.kernel("norm_rms_add_s8");
        KernelLaunch.check(kernel, "sum", sum, Float.BYTES, rows.max(), out.width());
        KernelLaunch.check(kernel, "in", in, Float.BYTES, rows.max(), out.width());
        KernelLaunch.check(kernel, "residual", residual, Float.BYTES, rows.max(), out.width());
        KernelLaunch.check(kernel, "gain", gain, Float.BYTES, out.width());
        requireRoom(kernel, out, rows, threshold);
        return new KernelLaunch(kernel, normConfiguration(rows, out), normArguments(kernel, out, in, gain, rows, epsilon, threshold)
                .set("sum", sum).set("residual", residual));
    }

    private static KernelArguments normArguments(CudaFunction kernel, QuantizedRows out, DeviceSlice in, DeviceSlice gain, Rows rows,
            float epsilon, float threshold) {
        return setRows(kernel.arguments(), out).set("in", in).set("gain", gain).set("rows", rows.count()).set("width", out.width())
                .set("epsilon", epsilon).set("threshold", threshold);
    }

    private static LaunchConfiguration normConfiguration(Rows rows, QuantizedRows out) {
        return LaunchConfiguration.of(rows.max(), KernelLaunch.threads(Math.ceilDiv(out.width(), 4), NormKernels.MAX_THREADS));
    }

    /// `out[r, n] = Σ_k in[r, k] · weight[n, k] (+ bias[n])`.
    ///
    /// @param out `[rows, outputs] f32`
    /// @param weight `[outputs, in.width]` in weight tiles of [WeightType#INT8]
    /// @param bias `[outputs] f32`
    /// @throws IllegalArgumentException if an operand is too small, or there are too many inputs
    public static KernelLaunch matmul(KernelLibrary library, MatmulKernels.Tile tile, DeviceSlice out, QuantizedRows in, DeviceSlice weight,
            Optional<DeviceSlice> bias, Rows rows, int outputs) {
        CudaFunction kernel = library.kernel(kernel("matmul", tile));
        bias.ifPresent(operand -> KernelLaunch.check(kernel, "bias", operand, Float.BYTES, outputs));
        KernelArguments arguments = product(kernel, out, in, weight, bias, rows, outputs, outputs);
        return new KernelLaunch(kernel, configuration(kernel, tile, rows, outputs), arguments);
    }

    /// The gate and up projections and what follows: `out = g · σ(g) · u`, `g` and `u` the products with the gate's and up's rows.
    ///
    /// @param out `[rows, outputs] f32`
    /// @param weight `[2 outputs, in.width]` in weight tiles of [WeightType#INT8], by turns one of the gate and one of up
    /// @param outputs a multiple of [MatmulKernels#SWIGLU_ROWS]
    /// @throws IllegalArgumentException if an operand is too small, or a number is not as it must be
    public static KernelLaunch swiglu(KernelLibrary library, MatmulKernels.Tile tile, DeviceSlice out, QuantizedRows in, DeviceSlice weight,
            Rows rows, int outputs) {
        CudaFunction kernel = library.kernel(kernel("matmul_swiglu", tile));
        if (outputs % MatmulKernels.SWIGLU_ROWS != 0) {
            throw new IllegalArgumentException("outputs of " + kernel + ": found " + outputs + ", expected a multiple of 8");
        }
        KernelArguments arguments = product(kernel, out, in, weight, Optional.empty(), rows, outputs, 2 * outputs);
        return new KernelLaunch(kernel, configuration(kernel, tile, rows, 2 * outputs), arguments);
    }

    private static KernelArguments product(CudaFunction kernel, DeviceSlice out, QuantizedRows in, DeviceSlice weight,
            Optional<DeviceSlice> bias, Rows rows, int outputs, int weightRows) {
        KernelLaunch.check(kernel, "out", out, Float.BYTES, rows.max(), outputs);
        KernelLaunch.check(kernel, "weight", weight, 1, WeightType.INT8.byteSize(weightRows, in.width()));
        requireRows(kernel, in, rows);
        if (in.width() > MAX_INPUTS) {
            throw new IllegalArgumentException("inputs of " + kernel + ": found " + in.width() + ", expected at most " + MAX_INPUTS);
        }
        return setRows(kernel.arguments(), in).set("out", out).set("weight", weight).set("bias", bias).set("rows", rows.count())
                .set("outputs", outputs).set("inputs", in.width());
    }

    private static void requireRoom(CudaFunction kernel, QuantizedRows out, Rows rows, float threshold) {
        requireRows(kernel, out, rows);
        if (Float.isFinite(threshold) && !out.apart()) {
            throw new IllegalArgumentException("outliers of " + kernel + ": found a threshold of " + threshold + " and no room for them");
        }
    }

    private static void requireRows(CudaFunction kernel, QuantizedRows quantized, Rows rows) {
        if (quantized.max() < rows.max()) {
            throw new IllegalArgumentException("rows of " + kernel + ": found room for " + quantized.max() + ", expected " + rows.max());
        }
    }

    private static KernelArguments setRows(KernelArguments arguments, QuantizedRows quantized) {
        return arguments.set("codes", quantized.codes()).set("scales", quantized.scales())
                .set("counts", quantized.outliers().map(QuantizedRows.Outliers::counts))
                .set("places", quantized.outliers().map(QuantizedRows.Outliers::places))
                .set("outliers", quantized.outliers().map(QuantizedRows.Outliers::values));
    }

    private static LaunchConfiguration configuration(CudaFunction kernel, MatmulKernels.Tile tile, Rows rows, int weightRows) {
        Launch launch = Launch.of(tile);
        kernel.allowDynamicSharedBytes(launch.sharedBytes());
        return LaunchConfiguration.of(Math.ceilDiv(rows.max(), launch.rows), Math.ceilDiv(weightRows, launch.outputs), launch.threads)
                .withDynamicSharedBytes(launch.sharedBytes());
    }
}
