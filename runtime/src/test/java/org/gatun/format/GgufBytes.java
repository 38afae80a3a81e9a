package org.gatun.format;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/// A GGUF file spelled out field by field, valid or not.
final class GgufBytes extends ByteArrayOutputStream {

    static GgufBytes header(int version, long tensors, long entries) {
        return new GgufBytes().int32(GgufFile.MAGIC).int32(version).int64(tensors).int64(entries);
    }

    GgufFile parse() throws FormatException {
        return GgufFile.of(MemorySegment.ofArray(toByteArray()), Path.of("memory.gguf"));
    }

    GgufBytes int8(int value) {
        write(value);
        return this;
    }

    GgufBytes int16(int value) {
        return int8(value).int8(value >> 8);
    }

    GgufBytes int32(int value) {
        return int16(value).int16(value >> 16);
    }

    GgufBytes int64(long value) {
        return int32((int) value).int32((int) (value >> 32));
    }

    GgufBytes string(String value) {
        byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
        int64(utf8.length).writeBytes(utf8);
        return this;
    }

    /// Zeros until the file has `size` bytes.
    GgufBytes pad(int size) {
        while (size() < size) {
            write(0);
        }
        return this;
    }
}
