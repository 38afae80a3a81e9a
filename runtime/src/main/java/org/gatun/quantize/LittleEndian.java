package org.gatun.quantize;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Little-endian numbers at any address, and scales as f16 holds them.
final class LittleEndian {
    static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private LittleEndian() {}

    static float half(MemorySegment source, long offset) {
        return Float.float16ToFloat(source.get(SHORT, offset));
    }

    /// Stores a finite number as f16.
    ///
    /// @throws IllegalArgumentException if it is too large
    static void putHalf(MemorySegment target, long offset, float value) {
        short half = Float.floatToFloat16(value);
        if (!Float.isFinite(Float.float16ToFloat(half))) {
            throw new IllegalArgumentException(
                    "an element or scale is " + value + ", beyond the range of f16: expected at most 65504");
        }
        target.set(SHORT, offset, half);
    }

    static int unsignedByte(MemorySegment source, long offset) {
        return Byte.toUnsignedInt(source.get(ValueLayout.JAVA_BYTE, offset));
    }

    static void putByte(MemorySegment target, long offset, int value) {
        target.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
    }

    /// 1/d; 0 for a scale so small that f32 cannot hold its inverse, and f16 not the scale.
    static float inverse(float d) {
        float inverse = 1 / d;
        return Float.isFinite(inverse) ? inverse : 0;
    }
}
