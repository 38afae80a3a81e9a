package org.gatun.cli;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gatun.backend.Backend;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.architecture.Architectures;
import org.gatun.model.architecture.ModelConfig;
import org.gatun.plan.RopeTable;
import org.gatun.tensor.DType;

/// A Llama's shape whose weights are made up, with a smaller one to draft: what they say is nothing, what they cost is real.
///
/// @param name as asked for
/// @param target sizes of the model
/// @param draft sizes of the one that drafts
/// @param dtype of the weights
record RandomShape(String name, ModelConfig target, ModelConfig draft, DType dtype) {
    private static final int VOCABULARY = 32_000;
    private static final int CONTEXT = 2048;
    private static final int PROMPT_TOKENS = 96;
    private static final int PHRASE_TOKENS = 12;
    private static final int PROMPTS = 3;
    private static final Map<String, List<ModelConfig>> SHAPES = Map.of(
            "170m", List.of(llama(12, 1024, 2816, 16, 4), llama(2, 512, 1408, 8, 2)),
            "1b", List.of(llama(16, 2048, 8192, 32, 8), llama(4, 1024, 2816, 16, 4)));

    /// Reads a shape and a type, as in `170m:q8_0`.
    ///
    /// @throws IllegalArgumentException if there is no such shape, or weights cannot be of that type
    static RandomShape parse(String text) {
        String[] parts = text.split(":", 2);
        List<ModelConfig> shapes = SHAPES.get(parts[0]);
        Optional<DType> dtype = ModelOptions.WEIGHT_TYPES.stream()
                .filter(type -> parts.length == 2 && type.name().equalsIgnoreCase(parts[1])).findFirst();
        if (shapes == null || dtype.isEmpty()) {
            throw new IllegalArgumentException("--random " + text + ": expected 170m:TYPE or 1b:TYPE, TYPE one of "
                    + ModelOptions.WEIGHT_TYPES.stream().map(type -> type.name().toLowerCase(Locale.ROOT))
                            .collect(Collectors.joining(", ")));
        }
        return new RandomShape(text, shapes.getFirst(), shapes.getLast(), dtype.get());
    }

    private static ModelConfig llama(int layers, int hidden, int intermediate, int heads, int kvHeads) {
        int headDim = hidden / heads;
        float[] frequencies = new float[headDim / 2];
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] = (float) Math.pow(10_000, -(double) i / frequencies.length);
        }
        return new ModelConfig(Architectures.plain(), VOCABULARY, layers, hidden, intermediate, heads, kvHeads, headDim, 1e-5f,
                new RopeTable(RopeTable.Pairing.INTERLEAVED, frequencies, 1), 0, 0, CONTEXT);
    }

    /// Makes the models; the caller closes them.
    OpenModels open(Backend backend, ModelOptions options) {
        Model model = Model.ofRandomWeights(name, target, dtype, 1, backend, options);
        return new OpenModels(backend, model,
                Optional.of(Model.ofRandomWeights(name + " draft", draft, dtype, 2, backend, options)), Optional.empty());
    }

    /// Some prompts of random tokens, and some that say a phrase over and over.
    static List<BenchPrompts.Prompt> prompts() {
        SplittableRandom random = new SplittableRandom(1);
        return Stream.of(PROMPT_TOKENS, PHRASE_TOKENS).flatMap(phrase -> Stream.generate(() -> {
            int[] tokens = random.ints(phrase, 0, VOCABULARY).toArray();
            return new BenchPrompts.Prompt(phrase == PHRASE_TOKENS ? "repeating" : "random", IntStream.range(0, PROMPT_TOKENS)
                    .mapToObj(i -> Integer.toString(tokens[i % phrase])).collect(Collectors.joining(" ")));
        }).limit(PROMPTS)).toList();
    }
}
