package org.gatun.model.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.gatun.format.FormatException;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class Nvfp4WeightTest {
    private static final long SEED = 20261121;
    private static final int ROWS = 6;
    private static final int COLUMNS = 192;
    private static final float SCALE = 0.125f;
    private static final float[] NUMBERS = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};

    private enum Form {
        /// The scale of the tensor is a divisor.
        PACKED,
        /// It is a factor.
        SECOND_SCALE,
        GGUF
    }

    /// Tensors of a weight as its form has them, and the numbers that they stand for.
    private static final class Stored {
        final Map<String, Tensor> tensors = new HashMap<>();
        final float[] values = new float[ROWS * COLUMNS];
        final Form form;

        Stored(Form form) {
            this.form = form;
            SplittableRandom random = new SplittableRandom(SEED);
            byte[] codes = new byte[values.length / 2];
            byte[] scales = new byte[values.length / 16];
            byte[] blocks = new byte[values.length / 64 * 36];
            for (int i = 0; i < scales.length; i++) {
                scales[i] = (byte) random.nextInt(0x7f);
                blocks[i / 4 * 36 + i % 4] = scales[i];
            }
            for (int i = 0; i < values.length; i++) {
                int code = random.nextInt(16);
                codes[i / 2] |= (byte) (code << i % 2 * 4);
                blocks[i / 64 * 36 + 4 + i % 64 / 16 * 8 + i % 8] |= (byte) (code << i % 16 / 8 * 4);
                int bits = scales[i / 16];
                double scale = bits < 8 ? bits / 512.0 : (1 + bits % 8 / 8.0) * Math.pow(2, bits / 8 - 7);
                values[i] = (float) (NUMBERS[code] * scale * SCALE);
            }
            switch (form) {
                case PACKED -> {
                    put("weight_packed", DType.U8, codes, ROWS, COLUMNS / 2);
                    put("weight_global_scale", 1 / SCALE);
                }
                case SECOND_SCALE -> {
                    put("weight", DType.U8, codes, ROWS, COLUMNS / 2);
                    put("weight_scale_2", SCALE);
                }
                case GGUF -> {
                    put("weight", DType.NVFP4_BLOCKS, blocks, ROWS, COLUMNS);
                    put("scale", SCALE);
                }
            }
            if (form != Form.GGUF) {
                put("weight_scale", DType.F8_E4M3, scales, ROWS, COLUMNS / 16);
            }
        }

        void put(String name, DType dtype, byte[] data, long... shape) {
            tensors.put("w." + name, new Tensor("w." + name, dtype, Shape.of(shape), MemorySegment.ofArray(data)));
        }

        void put(String name, float scale) {
            tensors.put("w." + name, new Tensor("w." + name, DType.F32, Shape.of(1), MemorySegment.ofArray(new float[] {scale})));
        }

        Optional<Tensor> read(Arena arena) throws FormatException {
            return form == Form.GGUF ? Optional.of(Nvfp4Weight.ofGguf(Path.of("file"), tensors, tensors.get("w.weight"), arena))
                    : Nvfp4Weight.read(Path.of("file"), tensors, "w.weight", arena);
        }
    }

    @ParameterizedTest
    @EnumSource(Form.class)
    void read_storedWeight_hasItsNumbersAndIsWrittenAsItWas(Form form) throws IOException {
        Stored stored = new Stored(form);
        try (Arena arena = Arena.ofShared()) {
            Tensor tensor = stored.read(arena).orElseThrow();
            assertEquals(DType.NVFP4, tensor.dtype());
            assertEquals(Shape.of(ROWS, COLUMNS), tensor.shape());
            float[] found = new float[COLUMNS];
            long rowBytes = DType.NVFP4.rowBytes(COLUMNS);
            for (int row = 0; row < ROWS; row++) {
                MemorySegment bytes = tensor.data().asSlice(row * rowBytes, rowBytes);
                Codec.of(DType.NVFP4).decode(bytes, 0, found, 0, COLUMNS);
                for (int i = 0; i < COLUMNS; i++) {
                    assertEquals(stored.values[row * COLUMNS + i], found[i], "row " + row + ", weight " + i);
                }
                if (form == Form.GGUF) {
                    written("weight", stored, row, COLUMNS / 64 * 36, target -> Nvfp4Weight.writeGguf(bytes, target));
                } else {
                    written(form == Form.PACKED ? "weight_packed" : "weight", stored, row, COLUMNS / 2,
                            target -> Nvfp4Weight.writeCodes(bytes, target));
                    written("weight_scale", stored, row, COLUMNS / 16, target -> Nvfp4Weight.writeScales(bytes, target));
                }
            }
        }
    }

    private static void written(String part, Stored stored, int row, int bytes, Consumer<MemorySegment> writer) {
        byte[] target = new byte[bytes];
        writer.accept(MemorySegment.ofArray(target));
        assertEquals(-1, MemorySegment.ofArray(target).mismatch(stored.tensors.get("w." + part).data().asSlice((long) row * bytes, bytes)),
                part + " of row " + row);
    }

    @Test
    void read_plainWeight_isNone() throws FormatException {
        Stored stored = new Stored(Form.SECOND_SCALE);
        stored.tensors.remove("w.weight_scale_2");
        assertTrue(stored.read(Arena.global()).isEmpty());
    }

    @Test
    void ofGguf_withoutScale_isScaledByOne() throws FormatException {
        Stored stored = new Stored(Form.GGUF);
        stored.tensors.remove("w.scale");
        float[] found = new float[COLUMNS];
        Codec.of(DType.NVFP4).decode(stored.read(Arena.global()).orElseThrow().data(), 0, found, 0, COLUMNS);
        float[] expected = new float[COLUMNS];
        for (int i = 0; i < COLUMNS; i++) {
            expected[i] = stored.values[i] / SCALE;
        }
        assertArrayEquals(expected, found);
    }

    @Test
    void read_partsThatDoNotFit_namesThem() {
        refused(Form.PACKED, stored -> stored.tensors.remove("w.weight_scale"), "no w.weight_scale");
        refused(Form.PACKED, stored -> stored.tensors.remove("w.weight_global_scale"), "no w.weight_global_scale");
        refused(Form.SECOND_SCALE, stored -> stored.tensors.remove("w.weight"), "no codes");
        refused(Form.PACKED, stored -> stored.put("weight_packed", DType.I32, new byte[24 * ROWS], ROWS, 6), "I32 [6, 6]");
        refused(Form.PACKED, stored -> stored.put("weight_packed", DType.U8, new byte[9 * ROWS], ROWS, 9), "a multiple of 16");
        refused(Form.PACKED, stored -> stored.put("weight_packed", DType.U8, new byte[8 * ROWS], ROWS, 8), "w.weight_scale of F8_E4M3");
        refused(Form.PACKED, stored -> stored.put("weight_global_scale", 0), "a global scale of 0.0");
        refused(Form.PACKED, stored -> stored.put("weight_global_scale", Float.POSITIVE_INFINITY), "a global scale of Infinity");
        refused(Form.SECOND_SCALE, stored -> stored.put("weight_scale_2", -1), "a second scale of -1.0");
        refused(Form.GGUF, stored -> stored.put("scale", Float.NaN), "a scale of NaN");
        refused(Form.GGUF, stored -> stored.put("scale", DType.F16, new byte[2], 1), "w.scale of F16");
        for (Form form : Form.values()) {
            refused(form, stored -> stored.tensors.get(form == Form.GGUF ? "w.weight" : "w.weight_scale").data().fill((byte) 0x7f),
                    "row 0: elements 0 to 15 have a scale of NaN");
        }
    }

    private static void refused(Form form, Consumer<Stored> damage, String expected) {
        Stored stored = new Stored(form);
        damage.accept(stored);
        String message = assertThrows(FormatException.class, () -> stored.read(Arena.global()), expected).getMessage();
        assertTrue(message.contains(expected) && message.contains("tensor w.weight of NVFP4"), message);
    }
}
