package org.gatun.format;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;

/// Collects metadata and tensors and writes them as a GGUF file (version 3, little-endian). Not for several threads.
///
/// The writer keeps the metadata in memory and asks each tensor for its bytes only while writing. The integer and
/// floating types of values matter to other readers: counts and token ids are `uint32`, scores and rates `float32`.
///
/// Every `put` throws [IllegalArgumentException] if the key is empty or already there.
public final class GgufWriter {
    private static final int MAX_NAME_BYTES = 63;

    private final Map<String, byte[]> entries = new LinkedHashMap<>();
    private final Map<String, Pending> tensors = new LinkedHashMap<>();
    private long alignmentBytes = GgufFile.DEFAULT_ALIGNMENT_BYTES;

    private record Pending(DType dtype, Shape shape, TensorData data) {
        long byteSize() {
            return dtype.byteSize(shape);
        }
    }

    /// A file without metadata or tensors.
    public GgufWriter() {}

    /// Adds a text.
    public GgufWriter putString(String key, String value) {
        return put(key, new Encoded(GgufValue.STRING).string(value));
    }

    /// Adds an unsigned integer of 32 bits.
    ///
    /// @throws IllegalArgumentException if it is negative or too large
    public GgufWriter putUint32(String key, long value) {
        if (value != Integer.toUnsignedLong((int) value)) {
            throw new IllegalArgumentException(key + " is " + value + ": expected an unsigned integer of 32 bits");
        }
        if (key.equals(GgufFile.ALIGNMENT_KEY)) {
            if (Long.bitCount(value) != 1 || value > 1 << 20) {
                throw new IllegalArgumentException(key + " is " + value + ": expected a power of two up to 2^20");
            }
            alignmentBytes = value;
        }
        return put(key, new Encoded(GgufValue.UINT32).int32((int) value));
    }

    /// Adds a signed integer of 32 bits.
    public GgufWriter putInt32(String key, int value) {
        return put(key, new Encoded(GgufValue.INT32).int32(value));
    }

    /// Adds a signed integer of 64 bits.
    public GgufWriter putInt64(String key, long value) {
        return put(key, new Encoded(GgufValue.INT64).int64(value));
    }

    /// Adds a floating-point number of 32 bits.
    public GgufWriter putFloat32(String key, float value) {
        return put(key, new Encoded(GgufValue.FLOAT32).int32(Float.floatToRawIntBits(value)));
    }

    /// Adds a floating-point number of 64 bits.
    public GgufWriter putFloat64(String key, double value) {
        return put(key, new Encoded(GgufValue.FLOAT64).int64(Double.doubleToRawLongBits(value)));
    }

    /// Adds a truth value.
    public GgufWriter putBool(String key, boolean value) {
        Encoded encoded = new Encoded(GgufValue.BOOL);
        encoded.write(value ? 1 : 0);
        return put(key, encoded);
    }

    /// Adds a list of texts.
    public GgufWriter putStrings(String key, List<String> values) {
        Encoded encoded = Encoded.array(GgufValue.STRING, values.size());
        values.forEach(encoded::string);
        return put(key, encoded);
    }

    /// Adds an array of signed integers of 32 bits.
    public GgufWriter putInt32s(String key, int... values) {
        Encoded encoded = Encoded.array(GgufValue.INT32, values.length);
        for (int value : values) {
            encoded.int32(value);
        }
        return put(key, encoded);
    }

    /// Adds an array of floating-point numbers of 32 bits.
    public GgufWriter putFloat32s(String key, float... values) {
        Encoded encoded = Encoded.array(GgufValue.FLOAT32, values.length);
        for (float value : values) {
            encoded.int32(Float.floatToRawIntBits(value));
        }
        return put(key, encoded);
    }

    /// Adds those keys of another file that are not there yet, with types and values as they are in that file. The
    /// alignment, and what tells the parts of a split model from each other, is not copied.
    ///
    /// @throws IllegalStateException if the file is closed
    public GgufWriter putAll(GgufFile source) {
        source.encodedValues().forEach((key, value) -> {
            if (!key.equals(GgufFile.ALIGNMENT_KEY) && !GgufParts.isKey(key)) {
                entries.putIfAbsent(key, value.toArray(ValueLayout.JAVA_BYTE));
            }
        });
        return this;
    }

