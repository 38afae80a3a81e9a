package org.gatun.quantize;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.gatun.tensor.DType;

/// Turns the stored elements of one [DType] into floats and back: the definition of what the bytes mean, written to be
/// read. Stateless, shared by threads.
///
/// Layouts and roundings are those of GGUF (ggml-org/ggml): the same floats come out, bit for bit, and the same bytes.
/// Arithmetic is `float`, in the order written. Segments may be unaligned; bytes are little-endian.
public sealed interface Codec permits PlainCodec, BlockCodec, SuperBlockCodec {

    /// The codec of a type.
    ///
    /// @throws IllegalArgumentException if the type holds integers that stand for themselves
    static Codec of(DType dtype) {
        return switch (dtype) {
            case F64 -> PlainCodec.F64;
            case F32 -> PlainCodec.F32;
            case F16 -> PlainCodec.F16;
            case BF16 -> PlainCodec.BF16;
            case Q4_0 -> BlockCodec.Q4_0;
            case Q4_1 -> BlockCodec.Q4_1;
            case Q5_0 -> BlockCodec.Q5_0;
            case Q5_1 -> BlockCodec.Q5_1;
            case Q8_0 -> BlockCodec.Q8_0;
            case Q4_K -> SuperBlockCodec.Q4_K;
            case Q5_K -> SuperBlockCodec.Q5_K;
            case Q6_K -> SuperBlockCodec.Q6_K;
            case I64, I32, I16, I8, U8, BOOL -> throw new IllegalArgumentException(
                    "there is no codec for " + dtype + ": expected a floating-point or quantized type");
        };
    }

    /// The type that this codec reads and writes.
    DType dtype();

    /// Whether [#encode] is there for this type.
    boolean canEncode();

    /// Decodes one block of [DType#blockElements] elements; bounds are checked by the caller.
    ///
    /// @param offset byte offset of the block in `source`
    void decodeBlock(MemorySegment source, long offset, float[] target, int targetOffset);

    /// Encodes one block of finite elements; bounds are checked by the caller.
    ///
    /// @param offset byte offset of the block in `target`
    /// @throws IllegalArgumentException if an element is too large for the type
    void encodeBlock(float[] source, int sourceOffset, MemorySegment target, long offset);

    /// Decodes `elements` elements.
    ///
    /// @param byteOffset where the first block begins in `source`
    /// @param elements a multiple of the type's block
    /// @throws IllegalArgumentException if `elements` is no multiple of the block
    /// @throws IndexOutOfBoundsException if source or target are too short
    default void decode(MemorySegment source, long byteOffset, float[] target, int targetOffset, int elements) {
        Objects.checkFromIndexSize(byteOffset, dtype().byteSize(elements), source.byteSize());
        Objects.checkFromIndexSize(targetOffset, elements, target.length);
        long offset = byteOffset;
        for (int i = 0; i < elements; i += dtype().blockElements()) {
            decodeBlock(source, offset, target, targetOffset + i);
            offset += dtype().blockBytes();
        }
    }

    /// Encodes `elements` elements, each rounded as ggml does.
    ///
    /// @param byteOffset where the first block goes in `target`
    /// @param elements a multiple of the type's block
    /// @throws UnsupportedOperationException if the type cannot be encoded, see [#canEncode]
    /// @throws IllegalArgumentException if `elements` is no multiple of the block, or an element is NaN, infinite, or
    ///         too large for the type; the message gives its index
    /// @throws IndexOutOfBoundsException if source or target are too short
    default void encode(float[] source, int sourceOffset, MemorySegment target, long byteOffset, int elements) {
        if (!canEncode()) {
            throw new UnsupportedOperationException("encoding " + dtype() + " is not supported");
        }
        Objects.checkFromIndexSize(byteOffset, dtype().byteSize(elements), target.byteSize());
        Objects.checkFromIndexSize(sourceOffset, elements, source.length);
        for (int i = sourceOffset; i < sourceOffset + elements; i++) {
            if (!Float.isFinite(source[i])) {
                throw new IllegalArgumentException(
                        "element " + i + " is " + source[i] + ": expected a finite number to encode as " + dtype());
            }
        }
        long offset = byteOffset;
        for (int i = 0; i < elements; i += dtype().blockElements()) {
            encodeBlock(source, sourceOffset + i, target, offset);
            offset += dtype().blockBytes();
        }
    }
}
