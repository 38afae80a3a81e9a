package org.gatun.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/// Reads little-endian fields one after the other and never beyond the end: a file that ends too early is a
/// [FormatException] that names the field.
final class HeaderReader {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Path file;
    private final MemorySegment bytes;
    private final long end;
    private long position;
    private byte[] text = new byte[256];

    /// @param end no field may go beyond this offset
    HeaderReader(Path file, MemorySegment bytes, long end) {
        this.file = file;
        this.bytes = bytes;
        this.end = Math.min(end, bytes.byteSize());
    }

    long position() {
        return position;
    }

    long remaining() {
        return end - position;
    }

    /// A failure at the current position.
    FormatException failure(String problem) {
        return failure(position, problem);
    }

    FormatException failure(long offset, String problem) {
        return new FormatException(file, offset, problem);
    }

    byte byteValue(String field) throws FormatException {
        return bytes.get(ValueLayout.JAVA_BYTE, advance(Byte.BYTES, field));
    }

    short shortValue(String field) throws FormatException {
        return bytes.get(SHORT, advance(Short.BYTES, field));
    }

    int intValue(String field) throws FormatException {
        return bytes.get(INT, advance(Integer.BYTES, field));
    }

    long longValue(String field) throws FormatException {
        return bytes.get(LONG, advance(Long.BYTES, field));
    }

    float floatValue(String field) throws FormatException {
        return Float.intBitsToFloat(intValue(field));
    }

    double doubleValue(String field) throws FormatException {
        return Double.longBitsToDouble(longValue(field));
    }

    /// UTF-8 of `length` bytes; malformed bytes become U+FFFD, as a file whose description has a bad character is
    /// still a good model.
    String string(long length, String field) throws FormatException {
        if (length == 0) {
            return "";
        }
        long start = advance(length, field);
        if (length > text.length) {
            text = new byte[Math.toIntExact(Math.min(end, length * 2))];
        }
        MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, start, text, 0, (int) length);
        return new String(text, 0, (int) length, StandardCharsets.UTF_8);
    }

    void skip(long length, String field) throws FormatException {
        advance(length, field);
    }

    /// How many of `unit` bytes at least the file has to hold for a count that it claims.
    ///
    /// @return `count`, if the rest of the file can hold that many things
    int count(long count, long unit, String field) throws FormatException {
        if (count < 0 || count > remaining() / unit || count > Integer.MAX_VALUE - 8) {
            throw failure(field + " is " + Long.toUnsignedString(count) + ": expected at most "
                    + Math.min(remaining() / unit, Integer.MAX_VALUE - 8) + ", what the rest of the file can hold");
        }
        return (int) count;
    }

    private long advance(long length, String field) throws FormatException {
        if (length < 0 || length > remaining()) {
            throw failure("found " + remaining() + " bytes left, expected " + Long.toUnsignedString(length) + " for "
                    + field + ": the file is damaged or was not copied whole");
        }
        long start = position;
        position += length;
        return start;
    }
}
