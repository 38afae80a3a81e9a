package org.gatun.quantize;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class CodecTest {
    private static final int SCALE_HALF = 0x3800;
    private static final int SCALE_ONE = 0x3c00;
    private static final int SCALE_TWO = 0x4000;

    @Test
    void decode_everyHalf_isSignTimesSignificandTimesPower() {
        for (int bits = 0; bits < 1 << 16; bits++) {
            int exponent = bits >> 10 & 31;
            int fraction = bits & 1023;
            double magnitude = switch (exponent) {
                case 0 -> fraction * 0x1p-24;
                case 31 -> fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
                default -> (1024 + fraction) * Math.pow(2, exponent - 25);
            };
            assertEquals((float) (bits < 0x8000 ? magnitude : -magnitude), decode(DType.F16, 1, bits, bits >> 8)[0]);
        }
    }

    @Test
    void encode_everyHalf_comesBack() {
        for (int bits = 0; bits < 1 << 16; bits++) {
            for (DType dtype : new DType[] {DType.F16, DType.BF16}) {
                float[] value = decode(dtype, 1, bits, bits >> 8);
                if (Float.isFinite(value[0])) {
                    assertArrayEquals(new byte[] {(byte) bits, (byte) (bits >> 8)}, encode(dtype, value));
                }
            }
        }
    }

    @Test
    void encode_bf16_roundsToNearestEven() {
        assertArrayEquals(new byte[] {(byte) 0x80, 0x3f}, encode(DType.BF16, Float.intBitsToFloat(0x3f808000)));
        assertArrayEquals(new byte[] {(byte) 0x81, 0x3f}, encode(DType.BF16, Float.intBitsToFloat(0x3f808001)));
        assertArrayEquals(new byte[] {(byte) 0x82, 0x3f}, encode(DType.BF16, Float.intBitsToFloat(0x3f818000)));
        assertArrayEquals(new byte[] {(byte) 0x80, (byte) 0xbf}, encode(DType.BF16, Float.intBitsToFloat(0xbf807fff)));
    }

    /// A threshold itself gets the lower code, and each lies between the entries of the codes it parts.
    @Test
    void encode_nf4Thresholds_partNeighbours() {
        float[] book = CodebookLayout.NF4.book;
        for (int code = 0; code < 15; code++) {
            float low = book[code];
            float high = book[code + 1];
            while (Math.nextUp(low) < high) {
                float middle = low + (high - low) / 2;
                if (CodebookLayout.NF4.code(middle) == code) {
                    low = middle;
                } else {
                    assertEquals(code + 1, CodebookLayout.NF4.code(middle));
                    high = middle;
                }
            }
            assertEquals((book[code] + (double) book[code + 1]) / 2, low, 2 * Math.ulp(low));
        }
        assertEquals(0, CodebookLayout.NF4.code(-0.8480964004993439f), "bitsandbytes compares strictly");
        assertEquals(1, CodebookLayout.NF4.code(Math.nextUp(-0.8480964004993439f)));
    }

    @ParameterizedTest
    @EnumSource(names = {"NF4", "FP4"})
    void encode_everyEntryOfTheBook_comesBack(DType dtype) {
        CodebookLayout layout = CodebookLayout.valueOf(dtype.name());
        float[] values = new float[64];
        for (int i = 0; i < 64; i++) {
            values[i] = 3 * layout.book[(i + 1) % 16] + 0f; // no -0, which has the code of 0
        }
        byte[] block = encode(dtype, values);

        assertArrayEquals(values, decodeBlock(dtype, block));
        assertEquals(0x12, block[4], "the first of two codes is in the high half");
    }

    @ParameterizedTest
    @EnumSource(names = {"NF4", "FP4"})
    void encode_zerosAndSubnormals_areZero(DType dtype) {
        float[] values = new float[64];
        assertArrayEquals(values, decodeBlock(dtype, encode(dtype, values)));
        values[5] = Float.MIN_VALUE;
        values[5] = decodeBlock(dtype, encode(dtype, values))[5];
        assertEquals(0, values[5]);
    }

    /// Relative errors of rounding to the nearest entry, computed apart from this code.
    @ParameterizedTest
    @CsvSource({"NF4, 0.0920", "FP4, 0.1220"})
    void encode_normalNumbers_errsAsTheBookDoes(DType dtype, double expected) {
        SplittableRandom random = new SplittableRandom(7);
        double error = 0;
        double norm = 0;
        float[] values = new float[64];
        for (int block = 0; block < 5000; block++) {
            for (int i = 0; i < 64; i++) {
                values[i] = (float) random.nextGaussian();
            }
            float[] decoded = decodeBlock(dtype, encode(dtype, values));
            for (int i = 0; i < 64; i++) {
                error += Math.pow(decoded[i] - values[i], 2);
                norm += Math.pow(values[i], 2);
            }
        }
        assertEquals(expected, Math.sqrt(error / norm), 0.002);
    }

    private static float[] decodeBlock(DType dtype, byte[] block) {
        float[] values = new float[64];
        Codec.of(dtype).decode(MemorySegment.ofArray(block), 0, values, 0, 64);
        return values;
    }

    @Test
    void decode_q8AndQ4ByHand_isScaleTimesCode() {
        byte[] q8 = block(34, SCALE_HALF);
        q8[2] = -128;
        q8[33] = 127;
        float[] expected = new float[32];
        expected[0] = -64;
        expected[31] = 63.5f;
        assertArrayEquals(expected, decode(DType.Q8_0, q8));

        byte[] q4 = block(18, SCALE_TWO);
        Arrays.fill(q4, 2, 18, (byte) 0x88);
        q4[2] = (byte) 0xf0;
        expected = new float[32];
        expected[0] = -16;
        expected[16] = 14;
        assertArrayEquals(expected, decode(DType.Q4_0, q4));

        byte[] q41 = block(20, SCALE_TWO, SCALE_HALF);
        q41[4 + 15] = 0x3a;
        Arrays.fill(expected, 0.5f);
        expected[15] = 20.5f;
        expected[31] = 6.5f;
        assertArrayEquals(expected, decode(DType.Q4_1, q41));
    }

    @Test
    void decode_q5EveryElement_takesItsFifthBitAndNibble() {
        for (int j = 0; j < 32; j++) {
            byte[] q50 = block(22, SCALE_ONE);
            q50[2 + j / 8] = (byte) (1 << j % 8);
            q50[6 + j % 16] = (byte) (7 << 4 * (j / 16));
            float[] expected = new float[32];
            Arrays.fill(expected, -16);
            expected[j] = 7;
            assertArrayEquals(expected, decode(DType.Q5_0, q50));

            byte[] q51 = block(24, SCALE_TWO, SCALE_ONE);
            System.arraycopy(q50, 2, q51, 4, 20);
            Arrays.fill(expected, 1);
            expected[j] = 2 * (16 + 7) + 1;
            assertArrayEquals(expected, decode(DType.Q5_1, q51));
        }
    }

    @Test
    void decode_q4kAndQ5kEveryScale_isPackedInSixBits() {
        for (int sub = 0; sub < 8; sub++) {
            for (int scale = 0; scale < 64; scale++) {
                int minimum = 63 - scale;
                byte[] q4 = block(144, SCALE_ONE, SCALE_HALF);
                if (sub < 4) {
                    q4[4 + sub] = (byte) scale;
                    q4[8 + sub] = (byte) minimum;
                } else {
                    q4[12 + sub - 4] = (byte) (scale & 15 | (minimum & 15) << 4);
                    q4[4 + sub - 4] = (byte) (scale >> 4 << 6);
                    q4[8 + sub - 4] = (byte) (minimum >> 4 << 6);
                }
                Arrays.fill(q4, 16 + sub / 2 * 32, 16 + sub / 2 * 32 + 32, (byte) (5 << 4 * (sub % 2)));
                float[] expected = new float[256];
                Arrays.fill(expected, 32 * sub, 32 * sub + 32, scale * 5 - minimum * 0.5f);
                assertArrayEquals(expected, decode(DType.Q4_K, q4), "sub-block " + sub);

                byte[] q5 = Arrays.copyOf(q4, 176);
                System.arraycopy(q4, 16, q5, 48, 128);
                Arrays.fill(q5, 16, 48, (byte) (1 << sub));
                Arrays.fill(expected, 32 * sub, 32 * sub + 32, scale * (16 + 5) - minimum * 0.5f);
                assertArrayEquals(expected, decode(DType.Q5_K, q5), "sub-block " + sub);
            }
        }
    }

    @Test
    void decode_q6kEveryElement_findsItsBits() {
        for (int i = 0; i < 256; i++) {
            int half = i / 128;
            int inHalf = i % 128;
            byte[] block = new byte[210];
            block[209] = SCALE_ONE >> 8;
            Arrays.fill(block, 128, 192, (byte) 0xaa);
            Arrays.fill(block, 192, 208, (byte) -3);
            int low = 64 * half + inHalf % 64;
            int high = 128 + 32 * half + inHalf % 32;
            block[low] = (byte) (inHalf < 64 ? 9 : 9 << 4);
            block[high] ^= (byte) (3 << inHalf / 32 * 2);
            float[] expected = new float[256];
            Arrays.fill(expected, -0f);
            expected[i] = -3 * (16 + 9 - 32);
            assertArrayEquals(expected, decode(DType.Q6_K, block), "element " + i);
        }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"})
    void encode_randomElements_withinOneStep(DType dtype) {
        for (long seed = 0; seed < 200; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            float[] source = new float[96];
            float size = (float) Math.pow(10, random.nextInt(-3, 4));
            for (int i = 0; i < source.length; i++) {
                source[i] = (float) random.nextGaussian() * size;
            }
            float[] back = decode(dtype, encode(dtype, source));
            for (int block = 0; block < source.length; block += 32) {
                float[] sorted = Arrays.copyOfRange(source, block, block + 32);
                Arrays.sort(sorted);
                float range = sorted[31] - sorted[0];
                float largest = Math.max(sorted[31], -sorted[0]);
                float step = switch (dtype) {
                    case Q4_0 -> largest / 8;
                    case Q4_1 -> range / 15;
                    case Q5_0 -> largest / 16;
                    case Q5_1 -> range / 31;
                    default -> largest / 127;
                };
                for (int i = block; i < block + 32; i++) {
                    assertEquals(source[i], back[i], step + 1e-3f * largest, "seed " + seed + ", element " + i);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"})
    void encode_extremes_zeroOrRefused(DType dtype) {
        float[] tiny = new float[32];
        tiny[3] = Float.MIN_VALUE;
        tiny[4] = -Float.MIN_VALUE;
        for (float value : decode(dtype, encode(dtype, tiny))) {
            assertEquals(0, value, 0f);
        }
        float[] huge = new float[32];
        huge[3] = Float.MAX_VALUE;
        assertTrue(assertThrows(IllegalArgumentException.class, () -> encode(dtype, huge)).getMessage()
                .contains("beyond the range of f16"));
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F64", "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"})
    void encode_notFinite_namesElement(DType dtype) {
        for (float value : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
            float[] source = new float[32];
            source[7] = value;
            assertEquals("element 7 is " + value + ": expected a finite number to encode as " + dtype,
                    assertThrows(IllegalArgumentException.class, () -> encode(dtype, source)).getMessage());
        }
    }

    @Test
    void encode_beyondRange_refused() {
        assertThrows(IllegalArgumentException.class, () -> encode(DType.F16, 65520));
        assertThrows(IllegalArgumentException.class, () -> encode(DType.BF16, Float.MAX_VALUE));
        assertThrows(IllegalArgumentException.class, () -> encode(DType.BF16, -Float.MAX_VALUE));
        assertEquals(65504, decode(DType.F16, encode(DType.F16, 65519))[0]);
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"I64", "I32", "I16", "I8", "U8", "BOOL"}, mode = EnumSource.Mode.EXCLUDE)
    void decode_partOfUnalignedSegment_touchesThatOnly(DType dtype) {
        Codec codec = Codec.of(dtype);
        assertEquals(dtype, codec.dtype());
        int elements = dtype.blockElements();
        int bytes = Math.toIntExact(dtype.rowBytes(elements));
        byte[] source = new byte[3 * bytes + 1];
        new SplittableRandom(dtype.ordinal()).nextBytes(source);
        float[] middle = new float[elements];
        codec.decode(MemorySegment.ofArray(source).asSlice(1), bytes, middle, 0, elements);
        float[] target = new float[3 * elements];
        codec.decode(MemorySegment.ofArray(source), 1 + bytes, target, elements, elements);
        float[] expected = new float[3 * elements];
        System.arraycopy(middle, 0, expected, elements, elements);
        assertArrayEquals(expected, target);
        if (codec.canEncode()) {
            byte[] encoded = new byte[3 * bytes + 1];
            float[] ones = new float[elements];
            codec.encode(ones, 0, MemorySegment.ofArray(encoded), 1 + bytes, elements);
            for (int i = 0; i < encoded.length; i++) {
                boolean inside = i > bytes && i <= 2 * bytes;
                assertTrue(inside || encoded[i] == 0);
            }
        }
    }

    @Test
    void decode_outOfBounds_refused() {
        MemorySegment block = MemorySegment.ofArray(new byte[34]);
        Codec codec = Codec.of(DType.Q8_0);
        assertThrows(IndexOutOfBoundsException.class, () -> codec.decode(block, 1, new float[32], 0, 32));
        assertThrows(IndexOutOfBoundsException.class, () -> codec.decode(block, 0, new float[32], 1, 32));
        assertThrows(IndexOutOfBoundsException.class, () -> codec.decode(block, 0, new float[64], 0, 64));
        assertThrows(IllegalArgumentException.class, () -> codec.decode(block, 0, new float[32], 0, 31));
        assertThrows(IllegalArgumentException.class, () -> codec.decode(block, 0, new float[32], 0, -32));
        assertThrows(IndexOutOfBoundsException.class, () -> codec.encode(new float[31], 0, block, 0, 32));
    }

    @Test
    void of_typeWithoutCodec_refused() {
        assertThrows(IllegalArgumentException.class, () -> Codec.of(DType.I32));
        assertFalse(Codec.of(DType.Q4_K).canEncode());
        assertThrows(UnsupportedOperationException.class, () -> encode(DType.Q4_K, new float[256]));
    }

    /// A block of zeros that begins with these halves.
    private static byte[] block(int size, int... halves) {
        byte[] block = new byte[size];
        for (int i = 0; i < halves.length; i++) {
            block[2 * i] = (byte) halves[i];
            block[2 * i + 1] = (byte) (halves[i] >> 8);
        }
        return block;
    }

    private static float[] decode(DType dtype, int elements, int... bytes) {
        byte[] source = new byte[Math.toIntExact(dtype.rowBytes(elements))];
        for (int i = 0; i < source.length; i++) {
            source[i] = (byte) bytes[i];
        }
        return decode(dtype, source);
    }

    private static float[] decode(DType dtype, byte[] source) {
        float[] target = new float[(source.length - dtype.headerBytes()) / dtype.blockBytes() * dtype.blockElements()];
        Codec.of(dtype).decode(MemorySegment.ofArray(source), 0, target, 0, target.length);
        return target;
    }

    private static byte[] encode(DType dtype, float... source) {
        byte[] target = new byte[Math.toIntExact(dtype.rowBytes(source.length))];
        Codec.of(dtype).encode(source, 0, MemorySegment.ofArray(target), 0, source.length);
        return target;
    }
}
