package org.gatun.generation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.gatun.backend.Backend;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.constraint.CompiledConstraint;
import org.gatun.constraint.Constraint;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ConstrainedGenerationTest {
    private static final String EXPRESSION = "([A-M]{2}[N-Z]){2,5}";
    private static final int[] PROMPT = {3, 9, 4, 3, 9, 4, 3};

    @TempDir
    Path directory;
    private Backend backend;
    private Model model;
    private Model draft;

    @BeforeEach
    void load() throws IOException {
        backend = new ReferenceBackend();
        model = Model.load(RandomModel.tiny(3).write(directory.resolve("tiny.gguf")), backend, new ModelOptions(64, DType.F32));
        draft = Model.load(RandomModel.tiny(3).withDtype(DType.Q4_0).write(directory.resolve("draft.gguf")), backend,
                new ModelOptions(64, DType.F32));
    }

    @AfterEach
    void close() {
        draft.close();
        model.close();
        backend.close();
    }

    private Generation.Finish generate(GenerationOptions options, StringBuilder text, List<int[]> tokens) {
        try (Session session = model.openSession();
                Generation generation = new Generation(session, PROMPT, Optional.of(draft), options)) {
            text.append(generation.text());
            tokens.add(generation.tokens());
            return generation.finish().orElseThrow();
        }
    }

    static Stream<String> methods() {
        return SpeculationMethod.ALL.stream().map(SpeculationMethod::name);
    }

    @ParameterizedTest
    @MethodSource("methods")
    void everyMethod_underAConstraint_writesTheTextOfPlainDecodingUnderIt(String name) {
        CompiledConstraint constraint = Constraint.regex(EXPRESSION).compile(model.tokenizer());
        for (Sampling sampling : List.of(Sampling.GREEDY, Sampling.GREEDY.withTemperature(1.2).withSeed(5))) {
            GenerationOptions plain = GenerationOptions.STANDARD.withMaxTokens(30).withSampling(sampling).withConstraint(constraint);
            List<int[]> tokens = new ArrayList<>();
            StringBuilder expected = new StringBuilder();
            StringBuilder found = new StringBuilder();

            assertEquals(Generation.Finish.END_OF_TEXT, generate(plain, expected, tokens));
            assertEquals(Generation.Finish.END_OF_TEXT, generate(plain.withSpeculation(SpeculationMethod.parse(name)), found, tokens));

            assertTrue(expected.toString().matches(EXPRESSION), expected.toString());
            assertTrue(found.toString().matches(EXPRESSION), found.toString());
            if (sampling.temperature() == 0 || !SpeculationMethod.parse(name).method().samplesProposals()) {
                assertArrayEquals(tokens.get(0), tokens.get(1), expected + " and " + found);
            }
        }
    }

    @Test
    void constraint_roomForTooFewTokens_textIsUnfinished() {
        StringBuilder text = new StringBuilder();
        GenerationOptions options = GenerationOptions.STANDARD.withMaxTokens(4)
                .withConstraint(Constraint.regex(EXPRESSION).compile(model.tokenizer()));

        assertEquals(Generation.Finish.MAX_TOKENS, generate(options, text, new ArrayList<>()));
        assertEquals(4, text.length());
    }

    @Test
    void constraint_thatNoTokenBegins_isRefusedBeforeATextBegins() {
        String message = assertThrows(IllegalArgumentException.class, () -> Constraint.regex("a{3}").compile(model.tokenizer())).getMessage();

        assertTrue(message.contains("no token of the model spells what the constraint 'regex a{3}' asks for"), message);
    }

    @Test
    void constraint_thatNoTokenSpellsFurtherOn_isSaid() {
        GenerationOptions options = GenerationOptions.STANDARD.withConstraint(Constraint.regex("Aa{3}").compile(model.tokenizer()));

        String message = assertThrows(IllegalStateException.class,
                () -> generate(options, new StringBuilder(), new ArrayList<>())).getMessage();

        assertTrue(message.contains("no token of the model spells what the constraint 'regex Aa{3}' asks for"), message);
    }

    @Test
    void constraint_withAnEndToIgnoreOrOfAnotherVocabulary_isRefused() throws IOException {
        CompiledConstraint constraint = Constraint.json().compile(model.tokenizer());
        assertThrows(IllegalArgumentException.class,
                () -> GenerationOptions.STANDARD.withIgnoreEndOfText(true).withConstraint(constraint));

        try (Model other = Model.load(new RandomModel("llama", DType.F32, 48, 32, 2, 4, 2, 64, 256, 1, 2)
                .write(directory.resolve("other.gguf")), backend, ModelOptions.STANDARD); Session session = other.openSession()) {
            GenerationOptions options = GenerationOptions.STANDARD.withConstraint(constraint);
            assertThrows(IllegalArgumentException.class, () -> new Generation(session, new int[] {3}, Optional.empty(), options));
        }
    }
}
