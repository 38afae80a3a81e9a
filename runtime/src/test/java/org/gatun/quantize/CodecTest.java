package org.gatun.quantize;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class CodecTest {
    private static final int SCALE_HALF = 0x3800;
    private static final int SCALE_ONE = 0x3c00;
    private static final int SCALE_TWO = 0x4000;

    static List<DType> withCodec() {
        return DType.all().stream().filter(type -> !List.of(DType.I64, DType.I32, DType.I16, DType.I8, DType.U8, DType.BOOL).contains(type)).toList();
    }

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
        float[] codebook = CodebookLayout.NF4.codebook;
        for (int code = 0; code < 15; code++) {
            float low = codebook[code];
            float high = codebook[code + 1];
            while (Math.nextUp(low) < high) {
                float middle = low + (high - low) / 2;
                if (CodebookLayout.NF4.code(middle) == code) {
                    low = middle;
                } else {
                    assertEquals(code + 1, CodebookLayout.NF4.code(middle));
                    high = middle;
                }
            }
            assertEquals((codebook[code] + (double) codebook[code + 1]) / 2, low, 2 * Math.ulp(low));
        }
        assertEquals(0, CodebookLayout.NF4.code(-0.8480964004993439f), "bitsandbytes compares strictly");
        assertEquals(1, CodebookLayout.NF4.code(Math.nextUp(-0.8480964004993439f)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"NF4", "FP4"})
    void encode_everyEntryOfTheCodebook_comesBack(DType dtype) {
        CodebookLayout layout = CodebookLayout.valueOf(dtype.name());
        float[] values = new float[64];
        for (int i = 0; i < 64; i++) {
            values[i] = 3 * layout.codebook[(i + 1) % 16] + 0f; // no -0, which has the code of 0
        }
        byte[] block = encode(dtype, values);

        assertArrayEquals(values, decodeBlock(dtype, block));
        assertEquals(0x12, block[4], "the first of two codes is in the high half");
    }

    @ParameterizedTest
    @ValueSource(strings = {"NF4", "FP4"})
    void encode_zerosAndSubnormals_areZero(DType dtype) {
        float[] values = new float[64];
        assertArrayEquals(values, decodeBlock(dtype, encode(dtype, values)));
        values[5] = Float.MIN_VALUE;
        values[5] = decodeBlock(dtype, encode(dtype, values))[5];
        assertEquals(0, values[5]);
    }

    /// Relative errors of rounding to the nearest entry, computed apart from this code.
    @ParameterizedTest
    @CsvSource({"NF4, 0.0920", "FP4, 0.1220", "NVFP4, 0.0945"})
    void encode_normalNumbers_errsAsTheCodebookDoes(DType dtype, double expected) {
        SplittableRandom random = new SplittableRandom(7);
        double error = 0;
        double norm = 0;
        float[] values = new float[64];
        for (int block = 0; block < 5000; block++) {
            for (int i = 0; i < 64; i++) {
                values[i] = (float) random.nextGaussian();
            }
            float[] decoded = decode(dtype, encode(dtype, values));
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
    @ValueSource(strings = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"})
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
                    case DType.Block.Q4_0 -> largest / 8;
                    case DType.Block.Q4_1 -> range / 15;
                    case DType.Block.Q5_0 -> largest / 16;
                    case DType.Block.Q5_1 -> range / 31;
                    default -> largest / 127;
                };
                for (int i = block; i < block + 32; i++) {
                    assertEquals(source[i], back[i], step + 1e-3f * largest, "seed " + seed + ", element " + i);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"})
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
    @ValueSource(strings = {"F64", "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "NVFP4"})
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
    @MethodSource("withCodec")
    void decode_partOfUnalignedSegment_touchesThatOnly(DType dtype) {
        Codec codec = Codec.of(dtype);
        assertEquals(dtype, codec.dtype());
        int elements = dtype.blockElements();
        int bytes = Math.toIntExact(dtype.rowBytes(elements));
        byte[] source = new byte[3 * bytes + 1];
        new SplittableRandom(DType.all().indexOf(dtype)).nextBytes(source);
        float[] middle = new float[elements];
        codec.decode(MemorySegment.ofArray(source).asSlice(1), bytes, middle, 0, elements);
        float[] target = new float[3 * elements];
        codec.decode(MemorySegment.ofArray(source), 1 + bytes, target, elements, elements);
        float[] expected = new float[3 * elements];
        System.arraycopy(middle, 0, expected, elements, elements);
        assertArrayEquals(expected, target);
        byte[] encoded = new byte[3 * bytes + 1];
        float[] ones = new float[elements];
        codec.encode(ones, 0, MemorySegment.ofArray(encoded), 1 + bytes, elements);
        for (int i = 0; i < encoded.length; i++) {
            boolean inside = i > bytes && i <= 2 * bytes;
            assertTrue(inside || encoded[i] == 0);
        }
    }

    @Test
    void decode_mxfp4ByHand_isPowerTimesSmallFloat() {
        byte[] block = new byte[17];
        block[0] = (byte) 128;
        for (int j = 0; j < 16; j++) {
            block[1 + j] = (byte) (j | 15 - j << 4);
        }
        float[] expected = {0, 1, 2, 3, 4, 6, 8, 12, -0f, -1, -2, -3, -4, -6, -8, -12,
            -12, -8, -6, -4, -3, -2, -1, -0f, 12, 8, 6, 4, 3, 2, 1, 0};
        assertArrayEquals(expected, decode(DType.MXFP4, block));
        block[0] = 0;
        assertEquals(3 * 0x1p-127f, decode(DType.MXFP4, block)[5]);
    }

    @Test
    void encode_mxfp4Ties_goToTheEvenCodeAndTheLargestSaturates() {
        float[] values = new float[32];
        float[] ties = {7.9f, 0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5, -0.25f, -5.01f};
        float[] expected = {6, 0, 1, 1, 2, 2, 4, 4, -0f, -6};
        System.arraycopy(ties, 0, values, 0, ties.length);
        assertArrayEquals(Arrays.copyOf(expected, 32), decode(DType.MXFP4, encode(DType.MXFP4, values)));
        assertArrayEquals(new byte[17], encode(DType.MXFP4, new float[32]));
        float[] tiny = new float[32];
        tiny[0] = 3 * 0x1p-127f;
        assertArrayEquals(tiny, decode(DType.MXFP4, encode(DType.MXFP4, tiny)));
    }

    @Test
    void decode_everyF8_isSignTimesFractionTimesPowerAndComesBack() {
        for (int bits = 0; bits < 256; bits++) {
            int exponent = bits >> 3 & 15;
            double magnitude = exponent == 0 ? (bits & 7) / 512.0 : (1 + (bits & 7) / 8.0) * Math.pow(2, exponent - 7);
            float decoded = decode(DType.F8_E4M3, 1, bits)[0];
            if ((bits & 127) == 127) {
                assertTrue(Float.isNaN(decoded));
            } else {
                assertEquals((float) (bits < 128 ? magnitude : -magnitude), decoded);
                assertEquals(decoded == 0 ? 0 : bits, encode(DType.F8_E4M3, decoded)[0] & 255);
            }
        }
    }

    @Test
    void encode_f8Ties_goToTheEvenFractionAndTheLargestSaturates() {
        float[] numbers = {17, 17.001f, 19, 0x1p-10f, 0x1.8p-9f, 0x1p-149f, 0x1.ep-7f, 463, 465, 1e30f, -17};
        float[] expected = {16, 18, 20, 0, 0x1p-8f, 0, 0x1p-6f, 448, 448, 448, -16};
        assertArrayEquals(expected, decode(DType.F8_E4M3, encode(DType.F8_E4M3, numbers)));
    }

    @Test
    void decode_nvfp4ByHand_isScalesTimesSmallFloat() {
        byte[] row = new byte[4 + 2 * 9];
        MemorySegment.ofArray(row).set(LittleEndian.FLOAT, 0, 0.25f);
        row[4] = 0x40; // 2
        row[13] = 0x7e; // 448
        for (int j = 0; j < 8; j++) {
            row[5 + j] = (byte) (j | 8 + j << 4);
            row[14 + j] = 0x72; // 1 and 6
        }
        float[] expected = {0, 0.25f, 0.5f, 0.75f, 1, 1.5f, 2, 3, -0f, -0.25f, -0.5f, -0.75f, -1, -1.5f, -2, -3,
            112, 112, 112, 112, 112, 112, 112, 112, 672, 672, 672, 672, 672, 672, 672, 672};
        assertArrayEquals(expected, decode(DType.NVFP4, row));
    }

    /// Rows whose largest block has the largest scale, and all codes: what is decoded encodes to the same bytes.
    @Test
    void encode_nvfp4OfWhatWasDecoded_isTheSame() {
        for (long seed = 0; seed < 50; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            byte[] row = new byte[4 + 8 * 9];
            random.nextBytes(row);
            MemorySegment.ofArray(row).set(LittleEndian.FLOAT, 0, (float) Math.pow(2, random.nextInt(-60, 60)));
            for (int block = 0; block < 8; block++) {
                int at = 4 + 9 * block;
                row[at] = (byte) (block == 0 ? 0x7e : random.nextInt(1, 0x7f));
                row[at + 1] = (byte) (row[at + 1] & 0xf0 | 7);
                for (int j = 1; j < 9; j++) { // no -0, which has the code of 0
                    row[at + j] = (byte) ((row[at + j] & 15) == 8 ? row[at + j] & 0xf7 : row[at + j]);
                    row[at + j] = (byte) ((row[at + j] & 0xf0) == 0x80 ? row[at + j] & 0x7f : row[at + j]);
                }
            }
            assertArrayEquals(row, encode(DType.NVFP4, decode(DType.NVFP4, row)), "seed " + seed);
        }
    }

    @Test
    void encode_nvfp4Ties_goToTheEvenCode() {
        float[] values = new float[32];
        values[0] = 2688; // the scale of the row is 1
        float[] ties = {6, 0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5, -0.25f, -5.01f};
        float[] expected = {6, 0, 1, 1, 2, 2, 4, 4, -0f, -6};
        System.arraycopy(ties, 0, values, 16, ties.length);
        float[] decoded = decode(DType.NVFP4, encode(DType.NVFP4, values));
        assertEquals(2688, decoded[0]);
        assertArrayEquals(expected, Arrays.copyOfRange(decoded, 16, 16 + expected.length));
    }

    @Test
    void encode_nvfp4ZerosAndSubnormals_areFinite() {
        for (float largest : new float[] {0, Float.MIN_VALUE, Float.MIN_NORMAL, 1e-40f, Float.MAX_VALUE}) {
            float[] values = new float[48];
            values[3] = -largest;
            values[20] = largest / 5e5f; // rounds to a scale of 0, and so gets the smallest
            float[] decoded = decode(DType.NVFP4, encode(DType.NVFP4, values));
            for (int i = 0; i < 48; i++) {
                assertEquals(values[i], decoded[i], Math.max(0.1 * Math.abs(values[i]), 0x1p-137), largest + ", element " + i);
            }
            assertArrayEquals(new float[16], Arrays.copyOfRange(decoded, 32, 48));
        }
        assertArrayEquals(new float[16], decode(DType.NVFP4, encode(DType.NVFP4, new float[16])));
    }

    @Test
    void damage_nvfp4ScalesThatAreNoNumbers_areNamed() {
        byte[] row = encode(DType.NVFP4, new float[32]);
        MemorySegment bytes = MemorySegment.ofArray(row);
        Codec codec = Codec.of(DType.NVFP4);
        assertTrue(codec.damage(bytes, 0, 32).isEmpty());
        row[13] = 0x7f;
        assertEquals("elements 16 to 31 have a scale of NaN: expected a number, not negative", codec.damage(bytes, 0, 32).orElseThrow());
        row[13] = (byte) 0x81;
        assertTrue(codec.damage(bytes, 0, 32).orElseThrow().contains("-0.00195"));
        row[13] = 0;
        bytes.set(LittleEndian.FLOAT, 0, Float.NaN);
        assertTrue(codec.damage(bytes, 0, 32).orElseThrow().contains("a scale of NaN"));
        assertTrue(Codec.of(DType.NVFP4_BLOCKS).damage(MemorySegment.ofArray(new byte[] {0, 0, 0, 0x7f}), 0, 0).isEmpty());
        byte[] blocks = new byte[36];
        blocks[3] = 0x7f;
        assertTrue(Codec.of(DType.NVFP4_BLOCKS).damage(MemorySegment.ofArray(blocks), 0, 64).orElseThrow().startsWith("elements 0 to 63"));
    }

    @Test
    void encoding_nvfp4_hasOneScaleForTheTensor() {
        float[] values = new float[4 * 32];
        values[100] = -2688 * 3;
        values[5] = 1;
        Tensor tensor = new Tensor("w", DType.F32, Shape.of(4, 32), MemorySegment.ofArray(encode(DType.F32, values)));
        Codec codec = Codec.encoding(DType.NVFP4, tensor);
        for (int row = 0; row < 4; row++) {
            MemorySegment bytes = MemorySegment.ofArray(new byte[22]);
            codec.encode(values, row * 32, bytes, 0, 32);
            assertEquals(3, bytes.get(LittleEndian.FLOAT, 0));
        }
    }

    /// 32 normal numbers span 4.1 deviations, cut into 15 or 31 steps, an error being a step over the root of 12: 0.079 and 0.038. Rounding
    /// the scales adds a little, and numbers off the middle err less.
    @ParameterizedTest
    @CsvSource({"Q4_K, 0.085", "Q5_K, 0.041", "Q6_K, 0.02"})
    void encode_superBlocks_errLittle(DType dtype, double expected) {
        double error = 0;
        double norm = 0;
        for (long seed = 0; seed < 40; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            float[] source = new float[512];
            for (int i = 0; i < source.length; i++) {
                source[i] = (float) (random.nextGaussian() * (1 + i / 32 % 5) + (seed % 3 - 1));
            }
            float[] back = decode(dtype, encode(dtype, source));
            for (int i = 0; i < source.length; i++) {
                error += Math.pow(back[i] - source[i], 2);
                norm += Math.pow(source[i], 2);
            }
            assertArrayEquals(new float[512], decode(dtype, encode(dtype, new float[512])), "zeros");
        }
        double relative = Math.sqrt(error / norm);
        assertTrue(relative < expected && relative > expected / 4, dtype + " errs by " + relative);
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