    /// Adds a tensor, whose data must live until [#write].
    ///
    /// @throws IllegalArgumentException as the other
    public GgufWriter tensor(Tensor tensor) {
        return tensor(tensor.name(), tensor.dtype(), tensor.shape(), TensorData.of(tensor.data()));
    }

    /// Adds a tensor whose bytes are made while writing.
    ///
    /// @param name 1 to 63 bytes
    /// @param shape at most four dimensions, outermost first, none 0
    /// @throws IllegalArgumentException if the name is taken or too long, GGUF has no such type, the shape has too
    ///         many dimensions, an empty one, or rows that are no multiple of the type's block
    public GgufWriter tensor(String name, DType dtype, Shape shape, TensorData data) {
        GgufType.number(dtype);
        int nameBytes = name.getBytes(StandardCharsets.UTF_8).length;
        if (nameBytes == 0 || nameBytes > MAX_NAME_BYTES) {
            throw new IllegalArgumentException("tensor name \"" + name + "\" has " + nameBytes
                    + " bytes: expected 1 to " + MAX_NAME_BYTES);
        }
        if (shape.rank() > GgufFile.MAX_DIMENSIONS || shape.dimensions().contains(0L)) {
            throw new IllegalArgumentException("tensor " + name + " has shape " + shape + ": expected at most "
                    + GgufFile.MAX_DIMENSIONS + " dimensions, none of them 0");
        }
        long columns = shape.rank() == 0 ? 1 : shape.dimensions().getLast();
        if (columns % dtype.blockElements() != 0) {
            throw new IllegalArgumentException("tensor " + name + " " + shape + " " + dtype
                    + ": expected rows of a multiple of " + dtype.blockElements() + " elements");
        }
        if (tensors.putIfAbsent(name, new Pending(dtype, shape, data)) != null) {
            throw new IllegalArgumentException("tensor " + name + " is already there");
        }
        return this;
    }

    /// Writes the file, replacing what has that name only when all is written.
    ///
    /// @throws IOException if it cannot be written; what was there before is then untouched
    /// @throws IllegalStateException if a tensor's source wrote too few or too many bytes
    public void write(Path target) throws IOException {
        write(target, _ -> {});
    }

    /// As the other, telling `progress` the bytes written so far.
    public void write(Path target, LongConsumer progress) throws IOException {
        FileOutput.write(target, progress, out -> {
            out.write(header());
            for (Map.Entry<String, Pending> entry : tensors.entrySet()) {
                out.pad(alignmentBytes);
                out.write(entry.getKey(), entry.getValue().byteSize(), entry.getValue().data);
            }
            out.pad(alignmentBytes);
        });
    }

    private byte[] header() {
        Encoded out = new Encoded(GgufFile.MAGIC).int32(3).int64(tensors.size()).int64(entries.size());
        entries.forEach((key, value) -> out.string(key).writeBytes(value));
        long offset = 0;
        for (Map.Entry<String, Pending> entry : tensors.entrySet()) {
            Pending tensor = entry.getValue();
            out.string(entry.getKey()).int32(tensor.shape.rank());
            tensor.shape.dimensions().reversed().forEach(out::int64);
            out.int32(GgufType.number(tensor.dtype)).int64(offset);
            offset = Math.ceilDiv(offset + tensor.byteSize(), alignmentBytes) * alignmentBytes;
        }
        return out.toByteArray();
    }

    private GgufWriter put(String key, Encoded value) {
        if (key.isEmpty()) {
            throw new IllegalArgumentException("a metadata key is empty");
        }
        if (entries.putIfAbsent(key, value.toByteArray()) != null) {
            throw new IllegalArgumentException("metadata key " + key + " is already there");
        }
        return this;
    }

    /// Little-endian bytes, beginning with a number of 32 bits: the magic, or a value's type.
    private static final class Encoded extends ByteArrayOutputStream {
        Encoded(int first) {
            int32(first);
        }

        static Encoded array(int type, int length) {
            return new Encoded(GgufValue.ARRAY).int32(type).int64(length);
        }

        Encoded int32(int value) {
            writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
            return this;
        }

        Encoded int64(long value) {
            writeBytes(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
            return this;
        }

        Encoded string(String value) {
            byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
            int64(utf8.length).writeBytes(utf8);
            return this;
        }
    }
}
