package org.gatun.quantize;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.gatun.tensor.DType;

/// Little-endian numbers at any address.
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
    /// @param dtype what is being encoded, for the message
    /// @throws IllegalArgumentException if it is too large
    static void putHalf(MemorySegment target, long offset, float value, DType dtype) {
        short half = Float.floatToFloat16(value);
        if (!Float.isFinite(Float.float16ToFloat(half))) {
            throw new IllegalArgumentException(value + " is beyond the range of f16 (65504): it cannot be encoded as "
                    + dtype + " or as its scale");
        }
        target.set(SHORT, offset, half);
    }

    static int unsignedByte(MemorySegment source, long offset) {
        return Byte.toUnsignedInt(source.get(ValueLayout.JAVA_BYTE, offset));
    }

    static void putByte(MemorySegment target, long offset, int value) {
        target.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
    }
}
