package org.gatun.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.gatun.tokenizer.Tokenizer;

/// A Llama's weights made up at random, for measuring. Matrices of as many columns view the same memory, so that a model takes little of
/// the host's; a backend that copies weights takes what the real ones would.
final class RandomCheckpoint implements Checkpoint {
    private static final int PATTERN_ELEMENTS = 1 << 18;

    private final String name;
    private final ModelConfig config;
    private final DType dtype;
    private final Arena arena = Arena.ofShared();
    private final Map<String, Shape> shapes; // of the matrices, by their names within a block
    private final Map<Long, MemorySegment> matrices = new HashMap<>(); // by columns
    private final MemorySegment ones;

    RandomCheckpoint(String name, ModelConfig config, DType dtype, long seed) {
        this.name = name;
        this.config = config;
        this.dtype = dtype;
        int width = Math.max(config.hidden(), config.intermediate());
        int queries = config.heads() * config.headDim();
        int keys = config.kvHeads() * config.headDim();
        shapes = Map.of("token_embd.weight", Shape.of(config.vocabulary(), config.hidden()),
                "output.weight", Shape.of(config.vocabulary(), config.hidden()),
                "attn_q.weight", Shape.of(queries, config.hidden()), "attn_k.weight", Shape.of(keys, config.hidden()),
                "attn_v.weight", Shape.of(keys, config.hidden()), "attn_output.weight", Shape.of(config.hidden(), queries),
                "ffn_gate.weight", Shape.of(config.intermediate(), config.hidden()),
                "ffn_up.weight", Shape.of(config.intermediate(), config.hidden()),
                "ffn_down.weight", Shape.of(config.hidden(), config.intermediate()));
        SplittableRandom random = new SplittableRandom(seed);
        shapes.values().stream().map(Shape::columns).distinct().sorted().forEach(columns -> {
            long rows = shapes.values().stream().filter(shape -> shape.columns() == columns).mapToLong(Shape::rows).max().orElseThrow();
            matrices.put(columns, random(random, rows, Math.toIntExact(columns), (float) Math.sqrt(3.0 / width)));
        });
        ones = arena.allocate(4L * width, 64);
        for (int i = 0; i < width; i++) {
            ones.setAtIndex(ValueLayout.JAVA_FLOAT, i, 1);
        }
    }

    /// A matrix of the same rows over and over.
    private MemorySegment random(SplittableRandom random, long rows, int columns, float most) {
        long rowBytes = dtype.rowBytes(columns);
        MemorySegment matrix = arena.allocate(rows * rowBytes, 64);
        long different = Math.min(rows, Math.ceilDiv(PATTERN_ELEMENTS, columns));
        float[] elements = new float[columns];
        for (long row = 0; row < rows; row++) {
            if (row < different) {
                for (int i = 0; i < columns; i++) {
                    elements[i] = (float) random.nextDouble(-most, most);
                }
                Codec.of(dtype).encode(elements, 0, matrix, row * rowBytes, columns);
            } else {
                MemorySegment.copy(matrix, (row - different) * rowBytes, matrix, row * rowBytes, rowBytes);
            }
        }
        return matrix;
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    @Override
    public Optional<Tensor> find(String tensor) {
        String part = tensor.replaceFirst("^blk\\.\\d+\\.", "");
        if (part.equals("attn_norm.weight") || part.equals("ffn_norm.weight") || part.equals("output_norm.weight")) {
            return Optional.of(new Tensor(tensor, DType.F32, Shape.of(config.hidden()), ones.asSlice(0, 4L * config.hidden())));
        }
        return Optional.ofNullable(shapes.get(part)).map(shape -> new Tensor(tensor, dtype, shape,
                matrices.get(shape.columns()).asSlice(0, dtype.byteSize(shape))));
    }

    @Override
    public Tokenizer tokenizer() {
        throw new IllegalStateException("model " + name + " has random weights and no tokenizer: give it token ids");
    }

    @Override
    public Optional<String> chatTemplate() {
        return Optional.empty();
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
