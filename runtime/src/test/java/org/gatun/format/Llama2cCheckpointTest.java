package org.gatun.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import org.gatun.model.convert.Llama2cConverter;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class Llama2cCheckpointTest {
    private static final String TOKENIZER = "stories260K/tok512.bin";

    /// Keys whose value the converter of llama.cpp makes up, or that only one of the two writes: it knows no context
    /// length and marks absent tokens by -1.
    private static final Set<String> NOT_COMPARED = Set.of("general.name", "llama.context_length",
            "tokenizer.ggml.seperator_token_id", "tokenizer.ggml.padding_token_id", "general.file_type",
            "llama.rope.freq_base", "llama.vocab_size", "tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token");

    @TempDir
    Path directory;

    @ParameterizedTest
    @CsvSource({
        "stories260K/stories260K.bin, stories260K/stories260K-f32.gguf",
        "stories260K/stories260K-v1.bin, stories260K/stories260K-f32.gguf",
        "llama2xs-280k/model.bin, llama2xs-280k/llama2xs-280k-f32.gguf"
    })
    void writeGguf_realCheckpoint_asLlamaCppConverts(String weights, String expectedFile) throws IOException {
        Path out = directory.resolve("out.gguf");
        AtomicLong progress = new AtomicLong();
        try (Llama2cCheckpoint checkpoint = Llama2cCheckpoint.open(ModelFixtures.require(weights))) {
            Llama2cConverter.write(checkpoint, ModelFixtures.require(TOKENIZER), out, progress::set);
        }
        assertEquals(Files.size(out), progress.get());
        try (GgufFile expected = GgufFile.open(ModelFixtures.require(expectedFile)); GgufFile actual = GgufFile.open(out)) {
            Map<String, Tensor> tensors = new TreeMap<>(expected.tensors());
            assertEquals(-1, tensors.remove("output.weight").data().mismatch(tensors.get("token_embd.weight").data()));
            assertEquals(tensors.keySet(), new TreeSet<>(actual.tensors().keySet()));
            for (Tensor tensor : tensors.values()) {
                Tensor found = actual.tensors().get(tensor.name());
                assertEquals(tensor.shape(), found.shape());
                assertEquals(-1, tensor.data().mismatch(found.data()), tensor.name());
            }
            Map<String, Object> expectedValues = comparable(expected);
            assertEquals(expectedValues.keySet(), comparable(actual).keySet());
            assertArrayEquals(expectedValues.values().toArray(), comparable(actual).values().toArray());
        }
    }

    @Test
    void open_realCheckpoint_readsConfig() throws IOException {
        try (Llama2cCheckpoint checkpoint = Llama2cCheckpoint.open(ModelFixtures.require("stories260K/stories260K.bin"))) {
            assertEquals(new Llama2cCheckpoint.Config(64, 172, 5, 8, 4, 512, 512, true), checkpoint.config());
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void open_classifierNotShared_hasOutput(boolean legacy) throws IOException {
        Path path = legacy ? tiny(2, 3, 1, 1, 1, -5, 4) : tinyVersion1(false);
        try (Llama2cCheckpoint checkpoint = Llama2cCheckpoint.open(path)) {
            assertEquals(12, checkpoint.tensors().size());
            float[] output = checkpoint.tensors().get("output.weight").data()
                    .toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
            int floats = (int) (Files.size(path) - (legacy ? 28 : 256)) / 4;
            assertEquals(floats - 1, output[9]);
        }
    }

    @Test
    void open_impossibleHeader_saysWhatWasFound() throws IOException {
        for (int field = 0; field < 7; field++) {
            int[] header = {2, 3, 1, 1, 1, 5, 4};
            header[field] = 0;
            assertFails(tiny(header), "expected sizes that are positive and not huge");
            header[field] = Integer.MIN_VALUE;
            assertFails(tiny(header), "");
            header[field] = Integer.MAX_VALUE;
            assertFails(tiny(header), "");
        }
        assertFails(tiny(2, 3, 1, 2, 1, 5, 4), "expected heads that divide the hidden size evenly");
        assertFails(tiny(1 << 20, 1 << 20, 10_000, 1, 1, 1 << 24, 1 << 24), "expected at least 83886080000 bytes for Config");
        Path gguf = Files.write(directory.resolve("a.gguf"), GgufBytes.header(3, 0, 0).toByteArray());
        assertFails(gguf, "found a GGUF file, which needs no import");
        assertFails(directory, "found a directory: expected a llama2.c checkpoint");
    }

    @Test
    void open_everyTruncation_refused() throws IOException {
        byte[] whole = Files.readAllBytes(tinyVersion1(true));
        for (int length = 0; length < whole.length; length++) {
            assertFails(Files.write(directory.resolve("cut.bin"), Arrays.copyOf(whole, length)), "");
        }
    }

    @Test
    void open_int8Layout_namesVersion() throws IOException {
        byte[] bytes = Files.readAllBytes(tinyVersion1(true));
        bytes[4] = 2;
        assertFails(Files.write(directory.resolve("int8.bin"), bytes), "found llama2.c layout version 2 (int8)");
    }

    @Test
    void writeGguf_tokenizerOfOtherModel_refused() throws IOException {
        Path tokenizer = ModelFixtures.require(TOKENIZER);
        try (Llama2cCheckpoint tiny = Llama2cCheckpoint.open(tiny(2, 3, 1, 1, 1, 5, 4))) {
            assertTrue(assertThrows(FormatException.class, () -> Llama2cConverter.write(tiny, tokenizer, directory.resolve("o"), _ -> {}))
                    .getMessage().contains("bytes after token 4: expected a vocabulary of 5 tokens"));
        }
        try (Llama2cCheckpoint tiny = Llama2cCheckpoint.open(tiny(2, 3, 1, 1, 1, 513, 4))) {
            assertTrue(assertThrows(FormatException.class, () -> Llama2cConverter.write(tiny, tokenizer, directory.resolve("o"), _ -> {}))
                    .getMessage().contains("token 512 of 513"));
        }
    }

    @Test
    void vocabulary_everyTruncationAndBitFlip_failsOrReads() throws IOException {
        byte[] whole = Arrays.copyOf(Files.readAllBytes(ModelFixtures.require(TOKENIZER)), 4 + 3 * 8 + 5 + 5 + 6);
        for (int length = 0; length < whole.length; length++) {
            Path cut = Files.write(directory.resolve("cut.bin"), Arrays.copyOf(whole, length));
            assertThrows(FormatException.class, () -> Llama2cVocabulary.read(cut, 3));
        }
        for (int bit = 0; bit < whole.length * 8; bit++) {
            byte[] flipped = whole.clone();
            flipped[bit / 8] ^= (byte) (1 << bit % 8);
            try {
                assertEquals(3, Llama2cVocabulary.read(Files.write(directory.resolve("f.bin"), flipped), 3).pieces().size());
            } catch (FormatException expected) {
                assertTrue(expected.getMessage().contains("f.bin"));
            }
        }
    }

    @Test
    void vocabulary_scoreThatIsNoNumber_isRefusedByName() throws IOException {
        byte[] bytes = ByteBuffer.allocate(13).order(ByteOrder.LITTLE_ENDIAN).putInt(1).putFloat(Float.NaN).putInt(1).put((byte) 'a').array();
        Path file = Files.write(directory.resolve("nan.bin"), bytes);

        String message = assertThrows(FormatException.class, () -> Llama2cVocabulary.read(file, 1)).getMessage();
        assertTrue(message.contains("token 0 of 1 has the score NaN: expected a finite number"), message);
    }

    private void assertFails(Path path, String message) {
        FormatException failure = assertThrows(FormatException.class, () -> Llama2cCheckpoint.open(path).close());
        assertTrue(failure.getMessage().contains(message), failure.getMessage());
    }

    /// A legacy checkpoint of hidden size 2 whose weights count up; with header as given, true to it or not.
    private Path tiny(int... header) throws IOException {
        int vocabulary = header[5] == 513 ? 513 : 5;
        int floats = 2 * vocabulary * (header[5] == -5 ? 2 : 1) + 2 + 4 * 4 + 2 + 3 * 6 + 2 + 8;
        ByteBuffer out = ByteBuffer.allocate(28 + 4 * floats).order(ByteOrder.LITTLE_ENDIAN);
        Arrays.stream(header).forEach(out::putInt);
        return Files.write(directory.resolve("tiny.bin"), countUp(out));
    }

    private Path tinyVersion1(boolean shared) throws IOException {
        ByteBuffer out = ByteBuffer.allocate(256 + 4 * ((shared ? 10 : 20) + 2 + 4 * 4 + 2 + 3 * 6 + 2))
                .order(ByteOrder.LITTLE_ENDIAN);
        List.of(0x616b3432, 1, 2, 3, 1, 1, 1, 5, 4).forEach(out::putInt);
        out.put((byte) (shared ? 1 : 0)).position(256);
        return Files.write(directory.resolve("tiny1.bin"), countUp(out));
    }

    private static byte[] countUp(ByteBuffer out) {
        for (int i = 0; out.hasRemaining(); i++) {
            out.putFloat(i);
        }
        return out.array();
    }

    private static Map<String, Object> comparable(GgufFile file) {
        Map<String, Object> values = new TreeMap<>(file.metadata().values());
        values.keySet().removeAll(NOT_COMPARED);
        return values;
    }
}
