package org.gatun.quantize;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// `Q8_0`: f16 scale `d`, 32 signed bytes `q`; the value is `d · q`. Encoding rounds halves away from zero.
record ByteLayout() implements Layout {
    private static final int ELEMENTS = 32;

    @Override
    public void decode(MemorySegment source, long offset, float[] target, int targetOffset) {
        float d = LittleEndian.half(source, offset);
        for (int j = 0; j < ELEMENTS; j++) {
            target[targetOffset + j] = source.get(ValueLayout.JAVA_BYTE, offset + 2 + j) * d;
        }
    }

    @Override
    public void encode(float[] source, int sourceOffset, MemorySegment target, long offset) {
        float largest = 0;
        for (int j = 0; j < ELEMENTS; j++) {
            largest = Math.max(largest, Math.abs(source[sourceOffset + j]));
        }
        float d = largest / 127;
        float inverse = LittleEndian.inverse(d);
        LittleEndian.putHalf(target, offset, d);
        for (int j = 0; j < ELEMENTS; j++) {
            float x = source[sourceOffset + j] * inverse;
            LittleEndian.putByte(target, offset + 2 + j, (int) (x + Math.copySign(0.5, x)));
        }
    }
}
