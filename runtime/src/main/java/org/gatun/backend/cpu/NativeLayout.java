package org.gatun.backend.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.StructLayout;
import java.util.Optional;
import org.gatun.tensor.DType;
import org.gatun.tensor.DType.Block;
import org.gatun.tensor.DType.Plain;
import org.gatun.tensor.DType.Sparse;

/// The structs and constants of `native/gatun.h`; the library's own sizes are compared when it is loaded.
final class NativeLayout {
    /// Operands are those of the command's [Operation], see [Command].
    static final StructLayout COMMAND = MemoryLayout.structLayout(
            JAVA_INT.withName("op"), JAVA_INT.withName("flags"), MemoryLayout.sequenceLayout(6, JAVA_LONG).withName("operands"));

    static final StructLayout SEGMENT = MemoryLayout.structLayout(
            ADDRESS.withName("positions"), ADDRESS.withName("mask_words"), ADDRESS.withName("kv"), ADDRESS.withName("pages"),
            ADDRESS.withName("ranges"), JAVA_INT.withName("range_count"), JAVA_INT.withName("mask_stride"), JAVA_INT.withName("committed"),
            JAVA_INT.withName("first_slot"), JAVA_INT.withName("visible_slots"), JAVA_INT.withName("first"), JAVA_INT.withName("rows"),
            JAVA_INT.withName("row"));

    static final StructLayout BATCH = MemoryLayout.structLayout(
            ADDRESS.withName("tokens"), ADDRESS.withName("positions"), ADDRESS.withName("selected"), ADDRESS.withName("segment_of"),
            ADDRESS.withName("segments"), JAVA_INT.withName("rows"), JAVA_INT.withName("selected_rows"));

    static final StructLayout KV = MemoryLayout.structLayout(
            ADDRESS.withName("pages"), ADDRESS.withName("layers"), JAVA_LONG.withName("page_bytes"), JAVA_INT.withName("type"),
            JAVA_INT.withName("layer_count"));

    static final StructLayout KV_LAYER = MemoryLayout.structLayout(
            JAVA_LONG.withName("offset"), JAVA_INT.withName("kv_heads"), JAVA_INT.withName("head_dim"));

    /// `enum gatun_op`, in its order.
    enum Operation {
        EMBED, RMS_NORM, QUANTIZE, QUANTIZE_ROWS, MATMUL, ROPE_TABLE, ROPE, APPEND_KV, ATTENTION, ELEMENTWISE, SELECT_ROWS
    }

    /// Wait for all threads before the command.
    static final int SYNC = 1;
    /// The command works on the selected rows.
    static final int SELECTED = 2;
    /// Outputs of a matrix that lie side by side.
    static final int LANES = 16;
    /// Activations that share a scale when rounded to 8 bits.
    private static final long ROUNDED_BLOCK = 32;
    /// Bytes that kernels may read behind a buffer.
    static final int PADDING = 64;

    private NativeLayout() {}

    /// Whether products with weights of a type take activations rounded to 8 bits.
    static boolean roundsActivations(DType weights) {
        return weights.isQuantized() && weights != DType.NVFP4
                && !(weights instanceof Sparse sparse && sparse.valueType() == DType.F16);
    }

    /// `gatun_quantized_bytes`.
    static long roundedBytes(long rows, long width) {
        return rows * Math.ceilDiv(width, ROUNDED_BLOCK) * (ROUNDED_BLOCK + 12);
    }

    /// `gatun_int8_rows_bytes`.
    static long codedBytes(long rows, long width, boolean outliers) {
        return rows * (Math.ceilDiv(width, ROUNDED_BLOCK) * (ROUNDED_BLOCK + 4) + 8 + (outliers ? 8 * width : 0));
    }

    static long offset(StructLayout layout, String field) {
        return layout.byteOffset(PathElement.groupElement(field));
    }

    /// `enum gatun_type`.
    ///
    /// @throws IllegalArgumentException if the kernels have no such type
    static int type(DType dtype) {
        unsupportedReason(dtype).ifPresent(reason -> {
            throw new IllegalArgumentException(reason);
        });
        return number(dtype);
    }

    /// Why the kernels have no weights of a type; empty if they have.
    static Optional<String> unsupportedReason(DType dtype) {
        return number(dtype) >= 0 ? Optional.empty() : Optional.of("weights of " + dtype + " are not supported on the cpu backend");
    }

    /// -1 for a type that the kernels do not have.
    private static int number(DType dtype) {
        return switch (dtype) {
            case Plain.F32 -> 0;
            case Plain.F16 -> 1;
            case Plain.BF16, Block.NVFP4 -> 2; // which Weights makes of it
            case Block.Q4_0 -> 3;
            case Block.Q4_1 -> 4;
            case Block.Q5_0 -> 5;
            case Block.Q5_1 -> 6;
            case Block.Q8_0 -> 7;
            case Block.Q4_K -> 8;
            case Block.Q5_K -> 9;
            case Block.Q6_K -> 10;
            case Block.NF4 -> 11;
            case Block.FP4 -> 12;
            case Block.INT8 -> 13;
            case Sparse.SPARSE_2_4_F16 -> 14;
            case Sparse.SPARSE_2_4_INT8 -> 15;
            case Sparse.SPARSE_2_4_NF4 -> 16;
            case Sparse.SPARSE_1_4_F16 -> 17;
            case Sparse.SPARSE_2_8_F16 -> 18;
            case Sparse.SPARSE_4_8_F16 -> 19;
            case Sparse.SPARSE_1_16_F16 -> 20;
            case Sparse.SPARSE_2_16_F16 -> 21;
            case Block.MXFP4 -> 22;
            case Plain.F64, Plain.I64, Plain.I32, Plain.I16, Plain.I8, Plain.U8, Plain.BOOL, Plain.F8_E4M3, Block.NVFP4_BLOCKS -> -1;
        };
    }
}
