package org.gatun.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongConsumer;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import tools.jackson.databind.json.JsonMapper;

/// Collects tensors and writes them as one safetensors file, the widest types first so that all are aligned. Asks each
/// tensor for its bytes only while writing. Not for several threads.
public final class SafetensorsWriter {
    private final Map<String, String> texts = new TreeMap<>();
    private final Map<String, Pending> tensors = new LinkedHashMap<>();

    private record Pending(String name, DType dtype, Shape shape, TensorData data) {
        long byteSize() {
            return dtype.byteSize(shape);
        }
    }

    /// A file without tensors.
    public SafetensorsWriter() {}

    /// Adds a text to `__metadata__`, or replaces it.
    public SafetensorsWriter put(String key, String value) {
        texts.put(key, value);
        return this;
    }

    /// Adds a tensor, whose data must live until [#write].
    ///
    /// @throws IllegalArgumentException as the other
    public SafetensorsWriter tensor(Tensor tensor) {
        return tensor(tensor.name(), tensor.dtype(), tensor.shape(), TensorData.of(tensor.data()));
    }

    /// Adds a tensor whose bytes are made while writing.
    ///
    /// @throws IllegalArgumentException if the name is taken, or the type is quantized
    public SafetensorsWriter tensor(String name, DType dtype, Shape shape, TensorData data) {
        if (dtype.isQuantized()) {
            throw new IllegalArgumentException("tensor " + name + " is " + dtype
                    + ": expected a type of one element a block, as safetensors has no other");
        }
        if (name.equals(SafetensorsFile.METADATA_KEY)
                || tensors.putIfAbsent(name, new Pending(name, dtype, shape, data)) != null) {
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
        List<Pending> ordered = tensors.values().stream()
                .sorted(Comparator.comparingInt((Pending tensor) -> tensor.dtype.blockBytes()).reversed()).toList();
        FileOutput.write(target, progress, out -> {
            byte[] json = JsonMapper.shared().writeValueAsBytes(header(ordered));
            int headerBytes = Math.ceilDiv(json.length, 8) * 8;
            ByteBuffer header = ByteBuffer.allocate(8 + headerBytes).order(ByteOrder.LITTLE_ENDIAN);
            header.putLong(headerBytes).put(json);
            while (header.hasRemaining()) {
                header.put((byte) ' ');
            }
            out.write(header.flip());
            for (Pending tensor : ordered) {
                out.write(tensor.name, tensor.byteSize(), tensor.data);
            }
        });
    }

    private Map<String, Object> header(List<Pending> ordered) {
        Map<String, Object> header = new LinkedHashMap<>();
        if (!texts.isEmpty()) {
            header.put(SafetensorsFile.METADATA_KEY, texts);
        }
        long offset = 0;
        for (Pending tensor : ordered) {
            long end = offset + tensor.byteSize();
            Map<String, Object> entry = new LinkedHashMap<>(); // in this order in every run, unlike Map.of
            entry.put("dtype", tensor.dtype.name());
            entry.put("shape", tensor.shape.dimensions());
            entry.put("data_offsets", List.of(offset, end));
            header.put(tensor.name, entry);
            offset = end;
        }
        return header;
    }
}
