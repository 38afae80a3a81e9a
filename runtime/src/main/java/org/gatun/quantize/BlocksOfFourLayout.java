package org.gatun.quantize;

import static org.gatun.quantize.LittleEndian.putByte;
import static org.gatun.quantize.LittleEndian.unsignedByte;

import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// `NVFP4_BLOCKS`, as GGUF has `NVFP4`: the scales of four blocks of 16 elements, then their codes.
record BlocksOfFourLayout() implements Layout {
    private static final int BLOCKS = 4;
    private static final int ELEMENTS = 16;
    private static final int CODES = ELEMENTS / 2;
    private static final int BYTES = 1 + CODES;

    @Override
    public void decode(MemorySegment source, long offset, float[] target, int targetOffset) {
        MemorySegment block = MemorySegment.ofArray(new byte[BYTES]);
        for (int i = 0; i < BLOCKS; i++) {
            putByte(block, 0, unsignedByte(source, offset + i));
            MemorySegment.copy(source, offset + BLOCKS + (long) i * CODES, block, 1, CODES);
            MicroscaledLayout.NVFP4.decode(block, 0, target, targetOffset + i * ELEMENTS);
        }
    }

    @Override
    public void encode(float[] source, int sourceOffset, MemorySegment target, long offset) {
        MemorySegment block = MemorySegment.ofArray(new byte[BYTES]);
        for (int i = 0; i < BLOCKS; i++) {
            MicroscaledLayout.NVFP4.encode(source, sourceOffset + i * ELEMENTS, block, 0);
            putByte(target, offset + i, unsignedByte(block, 0));
            MemorySegment.copy(block, 1, target, offset + BLOCKS + (long) i * CODES, CODES);
        }
    }

    @Override
    public Optional<String> damage(MemorySegment source, long offset) {
        for (int i = 0; i < BLOCKS; i++) {
            Optional<String> damage = MicroscaledLayout.damageOfScale(unsignedByte(source, offset + i));
            if (damage.isPresent()) {
                return damage;
            }
        }
        return Optional.empty();
    }
}
