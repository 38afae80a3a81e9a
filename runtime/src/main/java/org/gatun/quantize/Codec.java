package org.gatun.quantize;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.IntStream;
import org.gatun.tensor.DType;
import org.gatun.tensor.DType.Block;
import org.gatun.tensor.DType.Plain;
import org.gatun.tensor.DType.Sparse;
import org.gatun.tensor.Tensor;

/// Turns the stored elements of one [DType] into floats and back: the definition of what the bytes mean, written to be
/// read. Immutable, shared by threads.
///
/// Layouts and roundings of its types are those of GGUF (ggml-org/ggml): the same floats come out, bit for bit, and the same bytes.
/// Arithmetic is `float`, in the order written. Segments may be unaligned; bytes are little-endian.
public final class Codec {
    private final DType dtype;
    private final Layout layout;
    private final OptionalDouble tensorScale;

    private Codec(DType dtype, Layout layout, OptionalDouble tensorScale) {
        this.dtype = dtype;
        this.layout = layout;
        this.tensorScale = tensorScale;
    }

    /// The codec of a type. Where rows of a tensor have one scale, each row that it encodes has its own: see [#encoding].
    ///
    /// @throws IllegalArgumentException if the type holds integers that stand for themselves
    public static Codec of(DType dtype) {
        return new Codec(dtype, layout(dtype), OptionalDouble.empty());
    }

    /// The codec that encodes the rows of a tensor in a type: where they have one scale, that of the largest magnitude in the tensor.
    ///
    /// @throws IllegalArgumentException if one of the types holds integers that stand for themselves
    public static Codec encoding(DType dtype, Tensor tensor) {
        return dtype == DType.NVFP4 ? new Codec(dtype, layout(dtype), OptionalDouble.of(scale(dtype, largest(tensor)))) : of(dtype);
    }

    private static float largest(Tensor tensor) {
        int columns = tensor.columns();
        Codec codec = of(tensor.dtype());
        return (float) IntStream.range(0, tensor.rows()).parallel().mapToDouble(row -> {
            float[] elements = new float[columns];
            codec.decode(tensor.data(), row * tensor.dtype().rowBytes(columns), elements, 0, columns);
            return largest(elements, 0, columns);
        }).max().orElse(0);
    }

    private static float largest(float[] elements, int offset, int count) {
        float largest = 0;
        for (int i = offset; i < offset + count; i++) {
            largest = Math.max(largest, Math.abs(elements[i]));
        }
        return largest;
    }

    /// The scale with which a largest magnitude is the largest number of a type. That of NVFP4 is never 0, so that it has an inverse.
    private static float scale(DType dtype, float largest) {
        return dtype == DType.NVFP4 ? Math.max(largest / (MicroscaledLayout.LARGEST * EightBitFloat.LARGEST), Float.MIN_NORMAL)
                : largest / SignedLayout.LARGEST;
    }

    private static Layout layout(DType dtype) {
        return switch (dtype) {
            case Plain.F64 -> PlainLayout.F64;
            case Plain.F32 -> PlainLayout.F32;
            case Plain.F16 -> PlainLayout.F16;
            case Plain.BF16 -> PlainLayout.BF16;
            case Block.Q4_0 -> new NibbleLayout(NibbleLayout.Bits.FOUR, NibbleLayout.Origin.MIDDLE);
            case Block.Q4_1 -> new NibbleLayout(NibbleLayout.Bits.FOUR, NibbleLayout.Origin.MINIMUM);
            case Block.Q5_0 -> new NibbleLayout(NibbleLayout.Bits.FIVE, NibbleLayout.Origin.MIDDLE);
            case Block.Q5_1 -> new NibbleLayout(NibbleLayout.Bits.FIVE, NibbleLayout.Origin.MINIMUM);
            case Block.Q8_0 -> new ByteLayout();
            case Block.Q4_K -> SuperBlockLayout.Q4_K;
            case Block.Q5_K -> SuperBlockLayout.Q5_K;
            case Block.Q6_K -> SuperBlockLayout.Q6_K;
            case Block.NF4 -> CodebookLayout.NF4;
            case Block.FP4 -> CodebookLayout.FP4;
            case Block.MXFP4 -> MicroscaledLayout.MXFP4;
            case Block.NVFP4 -> MicroscaledLayout.NVFP4;
            case Block.NVFP4_BLOCKS -> new BlocksOfFourLayout();
            case Plain.F8_E4M3 -> PlainLayout.F8_E4M3;
            case Block.INT8 -> new SignedLayout();
            case Sparse sparse -> new SparseLayout(sparse);
            case Plain.I64, Plain.I32, Plain.I16, Plain.I8, Plain.U8, Plain.BOOL -> throw new IllegalArgumentException(
                    "there is no codec for " + dtype + ": expected a floating-point or quantized type");
        };
    }

