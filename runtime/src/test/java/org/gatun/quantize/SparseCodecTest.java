package org.gatun.quantize;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Types with a scale a row, and those that keep some elements of each group.
class SparseCodecTest {
    static List<DType> withFiniteElementsOnly() {
        return Stream.concat(Stream.of(DType.INT8), Arrays.stream(DType.Sparse.values())).toList();
    }

    @ParameterizedTest
    @CsvSource({"INT8, 68", "SPARSE_2_4_F16, 72", "SPARSE_2_4_INT8, 44", "SPARSE_2_4_NF4, 28", "SPARSE_1_4_F16, 36",
        "SPARSE_2_8_F16, 38", "SPARSE_4_8_F16, 76", "SPARSE_1_16_F16, 10", "SPARSE_2_16_F16, 20"})
    void rowBytes_sixtyFourElements_areHeaderValuesAndPlaces(DType dtype, int expected) {
        assertEquals(expected, dtype.rowBytes(64));
    }

    @Test
    void encode_int8_isRoundedToEvenInUnitsOfTheLargest() {
        byte[] row = encode(DType.INT8, 127, -127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 0);
        assertArrayEquals(new byte[] {0, 0, (byte) 0x80, 0x3f, 127, -127, 0, 2, 2, 0, -2, 0}, row);
        assertArrayEquals(new float[] {127, -127, 0, 2, 2, 0, -2, 0}, decode(DType.INT8, row));
    }

    @Test
    void encode_int8ZerosAndSubnormals_staySmall() {
        assertArrayEquals(new byte[8], encode(DType.INT8, 0, -0f, 0, 0));
        assertArrayEquals(new byte[8], encode(DType.INT8, Float.MIN_VALUE, 0, 0, 0), "the scale is 0");
        float[] tiny = {200 * Float.MIN_VALUE, -100 * Float.MIN_VALUE, 0};
        float[] back = decode(DType.INT8, encode(DType.INT8, tiny));
        assertEquals(tiny[0], back[0], 100 * Float.MIN_VALUE, "a scale of few bits saturates");
        assertTrue(back[0] > 0 && back[1] < 0 && back[2] == 0);
    }

    @Test
    void encode_sparse24ByHand_isValuesThenNibbles() {
        float[] row = new float[64];
        row[1] = 3;
        row[3] = -4;
        row[0] = 2;
        Arrays.fill(row, 4, 8, 1); // ties: the first two
        row[11] = 5; // one only: a zero is kept beside it
        byte[] block = encode(DType.SPARSE_2_4_F16, row);

        float[] values = new float[6];
        Codec.of(DType.F16).decode(MemorySegment.ofArray(block), 0, values, 0, 6);
        assertArrayEquals(new float[] {3, -4, 1, 1, 0, 5}, values);
        int nibbles = block[64] & 255 | (block[65] & 255) << 8;
        assertEquals(1 | 3 << 2, nibbles & 15);
        assertEquals(0 | 1 << 2, nibbles >> 4 & 15);
        assertEquals(0 | 3 << 2, nibbles >> 8 & 15);
        assertEquals(0 | 1 << 2, nibbles >> 12, "a group of zeros has rising places");
    }

    /// Against a plain definition: sort the magnitudes of a group, keep the largest.
    @ParameterizedTest
    @EnumSource
    void encode_randomRows_keepsTheLargestOfEachGroup(DType.Sparse dtype) {
        DType values = dtype.valueType();
        for (long seed = 0; seed < 50; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            float[] row = new float[256];
            float[] pruned = new float[row.length];
            for (int i = 0; i < row.length; i++) {
                row[i] = random.nextInt(3) == 0 ? random.nextInt(-2, 3) : (float) random.nextGaussian();
            }
            for (int group = 0; group < row.length; group += dtype.group()) {
                int start = group;
                Integer[] order = new Integer[dtype.group()];
                Arrays.setAll(order, i -> start + i);
                Arrays.sort(order, (a, b) -> Float.compare(Math.abs(row[b]), Math.abs(row[a]))); // stable
                Arrays.stream(order).limit(dtype.kept()).forEach(i -> pruned[i] = row[i]);
            }
            byte[] encoded = encode(dtype, row);
            float[] back = decode(dtype, encoded);
            float[] dense = decode(values, encode(values, pruned));
            assertArrayEquals(dense, back, "seed " + seed);
            assertArrayEquals(encoded, encode(dtype, pruned), "pruned already, seed " + seed);
            assertEquals(Optional.empty(), Codec.of(dtype).damage(MemorySegment.ofArray(encoded), 0, row.length));
        }
    }

    @ParameterizedTest
    @EnumSource
    void damage_anyGroup_isNamed(DType.Sparse dtype) {
        byte[] row = encode(dtype, new float[128]);
        int lastPlaces = row.length - 1;
        row[lastPlaces] = 0; // two equal places, or one that may be anywhere
        Optional<String> damage = Codec.of(dtype).damage(MemorySegment.ofArray(row), 0, 128);
        assertEquals(dtype.kept() == 1 ? Optional.empty()
                : Optional.of("elements 64 to 127 have places that do not rise: expected rising ones within a group"), damage);
    }

    @Test
    void damage_scaleThatIsNoNumber_isNamed() {
        byte[] row = encode(DType.INT8, 1, 2);
        row[3] = (byte) 0xff;
        row[2] = (byte) 0xff;
        assertEquals(Optional.of("a scale of NaN: expected a finite number, not negative"),
                Codec.of(DType.INT8).damage(MemorySegment.ofArray(row), 0, 2));
    }

    @ParameterizedTest
    @MethodSource("withFiniteElementsOnly")
    void encode_notFinite_namesElement(DType dtype) {
        for (float value : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
            float[] source = new float[64];
            source[7] = value;
            assertEquals("element 7 is " + value + ": expected a finite number to encode as " + dtype,
                    assertThrows(IllegalArgumentException.class, () -> encode(dtype, source)).getMessage());
        }
    }

    private static float[] decode(DType dtype, byte[] row) {
        float[] target = new float[(row.length - dtype.headerBytes()) / dtype.blockBytes() * dtype.blockElements()];
        Codec.of(dtype).decode(MemorySegment.ofArray(row), 0, target, 0, target.length);
        return target;
    }

    private static byte[] encode(DType dtype, float... source) {
        byte[] target = new byte[Math.toIntExact(dtype.rowBytes(source.length))];
        Codec.of(dtype).encode(source, 0, MemorySegment.ofArray(target), 0, source.length);
        return target;
    }
}
