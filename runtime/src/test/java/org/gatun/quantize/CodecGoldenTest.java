package org.gatun.quantize;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// Compares codecs, bit for bit, with blocks that the `gguf` Python package decoded and encoded: `codec-golden.bin`,
/// made by `codec-golden.py` beside it.
class CodecGoldenTest {

    private record Golden(String name, float[] elements, byte[] bytes) {
        DType dtype() {
            return DType.valueOf(name.toUpperCase(Locale.ROOT));
        }

        boolean isDecoding() {
            return !name.equals(dtype().name());
        }
    }

    @TestFactory
    List<DynamicTest> decode_randomBlocks_sameBits() {
        return goldens().stream().filter(Golden::isDecoding).map(golden -> dynamicTest(golden.name, () -> {
            float[] decoded = new float[golden.elements.length];
            Codec.of(golden.dtype()).decode(MemorySegment.ofArray(golden.bytes), 0, decoded, 0, decoded.length);
            assertArrayEquals(golden.elements, decoded);
        })).toList();
    }

    @TestFactory
    List<DynamicTest> encode_randomElements_sameBytes() {
        return goldens().stream().filter(golden -> !golden.isDecoding()).map(golden -> dynamicTest(golden.name, () -> {
            byte[] encoded = new byte[golden.bytes.length];
            Codec.of(golden.dtype())
                    .encode(golden.elements, 0, MemorySegment.ofArray(encoded), 0, golden.elements.length);
            assertArrayEquals(golden.bytes, encoded);
        })).toList();
    }

    @Test
    void goldens_file_holdsEveryType() {
        assertEquals(9, goldens().stream().filter(Golden::isDecoding).count());
        assertEquals(6, goldens().stream().filter(golden -> !golden.isDecoding()).count());
    }

    private static List<Golden> goldens() {
        try (InputStream file = CodecGoldenTest.class.getResourceAsStream("codec-golden.bin")) {
            ByteBuffer in = ByteBuffer.wrap(file.readAllBytes()).order(ByteOrder.LITTLE_ENDIAN);
            List<Golden> goldens = new ArrayList<>();
            while (in.hasRemaining()) {
                byte[] name = new byte[8];
                in.get(name);
                float[] elements = new float[in.getInt()];
                for (int i = 0; i < elements.length; i++) {
                    elements[i] = in.getFloat();
                }
                byte[] bytes = new byte[in.getInt()];
                in.get(bytes);
                goldens.add(new Golden(new String(name, StandardCharsets.US_ASCII).strip(), elements, bytes));
            }
            return goldens;
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }
}
