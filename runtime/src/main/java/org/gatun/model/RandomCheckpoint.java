package org.gatun.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.gatun.tokenizer.Tokenizer;

/// A Llama's weights made up at random, for measuring. All matrices view the same memory, each from another place on, so that a model
/// takes little of the host's, while a backend that copies weights takes what the real ones would.
final class RandomCheckpoint implements Checkpoint {
    private static final int PATTERN_ELEMENTS = 1 << 18;
    /// From one matrix's beginning to the next one's: whole blocks of every type, and aligned.
    private static final int STEP_ELEMENTS = 1 << 13;
    private static final List<String> PARTS = List.of("token_embd.weight", "output.weight", "attn_q.weight", "attn_k.weight",
            "attn_v.weight", "attn_output.weight", "ffn_gate.weight", "ffn_up.weight", "ffn_down.weight");
    private static final Pattern LAYER = Pattern.compile("blk\\.(\\d+)\\.");

    private final ModelConfig config;
    private final DType dtype;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment matrices;
    private final MemorySegment ones;

    RandomCheckpoint(ModelConfig config, DType dtype, long seed) {
        this.config = config;
        this.dtype = dtype;
        int width = Math.max(config.hidden(), config.intermediate());
        long elements = (long) config.hidden() * Math.max(config.vocabulary(), width)
                + (long) STEP_ELEMENTS * PARTS.size() * config.layers();
        matrices = arena.allocate(dtype.byteSize(elements), 64);
        fill(new SplittableRandom(seed), (float) Math.sqrt(3.0 / width));
        ones = arena.allocate(4L * width, 64);
        for (int i = 0; i < width; i++) {
            ones.setAtIndex(ValueLayout.JAVA_FLOAT, i, 1);
        }
    }

    /// The same thousands of numbers over and over.
    private void fill(SplittableRandom random, float most) {
        float[] pattern = new float[PATTERN_ELEMENTS];
        for (int i = 0; i < pattern.length; i++) {
            pattern[i] = (float) random.nextDouble(-most, most);
        }
        MemorySegment encoded = arena.allocate(dtype.byteSize(pattern.length), 64);
        Codec.of(dtype).encode(pattern, 0, encoded, 0, pattern.length);
        for (long offset = 0; offset < matrices.byteSize(); offset += encoded.byteSize()) {
            long bytes = Math.min(encoded.byteSize(), matrices.byteSize() - offset);
            MemorySegment.copy(encoded, 0, matrices, offset, bytes);
        }
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
        int queries = config.heads() * config.headDim();
        int keys = config.kvHeads() * config.headDim();
        Map<String, int[]> shapes = Map.of("token_embd.weight", new int[] {config.vocabulary(), config.hidden()},
                "output.weight", new int[] {config.vocabulary(), config.hidden()},
                "attn_q.weight", new int[] {queries, config.hidden()}, "attn_k.weight", new int[] {keys, config.hidden()},
                "attn_v.weight", new int[] {keys, config.hidden()}, "attn_output.weight", new int[] {config.hidden(), queries},
                "ffn_gate.weight", new int[] {config.intermediate(), config.hidden()},
                "ffn_up.weight", new int[] {config.intermediate(), config.hidden()},
                "ffn_down.weight", new int[] {config.hidden(), config.intermediate()});
        return Optional.ofNullable(shapes.get(part)).map(shape -> {
            long number = PARTS.indexOf(part) + (part.equals(tensor) ? 0 : Long.parseLong(layer.group(1)) * PARTS.size());
            return new Tensor(tensor, dtype, Shape.of(shape[0], shape[1]),
                    matrices.asSlice(number * dtype.byteSize(STEP_ELEMENTS), shape[0] * dtype.byteSize(shape[1])));
        });
    }

    @Override
    public Tokenizer tokenizer() {
        return new NumberTokenizer(config.vocabulary());
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
