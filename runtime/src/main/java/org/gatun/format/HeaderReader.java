package org.gatun.format;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/// Reads little-endian fields one after the other and never beyond the end: a file that ends too early is a
/// [FormatException] that names the field.
final class HeaderReader {
    /// Real headers are below 20 MB; the limit bounds what a hostile one can make us allocate.
    static final int MAX_BYTES = 100_000_000;

    private final Path file;
    private final ByteBuffer in;
    private byte[] text = new byte[256];

    /// @param bytes the whole file, of which the first [#MAX_BYTES] can be read
    HeaderReader(Path file, MemorySegment bytes) {
        this.file = file;
        in = bytes.asSlice(0, Math.min(MAX_BYTES, bytes.byteSize())).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    int position() {
        return in.position();
    }

    int remaining() {
        return in.remaining();
    }

    /// A failure at the current position.
    FormatException failure(String problem) {
        return failure(position(), problem);
    }

    FormatException failure(long offset, String problem) {
        return new FormatException(file, offset, problem);
    }

    byte byteValue(String field) throws FormatException {
        require(Byte.BYTES, field);
        return in.get();
    }

    short shortValue(String field) throws FormatException {
        require(Short.BYTES, field);
        return in.getShort();
    }

    int intValue(String field) throws FormatException {
        require(Integer.BYTES, field);
        return in.getInt();
    }

    long longValue(String field) throws FormatException {
        require(Long.BYTES, field);
        return in.getLong();
    }

    float floatValue(String field) throws FormatException {
        return Float.intBitsToFloat(intValue(field));
    }

    double doubleValue(String field) throws FormatException {
        return Double.longBitsToDouble(longValue(field));
    }

    /// The next `length` bytes.
    byte[] bytes(long length, String field) throws FormatException {
        require(length, field);
        byte[] bytes = new byte[(int) length];
        in.get(bytes);
        return bytes;
    }

    /// The next `count` numbers of 32 bits.
    int[] ints(int count, String field) throws FormatException {
        require((long) count * Integer.BYTES, field);
        int[] array = new int[count];
        in.asIntBuffer().get(array);
        in.position(in.position() + count * Integer.BYTES);
        return array;
    }

    /// The next `count` floating-point numbers of 32 bits.
    float[] floats(int count, String field) throws FormatException {
        require((long) count * Float.BYTES, field);
        float[] array = new float[count];
        in.asFloatBuffer().get(array);
        in.position(in.position() + count * Float.BYTES);
        return array;
    }

    /// UTF-8 of `length` bytes; malformed bytes become U+FFFD, as a file whose description has a bad character is
    /// still a good model.
    String string(long length, String field) throws FormatException {
        if (length > text.length) {
            text = bytes(length, field);
        } else {
            require(length, field);
            in.get(text, 0, (int) length);
        }
        return new String(text, 0, (int) length, StandardCharsets.UTF_8);
    }

    /// A number of things, of at least `unit` bytes each, that the rest of the file can hold.
    int count(int unit, String field) throws FormatException {
        long count = longValue(field);
        if (count < 0 || count > remaining() / unit) {
            throw failure(field + " has a count of " + Long.toUnsignedString(count) + ": expected at most "
                    + remaining() / unit + ", what the rest of the file can hold");
        }
        return (int) count;
    }

    private void require(long length, String field) throws FormatException {
        if (length < 0 || length > remaining()) {
            throw failure("found " + remaining() + " bytes left, expected " + Long.toUnsignedString(length) + " for "
                    + field + ": the file is damaged or was not copied whole");
        }
    }
}
