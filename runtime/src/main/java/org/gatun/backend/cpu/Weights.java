package org.gatun.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;

/// Weights as the kernels want them, shared by all executables of a backend and freed with the last that uses them.
///
/// Safe for several threads; whoever prepares a weight keeps the others waiting.
final class Weights {
    /// Of a matrix, taken at a time.
    private static final long PIECE_BYTES = 4L << 20;

    private final NativeLibrary library;
    private final MemorySegment pool;
    private final Map<Key, Prepared> prepared = new HashMap<>();

    Weights(NativeLibrary library, MemorySegment pool) {
        this.library = library;
        this.pool = pool;
    }

    /// A weight and the form it is wanted in.
    ///
    /// Tensors of the same bytes, type and shape are one weight; the first rows of a matrix are another than the whole.
    ///
    /// @param owner of the bytes: when they have gone, others may come to the same place
    /// @param data equal for the same place in native memory or in the same array
    /// @param form what the kernel reads
    record Key(MemorySegment.Scope owner, MemorySegment data, DType dtype, Shape shape, Form form) {}

    /// How a kernel reads a weight.
    enum Form {
        /// As it is in the file.
        FILE,
        /// 16 outputs side by side, see `native/matmul.c`.
        MATRIX,
        /// Of a matrix, the scales that are rounded in that form.
        SCALES,
        /// `[elements] f32`.
        VECTOR
    }

    private static final class Prepared {
        private final Arena arena = Arena.ofShared();
        private MemorySegment segment;
        private int users;
    }

    /// The weight in a form; counts as one use, to be given back by [#release].
    synchronized MemorySegment acquire(Key key, Tensor tensor) {
        Prepared weight = prepared.computeIfAbsent(key, _ -> prepare(key.form, tensor));
        weight.users++;
        return weight.segment;
    }

    static Key key(Tensor tensor, Form form) {
        return new Key(tensor.data().scope(), tensor.data(), tensor.dtype(), tensor.shape(), form);
    }

    synchronized void release(Key key) {
        Prepared weight = prepared.get(key);
        if (--weight.users == 0) {
            prepared.remove(key);
            weight.arena.close();
        }
    }

    private Prepared prepare(Form form, Tensor tensor) {
        Prepared weight = new Prepared();
        try {
            weight.segment = switch (form) {
                case FILE -> copy(tensor, weight.arena);
                case VECTOR -> vector(tensor, weight.arena);
                case MATRIX -> matrix(tensor, weight.arena);
                case SCALES -> scales(tensor, weight.arena);
            };
            return weight;
        } catch (Throwable e) {
            weight.arena.close();
            throw e;
        }
    }

    /// The weight in a type that kernels read: NVFP4 becomes BF16, which holds it exactly but for its tensor's scale.
    private static Tensor readable(Tensor tensor, Arena arena) {
        if (tensor.dtype() != DType.NVFP4) {
            return tensor;
        }
        int columns = tensor.columns();
        MemorySegment target = arena.allocate(DType.BF16.byteSize(tensor.shape()), NativeLayout.PADDING);
        float[] elements = new float[columns];
        for (int row = 0; row < tensor.rows(); row++) {
            Codec.of(tensor.dtype()).decode(tensor.data(), row * tensor.dtype().rowBytes(columns), elements, 0, columns);
            Codec.of(DType.BF16).encode(elements, 0, target, row * DType.BF16.rowBytes(columns), columns);
        }
        return new Tensor(tensor.name(), DType.BF16, tensor.shape(), target);
    }

    private MemorySegment copy(Tensor stored, Arena arena) {
        NativeLayout.type(stored.dtype());
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment source = readable(stored, scratch).data();
            MemorySegment target = library.allocate(arena, source.byteSize() + NativeLayout.PADDING);
            for (long at = 0; at < source.byteSize(); at += PIECE_BYTES) {
                take(source, at, target.asSlice(at, Math.min(PIECE_BYTES, source.byteSize() - at)));
            }
            return target;
        }
    }

    /// Copies a piece. Of a mapped file its pages are given back, so that a model is in memory once; they stay in the system's cache.
    private static void take(MemorySegment source, long at, MemorySegment target) {
        MemorySegment piece = source.asSlice(at, target.byteSize());
        target.copyFrom(piece);
        if (piece.isMapped()) {
            piece.unload();
        }
    }

    private static MemorySegment vector(Tensor tensor, Arena arena) {
        float[] elements = new float[tensor.columns()];
        Codec.of(tensor.dtype()).decode(tensor.data(), 0, elements, 0, elements.length);
        return arena.allocateFrom(ValueLayout.JAVA_FLOAT, elements);
    }

    /// Rearranges a matrix piece by piece. Kernels read a copy of a piece, never the file, which may be cut short at any time: that is
    /// an error in Java, and would end the process in native code.
    private MemorySegment matrix(Tensor stored, Arena arena) {
        try (Arena scratch = Arena.ofConfined()) {
            Tensor tensor = readable(stored, scratch);
            int type = NativeLayout.type(tensor.dtype());
            long rowBytes = tensor.dtype().rowBytes(tensor.columns());
            long tileBytes = library.packedBytes(type, NativeLayout.LANES, tensor.columns());
            MemorySegment target = library.allocate(arena, library.packedBytes(type, tensor.rows(), tensor.columns()));
            int max = Math.clamp(PIECE_BYTES / rowBytes / NativeLayout.LANES * NativeLayout.LANES, NativeLayout.LANES,
                    Math.max(NativeLayout.LANES, tensor.rows()));
            MemorySegment piece = scratch.allocate(Math.min(max, tensor.rows()) * rowBytes, NativeLayout.PADDING);
            for (int row = 0; row < tensor.rows(); row += max) {
                int rows = Math.min(max, tensor.rows() - row);
                take(tensor.data(), row * rowBytes, piece.asSlice(0, rows * rowBytes));
                library.pack(pool, type, rows, tensor.columns(), piece, target.asSlice(row / NativeLayout.LANES * tileBytes));
            }
            return target;
        }
    }

    /// Copies what [#matrix] rounds, piece by piece for the same reason.
    private MemorySegment scales(Tensor tensor, Arena arena) {
        int type = NativeLayout.type(tensor.dtype());
        long blockBytes = tensor.dtype().blockBytes();
        long blocks = tensor.shape().elements() / tensor.dtype().blockElements();
        long scaleBytes = library.scaleBytes(type);
        long max = Math.min(blocks, PIECE_BYTES / blockBytes);
        MemorySegment target = library.allocate(arena, blocks * scaleBytes);
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment piece = scratch.allocate(max * blockBytes, NativeLayout.PADDING);
            for (long block = 0; block < blocks; block += max) {
                long count = Math.min(max, blocks - block);
                take(tensor.data(), block * blockBytes, piece.asSlice(0, count * blockBytes));
                library.takeScales(type, count * tensor.dtype().blockElements(), piece, target.asSlice(block * scaleBytes));
            }
        }
        return target;
    }
}