    /// The type that this codec reads and writes.
    public DType dtype() {
        return dtype;
    }

    /// Decodes `elements` elements: whole rows, or one row of a type whose rows have a header.
    ///
    /// @param byteOffset where the first block begins in `source`
    /// @param elements a multiple of the type's block
    /// @throws IllegalArgumentException if `elements` is no multiple of the block
    /// @throws IndexOutOfBoundsException if source or target are too short
    public void decode(MemorySegment source, long byteOffset, float[] target, int targetOffset, int elements) {
        Objects.checkFromIndexSize(byteOffset, dtype.rowBytes(elements), source.byteSize());
        Objects.checkFromIndexSize(targetOffset, elements, target.length);
        long offset = byteOffset + dtype.headerBytes();
        for (int i = 0; i < elements; i += dtype.blockElements()) {
            layout.decode(source, offset, target, targetOffset + i);
            offset += dtype.blockBytes();
        }
        if (dtype.headerBytes() > 0) {
            float scale = source.get(LittleEndian.FLOAT, byteOffset);
            for (int i = targetOffset; i < targetOffset + elements; i++) {
                target[i] *= scale;
            }
        }
    }

    /// What is wrong with a row, whatever its numbers are: a scale that is no number, or places of elements that do not rise.
    ///
    /// @param byteOffset where it begins in `source`
    /// @param elements a multiple of the type's block
    /// @throws IllegalArgumentException if `elements` is no multiple of the block
    /// @throws IndexOutOfBoundsException if source is too short
    public Optional<String> damage(MemorySegment source, long byteOffset, int elements) {
        Objects.checkFromIndexSize(byteOffset, dtype.rowBytes(elements), source.byteSize());
        if (dtype.headerBytes() > 0) {
            float scale = source.get(LittleEndian.FLOAT, byteOffset);
            if (!(scale >= 0 && Float.isFinite(scale))) {
                return Optional.of("a scale of " + scale + ": expected a finite number, not negative");
            }
        }
        long offset = byteOffset + dtype.headerBytes();
        for (int i = 0; i < elements; i += dtype.blockElements()) {
            Optional<String> damage = layout.damage(source, offset);
            if (damage.isPresent()) {
                return Optional.of("elements " + i + " to " + (i + dtype.blockElements() - 1) + " " + damage.get());
            }
            offset += dtype.blockBytes();
        }
        return Optional.empty();
    }

    /// Encodes `elements` elements: whole rows, or one row of a type whose rows have a header. Each is rounded as ggml does, but in the
    /// types of 256 elements, for whose scales ggml searches.
    ///
    /// @param byteOffset where the first block goes in `target`
    /// @param elements a multiple of the type's block
    /// @throws IllegalArgumentException if `elements` is no multiple of the block, an element is NaN or infinite, in
    ///         which case the message has its index in `source`, or an element is too large for the type
    /// @throws IndexOutOfBoundsException if source or target are too short
    public void encode(float[] source, int sourceOffset, MemorySegment target, long byteOffset, int elements) {
        Objects.checkFromIndexSize(byteOffset, dtype.rowBytes(elements), target.byteSize());
        Objects.checkFromIndexSize(sourceOffset, elements, source.length);
        for (int i = sourceOffset; i < sourceOffset + elements; i++) {
            if (!Float.isFinite(source[i])) {
                throw new IllegalArgumentException(
                        "element " + i + " is " + source[i] + ": expected a finite number to encode as " + dtype);
            }
        }
        boolean scaled = dtype.headerBytes() > 0;
        float[] blocks = scaled ? scaled(source, sourceOffset, target, byteOffset, elements) : source;
        int start = scaled ? 0 : sourceOffset;
        long offset = byteOffset + dtype.headerBytes();
        for (int i = 0; i < elements; i += dtype.blockElements()) {
            layout.encode(blocks, start + i, target, offset);
            offset += dtype.blockBytes();
        }
    }

    /// Writes the header of a row, and returns the elements in units of its scale.
    private float[] scaled(float[] source, int sourceOffset, MemorySegment target, long byteOffset, int elements) {
        float scale = tensorScale.isPresent() ? (float) tensorScale.getAsDouble() : scale(dtype, largest(source, sourceOffset, elements));
        target.set(LittleEndian.FLOAT, byteOffset, scale);
        float[] units = new float[elements];
        for (int i = 0; i < elements && scale > 0; i++) {
            units[i] = source[sourceOffset + i] / scale;
        }
        return units;
    }
}
