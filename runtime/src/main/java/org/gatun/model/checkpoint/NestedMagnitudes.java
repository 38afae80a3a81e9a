package org.gatun.model.checkpoint;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// The largest magnitudes of a weight's blocks when they are themselves quantized: an offset that all share, plus an entry of a codebook of
/// 256 numbers times the largest magnitude of a group. Double quantization, which takes 0.37 bits off each weight of 4.5.
/// (Dettmers et al. 2023, arXiv 2305.14314; the codebook: Dettmers 2015, arXiv 1511.04561.)
///
/// @param codes `[blocks] u8`
/// @param codebook `[256] f32`
/// @param largest `[blocks / group, rounded up] f32`
/// @param group blocks that share a largest magnitude
/// @param offset added to each
public record NestedMagnitudes(MemorySegment codes, MemorySegment codebook, MemorySegment largest, int group, float offset) {
    /// Blocks of a group in what is made here.
    public static final int GROUP = 256;
    /// Entries of a codebook.
    public static final int ENTRIES = 256;
    /// Powers of ten of the codebook; with each the numbers lie twice as close.
    private static final int DECADES = 7;
    private static final float[] CODEBOOK = makeCodebook();

    /// The middles of 1, 2, 4 ... equal parts between a tenth of a power of ten and itself, of both signs, and 0 and 1; rising.
    private static float[] makeCodebook() {
        float[] entries = new float[ENTRIES];
        int count = 0;
        for (int decade = 0; decade < DECADES; decade++) {
            int parts = 1 << decade;
            for (int part = 0; part < parts; part++) {
                double middle = (0.1 + 0.9 * (part + 0.5) / parts) * Math.pow(10, decade - DECADES + 1);
                entries[count++] = (float) middle;
                entries[count++] = (float) -middle;
            }
        }
        entries[count] = 1; // the last entry stays 0
        Arrays.sort(entries);
        return entries;
    }

    /// The codebook that is used here.
    public static MemorySegment standardCodebook() {
        return WeightParts.bytes(CODEBOOK);
    }

    /// Groups of so many blocks.
    public static int groups(int blocks) {
        return Math.ceilDiv(blocks, GROUP);
    }

    /// Quantizes magnitudes.
    public static NestedMagnitudes of(float[] magnitudes) {
        double sum = 0;
        for (float magnitude : magnitudes) {
            sum += magnitude;
        }
        float offset = (float) (sum / magnitudes.length);
        byte[] codes = new byte[magnitudes.length];
        float[] largest = new float[groups(magnitudes.length)];
        for (int i = 0; i < magnitudes.length; i++) {
            largest[i / GROUP] = Math.max(largest[i / GROUP], Math.abs(magnitudes[i] - offset));
        }
        for (int i = 0; i < magnitudes.length; i++) {
            float max = largest[i / GROUP];
            codes[i] = (byte) nearest(max == 0 ? 0 : (magnitudes[i] - offset) * (1 / max));
        }
        return new NestedMagnitudes(MemorySegment.ofArray(codes), standardCodebook(), WeightParts.bytes(largest), GROUP, offset);
    }

    /// The code of the entry next to a number, of two as near the lower.
    private static int nearest(float number) {
        int above = Arrays.binarySearch(CODEBOOK, number);
        if (above >= 0) {
            return above;
        }
        above = -above - 1;
        if (above == 0 || above == ENTRIES) {
            return Math.min(above, ENTRIES - 1);
        }
        return number - CODEBOOK[above - 1] <= CODEBOOK[above] - number ? above - 1 : above;
    }

    /// The largest magnitude of a block.
    public float of(long block) {
        return codebook.get(WeightParts.FLOAT, (long) Byte.toUnsignedInt(codes.get(ValueLayout.JAVA_BYTE, block)) * Float.BYTES)
                * largest.get(WeightParts.FLOAT, block / group * Float.BYTES) + offset;
    }
}
