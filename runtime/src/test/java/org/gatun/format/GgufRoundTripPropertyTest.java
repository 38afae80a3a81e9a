package org.gatun.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GgufRoundTripPropertyTest {
    private static final DType[] TYPES = DType.all().stream()
            .filter(dtype -> !Set.of(DType.U8, DType.BOOL, DType.NF4, DType.FP4, DType.INT8, DType.NVFP4, DType.F8_E4M3).contains(dtype)
                    && !(dtype instanceof DType.Sparse))
            .toArray(DType[]::new);

    @TempDir
    Path directory;

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
    void write_randomFile_readsTheSame(long seed) throws IOException {
        SplittableRandom random = new SplittableRandom(seed);
        GgufWriter writer = new GgufWriter();
        Map<String, Object> values = new LinkedHashMap<>();
        if (random.nextBoolean()) {
            long alignment = 1L << random.nextInt(8);
            writer.putUint32("general.alignment", alignment);
            values.put("general.alignment", alignment);
        }
        for (int i = random.nextInt(30); i > 0; i--) {
            String key = "key." + i;
            values.put(key, putRandom(writer, key, random));
        }
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (int i = random.nextInt(12); i > 0; i--) {
            Tensor tensor = randomTensor("blk." + i + ".weight", random);
            tensors.put(tensor.name(), tensor);
            writer.tensor(tensor);
        }
        Path first = directory.resolve("first.gguf");
        writer.write(first);
        try (GgufFile file = GgufFile.open(first)) {
            assertSame(values, file.metadata().values());
            assertSame(tensors, file);
            Path second = directory.resolve("second.gguf");
            GgufWriter copy = new GgufWriter();
            if (file.metadata().has("general.alignment")) {
                copy.putUint32("general.alignment", file.metadata().integer("general.alignment").orElseThrow());
            }
            copy.putAll(file);
            file.tensors().values().forEach(copy::tensor);
            copy.write(second);
            assertEquals(-1, Files.mismatch(first, second));
        }
    }

    @Test
    void write_streamedTensor_reportsProgress() throws IOException {
        Path path = directory.resolve("streamed.gguf");
        List<Long> progress = new ArrayList<>();
        new GgufWriter().tensor("w", DType.F32, Shape.of(1000, 25), channel -> {
            for (int row = 0; row < 1000; row++) {
                channel.write(ByteBuffer.allocate(100));
            }
        }).write(path, progress::add);
        assertTrue(progress.size() > 1000);
        assertEquals(Files.size(path), progress.getLast());
    }

    @Test
    void write_sourceOfWrongSize_leavesOldFileAlone() throws IOException {
        Path path = Files.writeString(directory.resolve("old.gguf"), "old");
        GgufWriter writer = new GgufWriter()
                .tensor("w", DType.F32, Shape.of(2), TensorData.of(MemorySegment.ofArray(new byte[7])));
        assertEquals("tensor w: its source wrote 7 bytes, expected 8",
                assertThrows(IllegalStateException.class, () -> writer.write(path)).getMessage());
        assertEquals("old", Files.readString(path));
        try (Stream<Path> files = Files.list(directory)) {
            assertEquals(List.of(path), files.toList());
        }
    }

    @Test
    void write_directoryOrDevice_refused() {
        assertThrows(IOException.class, () -> new GgufWriter().write(directory));
        assertTrue(assertThrows(IOException.class, () -> new GgufWriter().write(directory.resolve("no/out.gguf")))
                .getMessage().contains("there is no folder"));
        if (Files.exists(Path.of("/dev/null"))) {
            assertThrows(IOException.class, () -> new GgufWriter().write(Path.of("/dev/null")));
            assertTrue(!Files.isRegularFile(Path.of("/dev/null")));
        }
    }

    @Test
    void put_invalid_refused() {
        GgufWriter writer = new GgufWriter().putBool("k", true);
        TensorData none = _ -> {};
        assertThrows(IllegalArgumentException.class, () -> writer.putBool("k", true));
        assertThrows(IllegalArgumentException.class, () -> writer.putString("", ""));
        assertThrows(IllegalArgumentException.class, () -> writer.putUint32("n", -1));
        assertThrows(IllegalArgumentException.class, () -> writer.putUint32("n", 1L << 32));
        assertThrows(IllegalArgumentException.class, () -> writer.putUint32("general.alignment", 24));
        assertThrows(IllegalArgumentException.class, () -> writer.tensor("w", DType.U8, Shape.of(1), none));
        assertThrows(IllegalArgumentException.class, () -> writer.tensor("w", DType.Q4_K, Shape.of(8, 32), none));
        assertThrows(IllegalArgumentException.class, () -> writer.tensor("w", DType.F32, Shape.of(0), none));
        assertThrows(IllegalArgumentException.class, () -> writer.tensor("w".repeat(64), DType.F32, Shape.of(1), none));
        assertThrows(IllegalArgumentException.class, () -> writer.tensor("w", DType.F32, Shape.of(1, 1, 1, 1, 1), none));
    }

    static Tensor randomTensor(String name, SplittableRandom random) {
        return randomTensor(name, TYPES[random.nextInt(TYPES.length)], random);
    }

    static Tensor randomTensor(String name, DType dtype, SplittableRandom random) {
        long[] dimensions = new long[1 + random.nextInt(4)];
        for (int i = 0; i < dimensions.length; i++) {
            dimensions[i] = 1 + random.nextInt(4);
        }
        dimensions[dimensions.length - 1] *= dtype.blockElements();
        Shape shape = Shape.of(dimensions);
        byte[] data = new byte[Math.toIntExact(dtype.byteSize(shape))];
        random.nextBytes(data);
        return new Tensor(name, dtype, shape, MemorySegment.ofArray(data));
    }

    private static Object putRandom(GgufWriter writer, String key, SplittableRandom random) {
        int size = random.nextInt(5);
        return switch (random.nextInt(10)) {
            case 0 -> {
                String value = "é".repeat(size);
                writer.putString(key, value);
                yield value;
            }
            case 1 -> {
                long value = random.nextLong(1L << 32);
                writer.putUint32(key, value);
                yield value;
            }
            case 2 -> {
                int value = random.nextInt();
                writer.putInt32(key, value);
                yield (long) value;
            }
            case 3 -> {
                long value = random.nextLong();
                writer.putInt64(key, value);
                yield value;
            }
            case 4 -> {
                float value = random.nextFloat();
                writer.putFloat32(key, value);
                yield (double) value;
            }
            case 5 -> {
                double value = random.nextDouble();
                writer.putFloat64(key, value);
                yield value;
            }
            case 6 -> {
                boolean value = random.nextBoolean();
                writer.putBool(key, value);
                yield value;
            }
            case 7 -> {
                List<String> value = random.ints(size).mapToObj(Integer::toString).toList();
                writer.putStrings(key, value);
                yield value;
            }
            case 8 -> {
                int[] value = random.ints(size).toArray();
                writer.putInt32s(key, value);
                yield value;
            }
            default -> {
                float[] value = new float[size];
                for (int i = 0; i < size; i++) {
                    value[i] = random.nextFloat();
                }
                writer.putFloat32s(key, value);
                yield value;
            }
        };
    }

    private static void assertSame(Map<String, Object> expected, Map<String, Object> actual) {
        assertEquals(List.copyOf(expected.keySet()), List.copyOf(actual.keySet()));
        assertArrayEquals(expected.values().toArray(), actual.values().toArray());
    }

    private static void assertSame(Map<String, Tensor> expected, GgufFile file) throws IOException {
        assertEquals(List.copyOf(expected.keySet()), List.copyOf(file.tensors().keySet()));
        for (Tensor tensor : expected.values()) {
            Tensor found = file.tensors().get(tensor.name());
            assertEquals(tensor.dtype(), found.dtype());
            assertEquals(tensor.shape(), found.shape());
            assertArrayEquals(tensor.data().toArray(ValueLayout.JAVA_BYTE), found.data().toArray(ValueLayout.JAVA_BYTE));
        }
    }
}
