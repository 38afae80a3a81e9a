package org.gatun.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsFileTest {
    private static final DType[] TYPES = {DType.F64, DType.F32, DType.F16, DType.BF16, DType.I64, DType.I32, DType.I16,
        DType.I8, DType.U8, DType.BOOL};
    private static final String TENSOR = "{\"dtype\":\"I8\",\"shape\":[4],\"data_offsets\":[0,4]}";

    @TempDir
    Path directory;

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void write_randomFile_readsTheSameAligned(long seed) throws IOException {
        SplittableRandom random = new SplittableRandom(seed);
        SafetensorsWriter writer = new SafetensorsWriter().put("format", "pt").put("\"quoted\"", "é\n");
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (int i = random.nextInt(12); i > 0; i--) {
            DType dtype = TYPES[random.nextInt(TYPES.length)];
            Tensor tensor = GgufRoundTripPropertyTest.randomTensor("layers." + i, dtype, random);
            tensors.put(tensor.name(), tensor);
            writer.tensor(tensor);
        }
        writer.tensor("empty", DType.F32, Shape.of(0, 3), _ -> {});
        Path path = directory.resolve("model.safetensors");
        writer.write(path);
        try (SafetensorsFile file = SafetensorsFile.open(directory)) {
            assertEquals(path, file.path());
            assertEquals(Map.of("format", "pt", "\"quoted\"", "é\n"), file.metadata().values());
            assertEquals(0, file.tensors().get("empty").data().byteSize());
            assertEquals(tensors.size() + 1, file.tensors().size());
            for (Tensor tensor : tensors.values()) {
                Tensor found = file.tensors().get(tensor.name());
                assertEquals(tensor.dtype(), found.dtype());
                assertEquals(tensor.shape(), found.shape());
                assertEquals(-1, tensor.data().mismatch(found.data()));
                assertEquals(0, found.data().address() % found.dtype().blockBytes());
            }
        }
    }

    @Test
    void open_realFiles_readsTensors() throws IOException {
        try (SafetensorsFile file = SafetensorsFile.open(ModelFixtures.require("safetensors-fixtures/list.safetensors"))) {
            assertEquals(List.of("attention", "embedding"), List.copyOf(file.tensors().keySet()));
            assertEquals(Shape.of(2, 3), file.tensors().get("attention").shape());
        }
        SafetensorsFile.open(ModelFixtures.require("safetensors-fixtures/voices.safetensors")).close();
    }

    @Test
    void open_notASafetensorsFile_saysWhatWasFound() throws IOException {
        Path text = Files.writeString(directory.resolve("text"), "Once upon a time");
        assertFails(text, "found a header length of 8030046917602012751 in a file of 16 bytes");
        assertFails(directory, "found 0 files *.safetensors and neither model.safetensors.index.json");
        assertFails(directory.resolve("absent"), "found no such file: expected a safetensors file");
        assertFails(Files.writeString(directory.resolve("short"), "abc"), "found 3 bytes left, expected 8");
        Path huge = directory.resolve("huge.safetensors");
        try (RandomAccessFile file = new RandomAccessFile(huge.toFile(), "rw")) {
            file.writeLong(Long.reverseBytes(200_000_000));
            file.setLength(300_000_000);
        }
        assertFails(huge, "found a header length of 200000000");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\u0001', value = {
        "[1]                                                         | found no JSON object",
        "{\"a\":                                                     | at byte 13: the header is damaged: line 1, column 6: the text ends",
        "{\"a\":@,\"a\":@}                                           | found the key \"a\" twice in one object: expected it once",
        "{\"a\":@} {}                                                | found text that is not JSON",
        "{\"a\":3}                                                   | tensor a has type",
        "{\"a\":{\"dtype\":\"F8_E5M2\"}}                             | expected shape and data_offsets to be arrays",
        "{\"a\":{\"dtype\":\"Q8_0\",\"shape\":[4],\"data_offsets\":[4,0]}} | has data_offsets [4, 0]: expected begin and end",
        "{\"a\":{\"dtype\":\"I8\",\"data_offsets\":[0,4]}}           | expected shape and data_offsets to be arrays",
        "{\"a\":{\"dtype\":\"I8\",\"shape\":[-4],\"data_offsets\":[0,4]}}   | none negative; found [-4]",
        "{\"a\":{\"dtype\":\"I8\",\"shape\":[4.0],\"data_offsets\":[0,4]}}  | arrays of integers",
        "{\"a\":{\"dtype\":\"I8\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}  | arrays of integers",
        "{\"a\":{\"dtype\":\"I8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}} | of more than 2^63 bytes",
        "{\"a\":{\"dtype\":\"I8\",\"shape\":[4],\"data_offsets\":[0,5]}}    | has data_offsets [0, 5]: expected begin and end of 4",
        "{\"a\":{\"dtype\":\"I8\",\"shape\":[4],\"data_offsets\":[0]}}      | has data_offsets [0]: expected",
        "{\"a\":{\"dtype\":\"I8\",\"shape\":[4],\"data_offsets\":[1,5]}}    | takes bytes 1 to 5: expected it to begin at 0",
        "{\"a\":{\"dtype\":\"I8\",\"shape\":[5],\"data_offsets\":[0,5]}}    | to end within 4",
        "{\"a\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[0,3]}}    | found 4 bytes of data: expected 3",
        "{\"a\":@,\"b\":@}                                           | tensor b takes bytes 0 to 4: expected it to begin at 4"
    })
    void open_invalidHeader_saysWhatWasFound(String header, String message) throws IOException {
        assertFails(write("bad.safetensors", header.replace("@", TENSOR), 4), message);
    }

    @Test
    void open_deepJson_refused() throws IOException {
        assertFails(write("deep.safetensors", "{\"a\":" + "[".repeat(1_000_000), 0), "found values too deep in each other");
    }

    @Test
    void open_shards_findsAllByIndex() throws IOException {
        write("one.safetensors", "{\"a\":" + TENSOR + "}", 4);
        write("two.safetensors", "{\"__metadata__\":{\"format\":\"pt\"},\"b\":" + TENSOR + "}", 4);
        index("{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}");
        Files.writeString(directory.resolve("config.json"), "{\"hidden_size\":64}");
        try (SafetensorsFile file = SafetensorsFile.open(directory)) {
            assertEquals(List.of("a", "b"), List.copyOf(file.tensors().keySet()));
            assertEquals(Optional.of("pt"), file.metadata().string("format"));
            assertEquals(64, file.json("config.json").orElseThrow().get("hidden_size").intValue());
            assertTrue(file.json("generation_config.json").isEmpty());
            assertThrows(IllegalArgumentException.class, () -> file.json("../config.json"));
            assertArrayEquals(new byte[] {0, 1, 2, 3}, file.tensors().get("b").data().toArray(ValueLayout.JAVA_BYTE));
            Files.writeString(directory.resolve("config.json"), "[]");
            assertThrows(FormatException.class, () -> file.json("config.json"));
        }
    }

    @Test
    void open_badIndex_saysWhatWasFound() throws IOException {
        write("one.safetensors", "{\"a\":" + TENSOR + "}", 4);
        for (String shard : List.of("\"../one.safetensors\"", "\"/etc/passwd\"", "\"..\"", "\"a\\\\b\"", "\"\"", "1",
                "\"a\\u0000\"", "\"\\ud800\"")) {
            assertFails(index("{\"a\":" + shard + "}"), "expected the name of a file beside the index");
        }
        assertFails(index("[]"), "found no object weight_map");
        assertFails(index("{\"a\":\"absent.safetensors\"}"), "absent.safetensors: found no such file");
        assertFails(index("{\"b\":\"one.safetensors\"}"), "found no tensor b, which the index");
    }

    @Test
    void open_everyTruncationAndByte_failsOrReads() throws IOException {
        byte[] whole = Files.readAllBytes(
                write("whole.safetensors", "{\"__metadata__\":{\"k\":\"v\"},\"a\":" + TENSOR + "}", 4));
        Path path = directory.resolve("damaged.safetensors");
        for (int length = 0; length < whole.length; length++) {
            byte[] cut = Arrays.copyOf(whole, length);
            Files.write(path, cut);
            assertThrows(FormatException.class, () -> SafetensorsFile.open(path).close());
        }
        for (int at = 0; at < whole.length - 4; at++) {
            for (int value : new int[] {0, 0xff, '"', '9', '-', '{', whole[at] ^ 1, whole[at] ^ 0x80}) {
                byte[] damaged = whole.clone();
                damaged[at] = (byte) value;
                Files.write(path, damaged);
                try (SafetensorsFile file = SafetensorsFile.open(path)) {
                    file.tensors().values().forEach(tensor -> assertTrue(tensor.data().byteSize() <= 4));
                } catch (FormatException expected) {
                    assertTrue(expected.getMessage().contains("damaged.safetensors"));
                }
            }
        }
    }

    @Test
    void close_twice_tensorsThenRefused() throws IOException {
        SafetensorsFile file = SafetensorsFile.open(write("a.safetensors", "{\"a\":" + TENSOR + "}", 4));
        MemorySegment data = file.tensors().get("a").data();
        file.close();
        file.close();
        assertThrows(IllegalStateException.class, file::tensors);
        assertThrows(IllegalStateException.class, () -> data.get(ValueLayout.JAVA_BYTE, 0));
    }

    @Test
    void tensor_invalid_refused() {
        SafetensorsWriter writer = new SafetensorsWriter().tensor("a", DType.I8, Shape.of(1), _ -> {});
        assertThrows(IllegalArgumentException.class, () -> writer.tensor("a", DType.I8, Shape.of(1), _ -> {}));
        assertThrows(IllegalArgumentException.class, () -> writer.tensor("b", DType.Q8_0, Shape.of(32), _ -> {}));
        assertThrows(IllegalArgumentException.class, () -> writer.tensor("__metadata__", DType.I8, Shape.of(1), _ -> {}));
    }

    private Path index(String weightMap) throws IOException {
        return Files.writeString(directory.resolve("model.safetensors.index.json"), "{\"weight_map\":" + weightMap + "}");
    }

    /// A file of this header and `dataBytes` bytes that count up.
    private Path write(String name, String header, int dataBytes) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer out = ByteBuffer.allocate(8 + json.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
        out.putLong(json.length).put(json);
        for (int i = 0; i < dataBytes; i++) {
            out.put((byte) i);
        }
        return Files.write(directory.resolve(name), out.array());
    }

    private static void assertFails(Path path, String message) {
        FormatException failure = assertThrows(FormatException.class, () -> SafetensorsFile.open(path).close());
        assertTrue(failure.getMessage().contains(message), failure.getMessage());
    }
}
