package org.gatun.model.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.gatun.format.FormatException;
import org.gatun.quantize.Codebook;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FourBitWeightTest {
    private static final long SEED = 20261121;
    private static final int ROWS = 6;
    private static final int COLUMNS = 192;

    /// Tensors of a weight as bitsandbytes writes them, and the numbers that they stand for.
    private static final class Stored {
        final Map<String, Tensor> tensors = new HashMap<>();
        final float[] values = new float[ROWS * COLUMNS];

        Stored(DType dtype, int block, boolean nested) {
            SplittableRandom random = new SplittableRandom(SEED + block);
            byte[] codes = new byte[values.length / 2];
            random.nextBytes(codes);
            int blocks = Math.ceilDiv(values.length, block);
            float[] magnitudes = new float[blocks];
            put("", DType.U8, MemorySegment.ofArray(codes), codes.length, 1);
            put(".quant_map", DType.F32, MemorySegment.ofArray(Codebook.of(dtype)), 16);
            if (nested) {
                byte[] coded = new byte[blocks];
                random.nextBytes(coded);
                float[] map = new float[256];
                float[] largest = new float[Math.ceilDiv(blocks, 4)];
                fill(random, map);
                fill(random, largest);
                for (int i = 0; i < blocks; i++) {
                    magnitudes[i] = map[coded[i] & 255] * largest[i / 4] + 0.25f;
                }
                put(".absmax", DType.U8, MemorySegment.ofArray(coded), blocks);
                put(".nested_quant_map", DType.F32, MemorySegment.ofArray(map), 256);
                put(".nested_absmax", DType.F32, MemorySegment.ofArray(largest), largest.length);
            } else {
                fill(random, magnitudes);
                put(".absmax", DType.F32, MemorySegment.ofArray(magnitudes), blocks);
            }
            state(dtype, "{\"quant_type\": \"%s\", \"blocksize\": %d, \"dtype\": \"bfloat16\", \"shape\": [%d, %d]%s}".formatted(
                    kind(dtype), block, ROWS, COLUMNS, nested ? ", \"nested_blocksize\": 4, \"nested_offset\": 0.25" : ""));
            float[] codebook = Codebook.of(dtype);
            for (int i = 0; i < values.length; i++) {
                values[i] = codebook[codes[i / 2] >> (1 - i % 2) * 4 & 15] * magnitudes[i / block];
            }
        }

        void state(DType dtype, String json) {
            byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
            put(".quant_state.bitsandbytes__" + kind(dtype), DType.U8, MemorySegment.ofArray(bytes), bytes.length);
        }

        void put(String suffix, DType dtype, MemorySegment data, long... shape) {
            tensors.put("w" + suffix, new Tensor("w" + suffix, dtype, Shape.of(shape), data));
        }

        private static String kind(DType dtype) {
            return dtype == DType.NF4 ? "nf4" : "fp4";
        }

        private static void fill(SplittableRandom random, float[] numbers) {
            for (int i = 0; i < numbers.length; i++) {
                numbers[i] = (float) random.nextDouble(-2, 2);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"NF4, 64, false", "NF4, 128, false", "NF4, 4096, true", "NF4, 64, true", "FP4, 64, false", "FP4, 256, true"})
    void read_storedWeight_hasItsNumbers(DType dtype, int block, boolean nested) throws FormatException {
        Stored stored = new Stored(dtype, block, nested);
        try (Arena arena = Arena.ofConfined()) {
            Tensor tensor = FourBitWeight.read(Path.of("file"), stored.tensors, "w", arena).orElseThrow();

            float[] found = new float[stored.values.length];
            Codec.of(dtype).decode(tensor.data(), 0, found, 0, found.length);
            assertArrayEquals(stored.values, found);
            assertEquals(dtype, tensor.dtype());
            assertEquals(ROWS, tensor.rows());
        }
    }

    @Test
    void read_plainWeight_isNone() throws FormatException {
        Stored stored = new Stored(DType.NF4, 64, false);
        stored.tensors.remove("w.quant_state.bitsandbytes__nf4");
        assertEquals(Optional.empty(), FourBitWeight.read(Path.of("file"), stored.tensors, "w", Arena.global()));
    }

    @Test
    void read_partsThatDoNotFit_namesThem() {
        refused("w.absmax", stored -> stored.tensors.remove("w.absmax"), "no w.absmax");
        refused("short codes", stored -> stored.put("", DType.U8, MemorySegment.ofArray(new byte[8]), 8), "w of U8");
        refused("another codebook", stored -> stored.put(".quant_map", DType.F32, MemorySegment.ofArray(new float[16]), 16), "entry 0");
        for (String json : new String[] {"{", "[]", "{}", "{\"blocksize\": 64, \"shape\": [6, 192, 1]}",
            "{\"blocksize\": 64, \"shape\": [4611686018427387904, 4]}", "{\"blocksize\": 64, \"shape\": [2147483647, 2147483584]}",
            "{\"blocksize\": 32, \"shape\": [6, 192]}", "{\"blocksize\": -64, \"shape\": [6, 192]}",
            "{\"blocksize\": 64, \"shape\": [192, 6]}", "{\"blocksize\": 64, \"shape\": [6, 192], \"nested_blocksize\": 0}"}) {
            refused(json, stored -> stored.state(DType.NF4, json), "tensor w");
        }
    }

    private static void refused(String what, Consumer<Stored> damage, String expected) {
        Stored stored = new Stored(DType.NF4, 64, false);
        damage.accept(stored);
        String message = assertThrows(FormatException.class,
                () -> FourBitWeight.read(Path.of("file"), stored.tensors, "w", Arena.global()), what).getMessage();
        assertTrue(message.contains(expected), what + ": " + message);
    }
}
