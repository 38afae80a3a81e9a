package org.gatun.quantize;

import static org.gatun.quantize.LittleEndian.FLOAT;
import static org.gatun.quantize.LittleEndian.putByte;
import static org.gatun.quantize.LittleEndian.unsignedByte;

import java.lang.foreign.MemorySegment;

/// `NF4` and `FP4` of bitsandbytes (Dettmers et al. 2023, arXiv 2305.14314): 64 codes of 4 bits, each an entry of a codebook of 16 values
/// from -1 to 1, times the largest magnitude of the block. In this order: f32 largest magnitude; 32 bytes of codes, the first of two in the
/// high half.
///
/// An element is multiplied by the reciprocal of the largest magnitude, in f32, and gets the code whose thresholds it lies between; one
/// on a threshold gets the lower.
enum CodebookLayout implements Layout {
    /// The quantiles of a normal distribution; the thresholds lie halfway, as published.
    NF4(new float[] {-1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f,
        -0.18477343022823334f, -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f,
        0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f}) {
        @Override
        int code(float z) {
            int code = 0;
            while (code < NF4_THRESHOLDS.length && z > NF4_THRESHOLDS[code]) {
                code++;
            }
            return code;
        }

        @Override
        int codeOfZeros() {
            return 7;
        }
    },
    /// A sign and three bits, twelfths: 0, 1/16, 8, 12, 4, 6, 2, 3.
    FP4(new float[] {0, 0.0052083333f, 0.6666666667f, 1, 0.3333333333f, 0.5f, 0.1666666667f, 0.25f, -0.0f, -0.0052083333f,
        -0.6666666667f, -1, -0.3333333333f, -0.5f, -0.1666666667f, -0.25f}) {
        @Override
        int code(float z) {
            float magnitude = Math.abs(z);
            int code = magnitude > 0.8333333f ? 3 : magnitude > 0.583333f ? 2 : magnitude > 0.4166667f ? 5
                    : magnitude > 0.29166667f ? 4 : magnitude > 0.20833333f ? 7 : magnitude > 0.0859375f ? 6
                    : magnitude > 0.00260417f ? 1 : 0;
            return z < 0 ? code | 8 : code;
        }

        @Override
        int codeOfZeros() {
            return 0;
        }
    };

    private static final float[] NF4_THRESHOLDS = {-0.8480964004993439f, -0.6106329262256622f, -0.4599952697753906f,
        -0.33967943489551544f, -0.23460740596055984f, -0.13791173323988914f, -0.045525018125772476f, 0.03979014977812767f,
        0.1202552504837513f, 0.2035212516784668f, 0.2920137718319893f, 0.3893125355243683f, 0.5016634166240692f, 0.6427869200706482f,
        0.8614784181118011f};
    private static final int ELEMENTS = 64;
    private static final int CODES = 4; // offset

    final float[] codebook;

    CodebookLayout(float[] codebook) {
        this.codebook = codebook;
    }

    /// The code of a number from -1 to 1.
    abstract int code(float z);

    /// The code of every element where all are 0.
    abstract int codeOfZeros();

    @Override
    public void decode(MemorySegment source, long offset, float[] target, int targetOffset) {
        decode(source, offset, target, targetOffset, ELEMENTS);
    }

    /// Decodes a block of another size.
    void decode(MemorySegment source, long offset, float[] target, int targetOffset, int count) {
        float largest = source.get(FLOAT, offset);
        for (int i = 0; i < count; i++) {
            int pair = unsignedByte(source, offset + CODES + i / 2);
            target[targetOffset + i] = codebook[i % 2 == 0 ? pair >> 4 : pair & 15] * largest;
        }
    }

    @Override
    public void encode(float[] source, int sourceOffset, MemorySegment target, long offset) {
        encode(source, sourceOffset, target, offset, ELEMENTS);
    }

    /// Encodes a block of another size, an even one.
    void encode(float[] source, int sourceOffset, MemorySegment target, long offset, int count) {
        float largest = 0;
        for (int i = 0; i < count; i++) {
            largest = Math.max(largest, Math.abs(source[sourceOffset + i]));
        }
        float inverse = 1 / largest;
        target.set(FLOAT, offset, largest);
        for (int i = 0; i < count; i += 2) {
            int first = code(source[sourceOffset + i], inverse);
            int second = code(source[sourceOffset + i + 1], inverse);
            putByte(target, offset + CODES + i / 2, first << 4 | second);
        }
    }

    /// A reciprocal that is not finite is that of 0, or of a number too small to matter.
    private int code(float element, float inverse) {
        return Float.isInfinite(inverse) ? codeOfZeros() : code(element * inverse);
    }
}
