package org.gatun.model.checkpoint;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gatun.model.architecture.ModelConfig;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.gatun.tokenizer.ChatTemplate;
import org.gatun.tokenizer.Tokenizer;

/// A Llama's weights made up at random, for measuring. Matrices of as many columns view the same memory, each from another row on, so
/// that a model takes little of the host's, while a backend that copies weights takes what the real ones would.
public final class RandomCheckpoint implements Checkpoint {
    private static final int PATTERN_ELEMENTS = 1 << 18;
    private static final List<String> PARTS = List.of("token_embd.weight", "output.weight", "attn_q.weight", "attn_k.weight",
            "attn_v.weight", "attn_output.weight", "ffn_gate.weight", "ffn_up.weight", "ffn_down.weight");
    private static final Pattern LAYER = Pattern.compile("blk\\.(\\d+)\\.");

    private final ModelConfig config;
    private final DType dtype;
    private final Arena arena = Arena.ofShared();
    private final Map<String, Shape> shapes; // of the matrices, by their names within a block
    private final Map<Long, MemorySegment> matrices = new HashMap<>(); // by columns
    private final MemorySegment ones;

    public RandomCheckpoint(ModelConfig config, DType dtype, long seed) {
        this.config = config;
        this.dtype = dtype;
        int queries = config.queryWidth();
        int keys = config.kvWidth();
        shapes = Map.of("token_embd.weight", Shape.of(config.vocabulary(), config.hidden()),
                "output.weight", Shape.of(config.vocabulary(), config.hidden()),
                "attn_q.weight", Shape.of(queries, config.hidden()), "attn_k.weight", Shape.of(keys, config.hidden()),
                "attn_v.weight", Shape.of(keys, config.hidden()), "attn_output.weight", Shape.of(config.hidden(), queries),
                "ffn_gate.weight", Shape.of(config.intermediate(), config.hidden()),
                "ffn_up.weight", Shape.of(config.intermediate(), config.hidden()),
                "ffn_down.weight", Shape.of(config.hidden(), config.intermediate()));
        try {
            ones = allocate(seed);
        } catch (Throwable e) {
            arena.close();
            throw e;
        }
    }

    /// Makes the matrices, and returns a vector of ones.
    private MemorySegment allocate(long seed) {
        int width = Math.max(config.hidden(), config.intermediate());
        SplittableRandom random = new SplittableRandom(seed);
        shapes.values().stream().map(Shape::columns).distinct().sorted().forEach(columns -> {
            long rows = shapes.values().stream().filter(shape -> shape.columns() == columns).mapToLong(Shape::rows).max().orElseThrow()
                    + (long) PARTS.size() * config.layers();
            matrices.put(columns, random(random, rows, Math.toIntExact(columns), (float) Math.sqrt(3.0 / width)));
        });
        MemorySegment vector = arena.allocate(4L * width, 64);
        for (int i = 0; i < width; i++) {
            vector.setAtIndex(ValueLayout.JAVA_FLOAT, i, 1);
        }
        return vector;
    }

    /// A matrix of the same rows over and over.
    private MemorySegment random(SplittableRandom random, long rows, int columns, float max) {
        long rowBytes = dtype.rowBytes(columns);
        MemorySegment matrix = arena.allocate(Math.multiplyExact(rows, rowBytes), 64);
        long different = Math.min(rows, Math.ceilDiv(PATTERN_ELEMENTS, columns));
        float[] elements = new float[columns];
        for (long row = 0; row < rows; row++) {
            if (row < different) {
                for (int i = 0; i < columns; i++) {
                    elements[i] = (float) random.nextDouble(-max, max);
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
        Matcher layer = LAYER.matcher(tensor);
        String part = layer.lookingAt() ? tensor.substring(layer.end()) : tensor;
        if (part.equals("attn_norm.weight") || part.equals("ffn_norm.weight") || part.equals("output_norm.weight")) {
            return Optional.of(new Tensor(tensor, DType.F32, Shape.of(config.hidden()), ones.asSlice(0, 4L * config.hidden())));
        }
        return Optional.ofNullable(shapes.get(part)).map(shape -> {
            long firstRow = PARTS.indexOf(part) + (part.equals(tensor) ? 0 : Long.parseLong(layer.group(1)) * PARTS.size());
            return new Tensor(tensor, dtype, shape, matrices.get(shape.columns())
                    .asSlice(firstRow * dtype.rowBytes(Math.toIntExact(shape.columns())), dtype.byteSize(shape)));
        });
    }

    @Override
    public Tokenizer tokenizer() {
        return new NumberTokenizer(config.vocabulary());
    }

    @Override
    public Optional<ChatTemplate> chatTemplate() {
        return Optional.empty();
    }

    @Override
    public void requireUnchanged() {
        // has no file
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
