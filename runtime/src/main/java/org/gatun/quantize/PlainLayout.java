package org.gatun.quantize;

import static org.gatun.quantize.LittleEndian.DOUBLE;
import static org.gatun.quantize.LittleEndian.FLOAT;
import static org.gatun.quantize.LittleEndian.SHORT;
import static org.gatun.quantize.LittleEndian.half;
import static org.gatun.quantize.LittleEndian.putByte;
import static org.gatun.quantize.LittleEndian.putHalf;
import static org.gatun.quantize.LittleEndian.unsignedByte;

import java.lang.foreign.MemorySegment;

/// Floating-point types, one element a block. Narrowing rounds to nearest, ties to even.
enum PlainLayout implements Layout {
    F64 {
        @Override
        public void decode(MemorySegment source, long offset, float[] target, int targetOffset) {
            target[targetOffset] = (float) source.get(DOUBLE, offset);
        }

        @Override
        public void encode(float[] source, int sourceOffset, MemorySegment target, long offset) {
            target.set(DOUBLE, offset, source[sourceOffset]);
        }
    },
    F32 {
        @Override
        public void decode(MemorySegment source, long offset, float[] target, int targetOffset) {
            target[targetOffset] = source.get(FLOAT, offset);
        }

        @Override
        public void encode(float[] source, int sourceOffset, MemorySegment target, long offset) {
            target.set(FLOAT, offset, source[sourceOffset]);
        }
    },
    F16 {
        @Override
        public void decode(MemorySegment source, long offset, float[] target, int targetOffset) {
            target[targetOffset] = half(source, offset);
        }

        @Override
        public void encode(float[] source, int sourceOffset, MemorySegment target, long offset) {
            putHalf(target, offset, source[sourceOffset]);
        }
    },
    /// The upper half of an f32.
    BF16 {
        @Override
        public void decode(MemorySegment source, long offset, float[] target, int targetOffset) {
            target[targetOffset] = Float.intBitsToFloat(source.get(SHORT, offset) << 16);
        }

        @Override
        public void encode(float[] source, int sourceOffset, MemorySegment target, long offset) {
            int bits = Float.floatToRawIntBits(source[sourceOffset]);
            int upper = bits + 0x7fff + (bits >>> 16 & 1) >>> 16;
            if ((upper & 0x7fff) == 0x7f80) {
                throw new IllegalArgumentException(
                        "an element is " + source[sourceOffset] + ", beyond the range of bf16");
            }
            target.set(SHORT, offset, (short) upper);
        }
    },
    /// Encoding saturates.
    F8_E4M3 {
        @Override
        public void decode(MemorySegment source, long offset, float[] target, int targetOffset) {
            target[targetOffset] = EightBitFloat.decode(unsignedByte(source, offset));
        }

        @Override
        public void encode(float[] source, int sourceOffset, MemorySegment target, long offset) {
            putByte(target, offset, EightBitFloat.encode(source[sourceOffset]));
        }
    }
}
