package org.gatun.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.cuda.TestDriver;
import org.gatun.format.GgufFile;
import org.gatun.format.GgufWriter;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Models whose weights are no numbers, or give none: every backend ends a text in one line, and none emits a token.
@Tag("gpu")
class NonFiniteLogitsTest {
    private static final long SEED = 3;
    private static final int[] PROMPT = {1, 5, 9};

    @TempDir
    Path directory;

    static Stream<String> backends() {
        return TestDriver.asked().map(Stream::of).orElseGet(() -> Backends.list().stream()
                .filter(backend -> backend.unavailable().isEmpty()).map(Backends.Availability::name));
    }

    @ParameterizedTest
    @MethodSource("backends")
    void decode_weightsThatAreNoNumbers_endsInOneLine(String backendName) throws IOException {
        try (Backend backend = Backends.open(backendName)) {
            ends(spoiled("blk.0.attn_norm.weight", Float.NaN), backend, Sampling.GREEDY);
            ends(spoiled("output_norm.weight", Float.NaN), backend, Sampling.GREEDY.withTemperature(1).withTopP(0.9));
            ends(spoiled("output.weight", Float.POSITIVE_INFINITY), backend, Sampling.GREEDY.withTemperature(1));
            ends(spoiled("output.weight", Float.NEGATIVE_INFINITY), backend, Sampling.GREEDY.withRepetitionPenalty(1.2));
        }
    }

    private static void ends(Path file, Backend backend, Sampling sampling) throws IOException {
        try (Model model = Model.load(file, backend, ModelOptions.STANDARD); Session session = model.openSession();
                Generation generation = new Generation(session, PROMPT, Optional.empty(),
                        GenerationOptions.STANDARD.withMaxTokens(5).withSampling(sampling))) {
            NonFiniteLogitsException ended = assertThrows(NonFiniteLogitsException.class, generation::text, file.toString());

            assertEquals("logits of token 3 are not numbers: the weights of " + file + " hold NaN or infinities, or what they give overflows "
                    + "(keys and values are kept in F16)", ended.getMessage());
            assertEquals(0, generation.generatedTokens());
        }
    }

    @Test
    void decode_oneLogitThatIsNoNumber_isNotSampled() throws IOException {
        try (Backend backend = Backends.openHost(1);
                Model model = Model.load(spoiled("output.weight", Float.NaN, 32), backend, ModelOptions.STANDARD);
                Session session = model.openSession();
                Generation generation = new Generation(session, PROMPT, Optional.empty(),
                        GenerationOptions.STANDARD.withMaxTokens(20).withIgnoreEndOfText(true))) {
            generation.text();

            assertTrue(Stream.of(generation.tokens()).noneMatch(tokens -> tokens[0] == 0));
            assertEquals(20, generation.generatedTokens());
        }
    }

    @Test
    void draft_modelOfNoNumbers_isNamed() throws IOException {
        try (Backend backend = Backends.openHost(1);
                Model target = Model.load(RandomModel.tiny(SEED).write(directory.resolve("target.gguf")), backend, ModelOptions.STANDARD);
                Model draft = Model.load(spoiled("blk.0.attn_norm.weight", Float.NaN), backend, ModelOptions.STANDARD)) {
            for (String method : new String[] {"draft", "sequoia"}) {
                try (Session session = target.openSession();
                        Generation generation = new Generation(session, PROMPT, Optional.of(draft),
                                GenerationOptions.STANDARD.withMaxTokens(5).withSpeculation(SpeculationMethod.parse(method)))) {
                    String message = assertThrows(NonFiniteLogitsException.class, generation::text).getMessage();
                    assertTrue(message.contains(draft.name()), message);
                }
            }
        }
    }

    private Path spoiled(String tensor, float value) throws IOException {
        return spoiled(tensor, value, Integer.MAX_VALUE);
    }

    /// A model that has a value in place of the first weights of a tensor.
    private Path spoiled(String name, float value, int count) throws IOException {
        Path file = directory.resolve(name + value + ".gguf");
        try (GgufFile whole = GgufFile.open(RandomModel.tiny(SEED).write(directory.resolve("whole.gguf")))) {
            GgufWriter writer = new GgufWriter().putAll(whole);
            for (Tensor tensor : whole.tensors().values()) {
                MemorySegment data = MemorySegment.ofArray(tensor.data().toArray(ValueLayout.JAVA_BYTE));
                for (int i = 0; tensor.name().equals(name) && i < Math.min(count, tensor.shape().elements()); i++) {
                    data.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 4L * i, value);
                }
                writer.tensor(new Tensor(tensor.name(), tensor.dtype(), tensor.shape(), data));
            }
            writer.write(file);
        }
        return file;
    }
}
