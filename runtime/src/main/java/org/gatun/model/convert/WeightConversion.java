package org.gatun.model.convert;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.util.Optional;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import org.gatun.format.TensorData;
import org.gatun.model.checkpoint.NestedMagnitudes;
import org.gatun.model.checkpoint.WeightParts;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Tensor;

/// A weight on its way from one type to another. It is decoded and encoded in pieces of a few megabytes while it is written, so that the
/// whole is never in memory.
final class WeightConversion {
    private static final long PIECE_BYTES = 1 << 22;

    private final String name;
    private final Tensor source;
    private final DType dtype;
    private final IntUnaryOperator sourceRow;
    private final Optional<double[]> columnNorms;
    private final boolean nestsMagnitudes;
    private final Codec decoder;
    private Optional<Codec> encoder = Optional.empty();
    private double squaredError;
    private double squaredNorm;
    private double largestError;
    private NestedMagnitudes nested; // while it is being written

    /// @param name as in GGUF
    /// @param sourceRow the row of the source that a row is made of
    /// @param columnNorms norms of the inputs, by which sparse types choose what they keep
    /// @param nestsMagnitudes whether the largest magnitudes of its blocks are quantized too
    WeightConversion(String name, Tensor source, DType dtype, IntUnaryOperator sourceRow, Optional<double[]> columnNorms,
            boolean nestsMagnitudes) {
        this.name = name;
        this.source = source;
        this.dtype = dtype;
        this.sourceRow = sourceRow;
        this.columnNorms = columnNorms;
        this.nestsMagnitudes = nestsMagnitudes;
        decoder = Codec.of(source.dtype());
    }

    String name() {
        return name;
    }

    Tensor source() {
        return source;
    }

    DType dtype() {
        return dtype;
    }

    boolean nestsMagnitudes() {
        return nestsMagnitudes;
    }

    long byteSize() {
        if (nestsMagnitudes) {
            return source.shape().elements() / 2 + blocks() + (long) NestedMagnitudes.groups(blocks()) * Float.BYTES;
        }
        return dtype.byteSize(source.shape());
    }

    /// Blocks of the type that it takes.
    int blocks() {
        return Math.toIntExact(source.shape().elements() / dtype.blockElements());
    }

    /// The first number of each block, the largest magnitude of NF4 and FP4.
    TensorData magnitudes() {
        int blocks = columns() / dtype.blockElements();
        return data(blocks * Float.BYTES, (_, encoded, target) -> {
            for (int block = 0; block < blocks; block++) {
                MemorySegment.copy(encoded, (long) block * dtype.blockBytes(), target, (long) block * Float.BYTES, Float.BYTES);
            }
        });
    }

    /// The largest magnitudes of its blocks, quantized. Until they are forgotten, rows are as they come out with these.
    NestedMagnitudes nested() throws IOException {
        if (nested == null) {
            ByteArrayOutputStream plain = new ByteArrayOutputStream();
            magnitudes().writeTo(Channels.newChannel(plain));
            nested = NestedMagnitudes.of(MemorySegment.ofArray(plain.toByteArray()).toArray(WeightParts.FLOAT));
        }
        return nested;
    }

    void forgetNested() {
        nested = null;
    }

    /// The scale of all its rows, of a type that has one.
    float tensorScale() {
        prepare();
        MemorySegment row = MemorySegment.ofArray(new byte[Math.toIntExact(dtype.rowBytes(columns()))]);
        encode(0, new float[columns()], row);
        return row.get(WeightParts.FLOAT, 0);
    }

    private int rows() {
        return Math.toIntExact(source.shape().rows());
    }

    private int columns() {
        return source.columns();
    }

    /// Root of the mean squared error over that of the mean square, of what was last written.
    double relativeError() {
        return squaredError == 0 ? 0 : Math.sqrt(squaredError / squaredNorm);
    }

    /// The largest error of a weight, of what was last written.
    double largestError() {
        return largestError;
    }

    /// What a row of a written tensor is made of.
    @FunctionalInterface
    interface RowPart {
        /// @param row as the source has it
        /// @param encoded the same in the type
        void write(float[] row, MemorySegment encoded, MemorySegment target);
    }

    /// The rows as the type has them.
    TensorData data() {
        return data(Math.toIntExact(dtype.rowBytes(columns())), (_, encoded, target) -> target.copyFrom(encoded));
    }

