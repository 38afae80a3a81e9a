package org.gatun.quantize;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.Optional;
import org.gatun.tensor.DType;

/// Turns the stored elements of one [DType] into floats and back: the definition of what the bytes mean, written to be
/// read. Immutable, shared by threads.
///
/// Layouts and roundings of its types are those of GGUF (ggml-org/ggml): the same floats come out, bit for bit, and the same bytes.
/// Arithmetic is `float`, in the order written. Segments may be unaligned; bytes are little-endian.
public final class Codec {
    private final DType dtype;
    private final Layout layout;

    private Codec(DType dtype, Layout layout) {
        this.dtype = dtype;
        this.layout = layout;
    }

    /// The codec of a type.
    ///
    /// @throws IllegalArgumentException if the type holds integers that stand for themselves
    public static Codec of(DType dtype) {
        return new Codec(dtype, switch (dtype) {
            case F64 -> PlainLayout.F64;
            case F32 -> PlainLayout.F32;
            case F16 -> PlainLayout.F16;
            case BF16 -> PlainLayout.BF16;
            case Q4_0 -> new NibbleLayout(NibbleLayout.Bits.FOUR, NibbleLayout.Origin.MIDDLE);
            case Q4_1 -> new NibbleLayout(NibbleLayout.Bits.FOUR, NibbleLayout.Origin.MINIMUM);
            case Q5_0 -> new NibbleLayout(NibbleLayout.Bits.FIVE, NibbleLayout.Origin.MIDDLE);
            case Q5_1 -> new NibbleLayout(NibbleLayout.Bits.FIVE, NibbleLayout.Origin.MINIMUM);
            case Q8_0 -> new ByteLayout();
            case Q4_K -> SuperBlockLayout.Q4_K;
            case Q5_K -> SuperBlockLayout.Q5_K;
            case Q6_K -> SuperBlockLayout.Q6_K;
            case NF4 -> CodebookLayout.NF4;
            case FP4 -> CodebookLayout.FP4;
            case INT8 -> new SignedLayout();
            case SPARSE_2_4_F16, SPARSE_2_4_INT8, SPARSE_2_4_NF4, SPARSE_1_4_F16, SPARSE_2_8_F16, SPARSE_4_8_F16, SPARSE_1_16_F16,
                    SPARSE_2_16_F16 -> new SparseLayout(dtype.sparsity().orElseThrow());
            case I64, I32, I16, I8, U8, BOOL -> throw new IllegalArgumentException(
                    "there is no codec for " + dtype + ": expected a floating-point or quantized type");
        });
    }

    /// The type that this codec reads and writes.
    public DType dtype() {
        return dtype;
    }

    /// Whether [#encode] is there for this type: not yet for the types of 256 elements.
    public boolean canEncode() {
        return !(layout instanceof SuperBlockLayout);
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

    /// What is wrong with a row, whatever its numbers are: the scale in its header, or places of elements that do not rise.
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
            if (!layout.isSound(source, offset)) {
                return Optional.of("elements " + i + " to " + (i + dtype.blockElements() - 1)
                        + " have places that do not rise: expected rising ones within a group");
            }
            offset += dtype.blockBytes();
        }
        return Optional.empty();
    }

    /// Encodes `elements` elements, each rounded as ggml does: whole rows, or one row of a type whose rows have a header.
    ///
    /// @param byteOffset where the first block goes in `target`
    /// @param elements a multiple of the type's block
    /// @throws UnsupportedOperationException if the type cannot be encoded, see [#canEncode]
    /// @throws IllegalArgumentException if `elements` is no multiple of the block, an element is NaN or infinite, in
    ///         which case the message has its index in `source`, or an element is too large for the type
    /// @throws IndexOutOfBoundsException if source or target are too short
    public void encode(float[] source, int sourceOffset, MemorySegment target, long byteOffset, int elements) {
        if (!canEncode()) {
            throw new UnsupportedOperationException("encoding " + dtype + " is not supported");
        }
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
    private static float[] scaled(float[] source, int sourceOffset, MemorySegment target, long byteOffset, int elements) {
        float largest = 0;
        for (int i = 0; i < elements; i++) {
            largest = Math.max(largest, Math.abs(source[sourceOffset + i]));
        }
        float scale = largest / SignedLayout.LARGEST;
        target.set(LittleEndian.FLOAT, byteOffset, scale);
        float[] units = new float[elements];
        for (int i = 0; i < elements && scale > 0; i++) {
            units[i] = source[sourceOffset + i] / scale;
        }
        return units;
    }
}
