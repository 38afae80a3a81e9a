package org.gatun.quantize;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// `INT8`: a signed byte from -127 to 127 an element, in units of the scale of the row, with which [Codec] deals. Encoding rounds to
/// nearest, ties to even.
record SignedLayout() implements Layout {
    static final int LARGEST = 127;

    @Override
    public void decode(MemorySegment source, long offset, float[] target, int targetOffset) {
        target[targetOffset] = source.get(ValueLayout.JAVA_BYTE, offset);
    }

    @Override
    public void encode(float[] source, int sourceOffset, MemorySegment target, long offset) {
        LittleEndian.putByte(target, offset, Math.clamp((int) Math.rint(source[sourceOffset]), -LARGEST, LARGEST));
    }
}
