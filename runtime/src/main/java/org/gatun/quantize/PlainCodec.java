package org.gatun.quantize;

import static org.gatun.quantize.LittleEndian.DOUBLE;
import static org.gatun.quantize.LittleEndian.FLOAT;
import static org.gatun.quantize.LittleEndian.SHORT;
import static org.gatun.quantize.LittleEndian.half;
import static org.gatun.quantize.LittleEndian.putHalf;

import java.lang.foreign.MemorySegment;
import org.gatun.tensor.DType;

/// Floating-point types, one element a block. Narrowing rounds to nearest, ties to even.
enum PlainCodec implements Codec {
    F64(DType.F64) {
        @Override
        public void decodeBlock(MemorySegment source, long offset, float[] target, int targetOffset) {
            target[targetOffset] = (float) source.get(DOUBLE, offset);
        }

        @Override
        public void encodeBlock(float[] source, int sourceOffset, MemorySegment target, long offset) {
            target.set(DOUBLE, offset, source[sourceOffset]);
        }
    },
    F32(DType.F32) {
        @Override
        public void decodeBlock(MemorySegment source, long offset, float[] target, int targetOffset) {
            target[targetOffset] = source.get(FLOAT, offset);
        }

        @Override
        public void encodeBlock(float[] source, int sourceOffset, MemorySegment target, long offset) {
            target.set(FLOAT, offset, source[sourceOffset]);
        }
    },
    F16(DType.F16) {
        @Override
        public void decodeBlock(MemorySegment source, long offset, float[] target, int targetOffset) {
            target[targetOffset] = half(source, offset);
        }

        @Override
        public void encodeBlock(float[] source, int sourceOffset, MemorySegment target, long offset) {
            putHalf(target, offset, source[sourceOffset], DType.F16);
        }
    },
    /// The upper half of an f32.
    BF16(DType.BF16) {
        @Override
        public void decodeBlock(MemorySegment source, long offset, float[] target, int targetOffset) {
            target[targetOffset] = Float.intBitsToFloat(source.get(SHORT, offset) << 16);
        }

        @Override
        public void encodeBlock(float[] source, int sourceOffset, MemorySegment target, long offset) {
            int bits = Float.floatToRawIntBits(source[sourceOffset]);
            int upper = bits + 0x7fff + (bits >>> 16 & 1) >>> 16;
            if ((upper & 0x7fff) == 0x7f80) {
                throw new IllegalArgumentException(
                        source[sourceOffset] + " is beyond the range of BF16: it cannot be encoded");
            }
            target.set(SHORT, offset, (short) upper);
        }
    };

    private final DType dtype;

    PlainCodec(DType dtype) {
        this.dtype = dtype;
    }

    @Override
    public DType dtype() {
        return dtype;
    }

    @Override
    public boolean canEncode() {
        return true;
    }
}
