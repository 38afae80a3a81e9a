package org.gatun.backend.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.kernels.MatmulKernels;
import org.gatun.cuda.kernels.WeightType;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Tensor;

/// Weights on the device, each once, for as long as somebody uses it. Safe for several threads.
final class DeviceWeights {
    /// How rows of several matrices follow each other.
    enum Order {
        /// One matrix after the other.
        SIDE_BY_SIDE,
        /// By turns some rows of the first and of the second, see [MatmulKernels#swiglu].
        INTERLEAVED
    }

    /// What is on the device: rows of matrices, in a type.
    record Key(List<Tensor> tensors, Order order, WeightType type) {
        long byteSize() {
            return tensors.stream().mapToLong(tensor -> type.byteSize(tensor.rows(), tensor.columns())).sum();
        }

        Key with(WeightType other) {
            return new Key(tensors, order, other);
        }
    }

    private static final class Entry {
        private final DeviceBuffer buffer;
        private int users;

        private Entry(DeviceBuffer buffer) {
            this.buffer = buffer;
        }
    }

    private final CudaContext context;
    private final Map<Key, Entry> entries = new HashMap<>();

    DeviceWeights(CudaContext context) {
        this.context = context;
    }

    /// Bytes that these would take which are not there yet.
    synchronized long missingBytes(List<Key> keys) {
        return keys.stream().distinct().filter(key -> !entries.containsKey(key)).mapToLong(Key::byteSize).sum();
    }

    /// Uploads a weight unless it is there, and counts a user. It is there once `upload` is closed.
    synchronized DeviceSlice acquire(Key key, WeightUpload upload) {
        Entry entry = entries.get(key);
        if (entry == null) {
            entry = new Entry(upload(key, upload));
            entries.put(key, entry);
        }
        entry.users++;
        return entry.buffer.slice();
    }

    /// Frees what has no user left.
    synchronized void release(List<Key> keys) {
        for (Key key : keys) {
            Entry entry = entries.get(key);
            if (--entry.users == 0) {
                entries.remove(key);
                entry.buffer.close();
            }
        }
    }

    private DeviceBuffer upload(Key key, WeightUpload upload) {
        DeviceBuffer buffer = context.allocate(key.byteSize());
        try {
            long offset = 0;
            for (Part part : parts(key)) {
                offset += upload(part, key.type, buffer, offset, upload);
            }
            return buffer;
        } catch (Throwable e) {
            buffer.close();
            throw e;
        }
    }

    /// Returns how many bytes it takes.
    private static long upload(Part part, WeightType type, DeviceBuffer buffer, long offset, WeightUpload upload) {
        if (type.isTiled()) {
            long groupBytes = WeightTilePacker.groupBytes(type, part.tensor.columns());
            int groups = part.rows / WeightType.TILE_OUTPUTS;
            upload.rows(buffer, offset, groups, groupBytes, (first, count, target) -> IntStream.range(0, count).parallel()
                    .forEach(group -> WeightTilePacker.write(part.tensor, type, part.firstRow + WeightType.TILE_OUTPUTS * (first + group),
                            target, group * groupBytes)));
            return groups * groupBytes;
        }
        DType dtype = DType.valueOf(type.name());
        long rowBytes = dtype.rowBytes(part.tensor.columns());
        upload.rows(buffer, offset, part.rows, rowBytes, (row, rows, target) -> write(part, row, rows, dtype, target));
        return part.rows * rowBytes;
    }

    private record Part(Tensor tensor, int firstRow, int rows) {}

    private static List<Part> parts(Key key) {
        List<Part> parts = new ArrayList<>();
        switch (key.order) {
            case SIDE_BY_SIDE -> key.tensors.forEach(tensor -> parts.add(new Part(tensor, 0, tensor.rows())));
            case INTERLEAVED -> {
                for (int row = 0; row < key.tensors.getFirst().rows(); row += MatmulKernels.SWIGLU_ROWS) {
                    for (Tensor tensor : key.tensors) {
                        parts.add(new Part(tensor, row, MatmulKernels.SWIGLU_ROWS));
                    }
                }
            }
        }
        return parts;
    }

    /// Writes rows of a part, in a type.
    private static void write(Part part, int row, int rows, DType type, MemorySegment target) {
        Tensor tensor = part.tensor;
        long rowBytes = tensor.dtype().rowBytes(tensor.columns());
        MemorySegment stored = tensor.data().asSlice((part.firstRow + row) * rowBytes, rows * rowBytes);
        if (tensor.dtype() == type) {
            target.copyFrom(stored);
            return;
        }
        float[] elements = new float[tensor.columns()];
        for (int i = 0; i < rows; i++) {
            Codec.of(tensor.dtype()).decode(stored, i * rowBytes, elements, 0, elements.length);
            Codec.of(type).encode(elements, 0, target, i * type.rowBytes(elements.length), elements.length);
        }
    }

    /// A vector on the device: that of a tensor, or several in a row, with zeros for those that are not there.
    static DeviceBuffer vector(CudaContext context, List<Optional<Tensor>> tensors, List<Integer> lengths) {
        int length = lengths.stream().mapToInt(Integer::intValue).sum();
        float[] elements = new float[length];
        int offset = 0;
        for (int i = 0; i < tensors.size(); i++) {
            if (tensors.get(i).isPresent()) {
                Tensor tensor = tensors.get(i).get();
                Codec.of(tensor.dtype()).decode(tensor.data(), 0, elements, offset, lengths.get(i));
            }
            offset += lengths.get(i);
        }
        try (Arena arena = Arena.ofConfined()) {
            return context.allocateFrom(arena.allocateFrom(ValueLayout.JAVA_FLOAT, elements));
        }
    }
}
