package org.gatun.format;

import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.Test;

/// A small valid file, damaged in every place: reading it ends in a [FormatException] or in tensors that lie within it.
class GgufDamageTest {
    private static final int DATA_START = 256;

    private final byte[] whole = GgufBytes.header(3, 2, 4)
            .string("general.alignment").int32(4).int32(32)
            .string("tokens").int32(9).int32(8).int64(2).string("a").string("bc")
            .string("nested").int32(9).int32(9).int64(1).int32(0).int64(2).int8(1).int8(2)
            .string("f").int32(6).int32(0)
            .string("w").int32(2).int64(4).int64(2).int32(0).int64(0)
            .string("q").int32(1).int64(32).int32(8).int64(32)
            .pad(DATA_START + 32 + 34).toByteArray();

    @Test
    void open_undamaged_reads() throws IOException {
        read(whole);
    }

    @Test
    void open_everyTruncation_fails() {
        for (int length = 0; length < whole.length; length++) {
            byte[] cut = Arrays.copyOf(whole, length);
            assertThrows(FormatException.class, () -> read(cut), "length " + length);
        }
    }

    @Test
    void open_everyByteReplaced_failsOrReads() {
        for (int at = 0; at < whole.length; at++) {
            for (int value = 0; value < 256; value++) {
                byte[] damaged = whole.clone();
                damaged[at] = (byte) value;
                readOrFail(damaged);
            }
        }
    }

    @Test
    void open_everyNumberReplaced_failsOrReads() {
        long[] numbers = {0, -1, 1, Long.MIN_VALUE, Long.MAX_VALUE, Integer.MAX_VALUE, Integer.MIN_VALUE, 1L << 32,
            1L << 40, 1L << 61, whole.length, whole.length + 1L, Long.MAX_VALUE / 4 + 1};
        for (int at = 0; at <= whole.length - Long.BYTES; at++) {
            for (long number : numbers) {
                byte[] damaged = whole.clone();
                ByteBuffer buffer = ByteBuffer.wrap(damaged).order(ByteOrder.LITTLE_ENDIAN);
                readOrFail(buffer.putLong(at, number).array());
                System.arraycopy(whole, 0, damaged, 0, whole.length);
                readOrFail(buffer.putInt(at, (int) number).array());
            }
        }
    }

    @Test
    void open_piecesRemovedOrRepeated_failsOrReads() {
        for (int at = 0; at < whole.length; at++) {
            for (int size : new int[] {1, 4, 8, 12}) {
                int end = Math.min(whole.length, at + size);
                ByteBuffer removed = ByteBuffer.allocate(whole.length - (end - at));
                readOrFail(removed.put(whole, 0, at).put(whole, end, whole.length - end).array());
                ByteBuffer repeated = ByteBuffer.allocate(whole.length + end - at);
                readOrFail(repeated.put(whole, 0, end).put(whole, at, whole.length - at).array());
            }
        }
    }

    private static void readOrFail(byte[] bytes) {
        try {
            read(bytes);
        } catch (FormatException _) {
            // as it should be
        }
    }

    /// Reads the file, and a byte at each end of its tensors.
    static void read(byte[] bytes) throws FormatException {
        GgufFile file = GgufFile.of(MemorySegment.ofArray(bytes), Path.of("damaged.gguf"));
        for (Tensor tensor : file.tensors().values()) {
            long last = tensor.data().byteSize() - 1;
            tensor.data().get(ValueLayout.JAVA_BYTE, 0);
            tensor.data().get(ValueLayout.JAVA_BYTE, last);
        }
    }
}
