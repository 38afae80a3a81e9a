package org.gatun.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufFileTest {
    @TempDir
    Path directory;

    @Test
    void open_everyValueType_keepsValue() throws IOException {
        GgufBytes file = GgufBytes.header(3, 0, 14)
                .string("u8").int32(0).int8(255)
                .string("i8").int32(1).int8(-1)
                .string("u16").int32(2).int16(65535)
                .string("i16").int32(3).int16(-1)
                .string("u32").int32(4).int32(-1)
                .string("i32").int32(5).int32(-1)
                .string("f32").int32(6).int32(Float.floatToIntBits(0.1f))
                .string("bool").int32(7).int8(1)
                .string("string").int32(8).string("Gatún")
                .string("u64").int32(10).int64(Long.MAX_VALUE)
                .string("i64").int32(11).int64(Long.MIN_VALUE)
                .string("f64").int32(12).int64(Double.doubleToLongBits(0.1))
                .string("nested").int32(9).int32(9).int64(2)
                .int32(8).int64(1).string("a").int32(7).int64(2).int8(0).int8(1)
                .string("u32s").int32(9).int32(4).int64(2).int32(7).int32(8);
        Metadata metadata = file.parse().metadata();
        assertEquals(255L, metadata.values().get("u8"));
        assertEquals(-1L, metadata.values().get("i8"));
        assertEquals(65535L, metadata.values().get("u16"));
        assertEquals(-1L, metadata.values().get("i16"));
        assertEquals(4294967295L, metadata.values().get("u32"));
        assertEquals(-1L, metadata.values().get("i32"));
        assertEquals((double) 0.1f, metadata.values().get("f32"));
        assertEquals(Optional.of(true), metadata.bool("bool"));
        assertEquals(Optional.of("Gatún"), metadata.string("string"));
        assertEquals(Long.MAX_VALUE, metadata.values().get("u64"));
        assertEquals(Long.MIN_VALUE, metadata.values().get("i64"));
        assertEquals(Optional.of(0.1), metadata.number("f64"));
        List<?> nested = (List<?>) metadata.values().get("nested");
        assertEquals(List.of("a"), nested.getFirst());
        assertArrayEquals(new boolean[] {false, true}, (boolean[]) nested.getLast());
        assertArrayEquals(new int[] {7, 8}, metadata.integers("u32s").orElseThrow());
        assertEquals(List.of("u8", "i8", "u16"), metadata.values().keySet().stream().limit(3).toList());
    }

    @Test
    void open_version2WithAlignment_findsTensor() throws IOException {
        GgufFile file = GgufBytes.header(2, 1, 1).string("general.alignment").int32(4).int32(64)
                .string("w").int32(2).int64(3).int64(2).int32(24).int64(64)
                .pad(192).int8(1).int8(2).int8(3).int8(4).int8(5).int8(6).parse();
        Tensor tensor = file.tensors().get("w");
        assertEquals(2, file.version());
        assertEquals(Shape.of(2, 3), tensor.shape());
        assertEquals(DType.I8, tensor.dtype());
        assertArrayEquals(new byte[] {1, 2, 3, 4, 5, 6}, tensor.data().toArray(ValueLayout.JAVA_BYTE));
    }

    @Test
    void open_notAGgufFile_saysWhatWasFound() throws IOException {
        Path empty = Files.createFile(directory.resolve("empty.gguf"));
        Path text = Files.writeString(directory.resolve("text.gguf"), "Once upon a time");
        assertFails(directory, "found a directory: expected a GGUF file");
        assertFails(directory.resolve("absent"), "found no such file: expected a GGUF file");
        assertFails(empty, "found an empty file: expected a GGUF file");
        assertFails(text, "found bytes 4f6e6365: expected a GGUF file");
        assertFails(Files.writeString(directory.resolve("short"), "GG"), "found 2 bytes: expected a GGUF file");
        if (Files.exists(Path.of("/dev/null"))) {
            assertFails(Path.of("/dev/null"), "found a device or pipe: expected a GGUF file");
        }
    }

    @Test
    void open_versionNotRead_namesIt() {
        assertFails(GgufBytes.header(1, 0, 0), "found GGUF version 1: expected version 2 or 3");
        assertFails(GgufBytes.header(4, 0, 0), "found GGUF version 4: expected 2 or 3");
        assertFails(GgufBytes.header(Integer.reverseBytes(3), 0, 0), "found a big-endian GGUF file");
    }

    @Test
    void open_hugeCounts_failsWithoutAllocating() {
        assertFails(GgufBytes.header(3, 1L << 40, 0), "the list of tensors has a count of 1099511627776: expected at most");
        assertFails(GgufBytes.header(3, 0, -1), "the metadata has a count of 18446744073709551615: expected at most");
        assertFails(GgufBytes.header(3, 0, 1).string("k").int32(9).int32(8).int64(1L << 40).pad(1024),
                "k has a count of 1099511627776: expected at most");
        assertFails(GgufBytes.header(3, 0, 1).string("k").int32(8).int64(1L << 40).pad(1024), "bytes left, expected");
        assertFails(GgufBytes.header(3, 0, 1).string("k").int32(8).int64(-1).pad(1024),
                "expected 18446744073709551615 for k");
    }

    @Test
    void open_sparseFileWithHugeArray_failsByHeaderLimit() throws IOException {
        Path path = directory.resolve("sparse.gguf");
        byte[] header = GgufBytes.header(3, 0, 1).string("k").int32(9).int32(0).int64(3_000_000_000L).toByteArray();
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.write(header);
            file.setLength(4_000_000_000L);
        }
        assertFails(path, "k has a count of 3000000000: expected at most");
    }

    @Test
    void open_invalidMetadata_namesKey() {
        assertFails(GgufBytes.header(3, 0, 1).string("k").int32(7).int8(2), "k is a boolean of value 2");
        assertFails(GgufBytes.header(3, 0, 1).string("k").int32(13).int8(2), "k has value type 13: expected 0 to 12");
        assertFails(GgufBytes.header(3, 0, 2).string("k").int32(7).int8(1).string("k").int32(7).int8(1),
                "found metadata key k twice");
        GgufBytes deep = GgufBytes.header(3, 0, 1).string("k").int32(9);
        for (int i = 0; i < 10; i++) {
            deep.int32(9).int64(1);
        }
        assertFails(deep, "k has arrays in arrays more than 4 deep");
        for (int alignment : new int[] {0, 3, -1, Integer.MIN_VALUE}) {
            assertFails(GgufBytes.header(3, 0, 1).string("general.alignment").int32(5).int32(alignment),
                    "general.alignment is " + alignment + ": expected a power of two");
        }
    }

    @Test
    void open_invalidTensor_namesTensor() {
        assertFails(tensor(1, 0, 0, 0), "tensor w has a dimension of 0");
        assertFails(tensor(1, 0, 0, -1), "tensor w has a dimension of 18446744073709551615");
        assertFails(tensor(1, 12, 0, 32), "tensor w of type Q4_K has rows of 32 elements: expected a multiple of 256");
        assertFails(tensor(2, 0, 0, 1L << 40, 1L << 40), "tensor w has a shape of more than 2^63 bytes");
        assertFails(tensor(1, 0, 0, Long.MAX_VALUE), "tensor w has a shape of more than 2^63 bytes");
        assertFails(tensor(1, 0, 0, 1000), "tensor w takes 4000 bytes from offset 0, found 64 bytes of data");
        assertFails(tensor(1, 0, 96, 1), "tensor w takes 4 bytes from offset 96, found 64 bytes of data");
        assertFails(tensor(1, 0, -32, 1), "tensor w takes 4 bytes from offset 18446744073709551584");
        assertFails(tensor(1, 0, 4, 1), "tensor w is at offset 4: expected a multiple of the alignment 32");
        assertFails(tensor(5, 0, 0, 1, 1, 1, 1, 1), "tensor w has 5 dimensions: expected at most 4");
        assertFails(GgufBytes.header(3, 2, 0).string("w").int32(1).int64(1).int32(0).int64(0)
                .string("w").int32(1).int64(1).int32(0).int64(0).pad(32).pad(64), "found tensor w twice");
    }

    @Test
    void open_tensorOfATypeThatIsNotRead_isNotedAndTheOthersAreThere() throws IOException {
        for (int type : new int[] {10, 19, 99}) {
            GgufFile file = GgufBytes.header(3, 2, 0)
                    .string("unread").int32(1).int64(256).int32(type).int64(32)
                    .string("w").int32(1).int64(8).int32(0).int64(0).pad(192).parse();
            assertEquals(List.of("w"), List.copyOf(file.tensors().keySet()));
            assertEquals(Map.of("unread", type == 10 ? "Q2_K" : type == 19 ? "IQ1_S" : "number 99"), file.unreadable());
        }
        assertFails(GgufBytes.header(3, 2, 0)
                .string("w").int32(1).int64(256).int32(99).int64(0)
                .string("w").int32(1).int64(8).int32(0).int64(0).pad(192), "found tensor w twice");
    }

    @Test
    void open_integersBeyondALong_keepTheirValue() throws IOException {
        Metadata metadata = GgufBytes.header(3, 0, 2).string("k").int32(10).int64(-1)
                .string("ks").int32(9).int32(10).int64(2).int64(1).int64(-1).parse().metadata();
        BigInteger max = new BigInteger("18446744073709551615");
        assertEquals(max, metadata.values().get("k"));
        assertEquals(List.of(1L, max), metadata.values().get("ks"));
        assertEquals(Optional.of(max.doubleValue()), metadata.number("k"));
        assertContains(assertThrows(FormatException.class, () -> metadata.integer("k")), "k is 18446744073709551615: expected an integer");
    }

    @Test
    void metadata_numbersOfOtherKinds_areTheSameNumbers() throws IOException {
        Metadata metadata = GgufBytes.header(3, 0, 6)
                .string("float").int32(6).int32(Float.floatToIntBits(2048))
                .string("half").int32(12).int64(Double.doubleToLongBits(0.5))
                .string("yes").int32(0).int8(1)
                .string("doubles").int32(9).int32(12).int64(2).int64(Double.doubleToLongBits(4)).int64(Double.doubleToLongBits(-1))
                .string("bytes").int32(9).int32(1).int64(2).int8(-1).int8(3)
                .string("wide").int32(9).int32(11).int64(1).int64(7).parse().metadata();
        assertEquals(Optional.of(2048), metadata.integer("float"));
        assertContains(assertThrows(FormatException.class, () -> metadata.integer("half")), "half is 0.5: expected an integer");
        assertEquals(Optional.of(true), metadata.bool("yes"));
        assertArrayEquals(new int[] {4, -1}, metadata.integers("doubles").orElseThrow());
        assertArrayEquals(new float[] {-1, 3}, metadata.floats("bytes").orElseThrow());
        assertArrayEquals(new float[] {7}, metadata.floats("wide").orElseThrow());
    }

    @Test
    void metadata_valueOfAnotherKind_isSaidAsItIs() {
        Metadata metadata = new Metadata(Path.of("m.gguf"), Map.of("nested", List.of(List.of(new int[] {1, 2})), "long", new int[10_000],
                "texts", List.of("a", new int[] {3})));
        assertContains(assertThrows(FormatException.class, () -> metadata.string("nested")), "nested is [[[1, 2]]]: expected a string");
        assertContains(assertThrows(FormatException.class, () -> metadata.integer("nested")), "nested is [[[1, 2]]]: expected a number");
        assertContains(assertThrows(FormatException.class, () -> metadata.integers("nested")),
                "nested is [[[1, 2]]]: expected an array of numbers");
        assertContains(assertThrows(FormatException.class, () -> metadata.strings("texts")), "texts is [a, [3]]: expected an array of strings");
        assertContains(assertThrows(FormatException.class, () -> metadata.bool("long")), ", 0, ...: expected a boolean");
    }

    @Test
    void open_badTextInFile_messageStaysOneShortLine() {
        FormatException failure = assertThrows(FormatException.class, () -> GgufBytes.header(3, 0, 1)
                .string("k\n\u001b[31m" + "x".repeat(60_000)).int32(13).int64(0).parse());
        assertTrue(failure.getMessage().length() < 1500);
        assertTrue(failure.getMessage().chars().noneMatch(Character::isISOControl), failure.getMessage());
        assertEquals(Path.of("memory.gguf"), failure.file());
    }

    @Test
    void open_invalidUtf8_replaced() throws IOException {
        GgufBytes file = GgufBytes.header(3, 0, 1).string("k").int32(8).int64(2).int8('a').int8(0xff);
        assertEquals(Optional.of("a\uFFFD"), file.parse().metadata().string("k"));
    }

    @Test
    void close_twice_tensorsThenRefused() throws IOException {
        Path path = directory.resolve("tiny.gguf");
        new GgufWriter().tensor("w", DType.I8, Shape.of(1), TensorData.of(MemorySegment.ofArray(new byte[1])))
                .write(path);
        GgufFile file = GgufFile.open(path);
        MemorySegment data = file.tensors().get("w").data();
        file.close();
        file.close();
        assertEquals("GGUF file " + path + " is closed",
                assertThrows(IllegalStateException.class, file::tensors).getMessage());
        assertThrows(IllegalStateException.class, () -> data.get(ValueLayout.JAVA_BYTE, 0));
    }

    @Test
    void of_closed_memoryStaysUsable() throws IOException {
        MemorySegment memory = MemorySegment.ofArray(GgufBytes.header(3, 0, 0).toByteArray());
        GgufFile.of(memory, Path.of("memory.gguf")).close();
        assertEquals((byte) 'G', memory.get(ValueLayout.JAVA_BYTE, 0));
    }

    @Test
    void open_largeVocabulary_under100Milliseconds() throws IOException {
        List<String> tokens = new ArrayList<>();
        for (int i = 0; i < 128_256; i++) {
            tokens.add("Ġtoken" + i);
        }
        Path path = directory.resolve("vocabulary.gguf");
        new GgufWriter().putStrings("tokenizer.ggml.tokens", tokens).putInt32s("types", new int[tokens.size()])
                .write(path);
        long[] nanos = new long[5];
        for (int i = 0; i < nanos.length; i++) {
            long start = System.nanoTime();
            try (GgufFile file = GgufFile.open(path)) {
                assertEquals(tokens.size(), file.metadata().strings("tokenizer.ggml.tokens").orElseThrow().size());
            }
            nanos[i] = System.nanoTime() - start;
        }
        assertTrue(Arrays.stream(nanos).min().orElseThrow() < 100_000_000, Arrays.toString(nanos) + " ns");
    }

    private static GgufBytes tensor(int rank, int type, long offset, long... innermostFirst) {
        GgufBytes file = GgufBytes.header(3, 1, 0).string("w").int32(rank);
        Arrays.stream(innermostFirst).forEach(file::int64);
        file.int32(type).int64(offset);
        return file.pad(Math.ceilDiv(file.size(), 32) * 32 + 64);
    }

    private static void assertFails(GgufBytes file, String message) {
        assertContains(assertThrows(FormatException.class, file::parse), message);
    }

    private static void assertFails(Path path, String message) {
        FormatException failure = assertThrows(FormatException.class, () -> GgufFile.open(path).close());
        assertContains(failure, message);
        assertTrue(failure.getMessage().startsWith(path.toString()));
    }

    private static void assertContains(FormatException failure, String message) {
        assertTrue(failure.getMessage().contains(message), failure.getMessage());
        assertFalse(failure.getMessage().contains("\n"));
    }
}