    /// Something of each row, all of the same size.
    TensorData data(int partBytes, RowPart part) {
        return channel -> write(channel, partBytes, part);
    }

    private void prepare() {
        if (encoder.isEmpty()) {
            encoder = Optional.of(Codec.encoding(dtype, source));
        }
    }

    private void write(WritableByteChannel channel, int partBytes, RowPart part) throws IOException {
        prepare();
        squaredError = 0;
        squaredNorm = 0;
        largestError = 0;
        int piece = Math.clamp(PIECE_BYTES / Math.max(1L, (long) columns() * Float.BYTES), 1, Math.max(1, rows()));
        MemorySegment parts = MemorySegment.ofArray(new byte[Math.multiplyExact(piece, partBytes)]);
        double[][] errors = new double[piece][];
        for (int first = 0; first < rows(); first += piece) {
            int start = first;
            int count = Math.min(piece, rows() - first);
            IntStream.range(0, count).parallel().forEach(i ->
                    errors[i] = convert(start + i, part, parts.asSlice((long) i * partBytes, partBytes)));
            for (int i = 0; i < count; i++) {
                squaredError += errors[i][0];
                squaredNorm += errors[i][1];
                largestError = Math.max(largestError, errors[i][2]);
            }
            channel.write(parts.asSlice(0, (long) count * partBytes).asByteBuffer());
        }
    }

    /// Returns squared error, squared norm and largest error.
    private double[] convert(int row, RowPart part, MemorySegment target) {
        int columns = columns();
        float[] elements = new float[columns];
        MemorySegment encoded = MemorySegment.ofArray(new byte[Math.toIntExact(dtype.rowBytes(columns))]);
        encode(row, elements, encoded);
        if (nested != null) {
            int blocks = columns / dtype.blockElements();
            for (int block = 0; block < blocks; block++) {
                encoded.set(WeightParts.FLOAT, (long) block * dtype.blockBytes(), nested.of((long) row * blocks + block));
            }
        }
        part.write(elements, encoded, target);
        float[] back = new float[columns];
        Codec.of(dtype).decode(encoded, 0, back, 0, columns);
        double[] errors = new double[3];
        for (int i = 0; i < columns; i++) {
            double error = Math.abs((double) back[i] - elements[i]);
            errors[0] += error * error;
            errors[1] += (double) elements[i] * elements[i];
            errors[2] = Math.max(errors[2], error);
        }
        return errors;
    }

    /// Decodes and encodes a row; one that has the type already stays as it is.
    private void encode(int row, float[] elements, MemorySegment encoded) {
        int columns = columns();
        long sourceBytes = source.dtype().rowBytes(columns);
        long at = sourceRow.applyAsInt(row) * sourceBytes;
        decoder.decode(source.data(), at, elements, 0, columns);
        boolean chosen = columnNorms.isPresent() && dtype instanceof DType.Sparse;
        if (source.dtype() == dtype && !chosen) {
            encoded.copyFrom(source.data().asSlice(at, sourceBytes));
            return;
        }
        try {
            encoder.orElseThrow().encode(chosen ? pruned(elements, columnNorms.get(), (DType.Sparse) dtype) : elements, 0, encoded, 0,
                    columns);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("tensor " + name + ", row " + row + ": " + e.getMessage(), e);
        }
    }

    /// A row with 0 for all elements of a group but those of the largest magnitude times norm of their column, of equal ones the first.
    /// (Wanda: Sun et al. 2023, arXiv 2306.11695.)
    static float[] pruned(float[] row, double[] norms, DType.Sparse sparsity) {
        float[] kept = new float[row.length];
        for (int i = 0; i < row.length; i++) {
            int group = i - i % sparsity.group();
            int before = 0;
            for (int other = group; other < group + sparsity.group(); other++) {
                int order = Double.compare(Math.abs(row[other]) * norms[other], Math.abs(row[i]) * norms[i]);
                before += order > 0 || order == 0 && other < i ? 1 : 0;
            }
            kept[i] = before < sparsity.kept() ? row[i] : 0;
        }
        return kept;
    }

    /// The largest magnitude of a row, as one f32.
    static void largestMagnitude(float[] row, MemorySegment target) {
        float largest = 0;
        for (float element : row) {
            largest = Math.max(largest, Math.abs(element));
        }
        target.set(WeightParts.FLOAT, 0, largest);
    }

}
