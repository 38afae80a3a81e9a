package org.gatun.model.checkpoint;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.gatun.format.FormatException;
import org.gatun.model.architecture.ModelConfig;
import org.gatun.model.architecture.WeightNames;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Tensor;
import org.gatun.tokenizer.ChatTemplate;
import org.gatun.tokenizer.Tokenizer;

/// Another checkpoint with the matrices of its blocks in another type, each made when first asked for. Embedding, head and norms stay as
/// they are, and so do matrices whose rows are no multiple of the type's block.
///
/// Owns the other and what it makes.
public final class QuantizedCheckpoint implements Checkpoint {
    private static final long ALIGNMENT_BYTES = 64;

    private final Checkpoint inner;
    private final DType dtype;
    private final Arena arena = Arena.ofShared();
    private final Map<String, Tensor> made = new HashMap<>();

    public QuantizedCheckpoint(Checkpoint inner, DType dtype) {
        this.inner = inner;
        this.dtype = dtype;
    }

    @Override
    public Optional<Tensor> find(String tensor) {
        Optional<Tensor> found = inner.find(tensor);
        if (found.isEmpty() || !WeightNames.isBlockMatrix(tensor) || found.get().dtype() == dtype
                || found.get().columns() % dtype.blockElements() != 0) {
            return found;
        }
        Tensor known = made.get(tensor);
        if (known == null) {
            known = quantize(found.get());
            made.put(tensor, known);
        }
        return Optional.of(known);
    }

    private Tensor quantize(Tensor tensor) {
        int columns = tensor.columns();
        long rowBytes = tensor.dtype().rowBytes(columns);
        long targetRowBytes = dtype.rowBytes(columns);
        MemorySegment target = arena.allocate(tensor.rows() * targetRowBytes, ALIGNMENT_BYTES);
        Codec encoder = Codec.encoding(dtype, tensor);
        IntStream.range(0, tensor.rows()).parallel().forEach(row -> {
            float[] elements = new float[columns];
            Codec.of(tensor.dtype()).decode(tensor.data(), row * rowBytes, elements, 0, columns);
            try {
                encoder.encode(elements, 0, target, row * targetRowBytes, columns);
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("tensor " + tensor.name() + ", row " + row + ": " + e.getMessage(), e);
            }
        });
        return new Tensor(tensor.name(), dtype, tensor.shape(), target);
    }

    @Override
    public ModelConfig config() {
        return inner.config();
    }

    @Override
    public Tokenizer tokenizer() {
        return inner.tokenizer();
    }

    @Override
    public Optional<ChatTemplate> chatTemplate() {
        return inner.chatTemplate();
    }

    @Override
    public void requireUnchanged() throws FormatException {
        inner.requireUnchanged();
    }

    @Override
    public void close() {
        try (inner) {
            if (arena.scope().isAlive()) {
                arena.close();
            }
        }
    }
}
