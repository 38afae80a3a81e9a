package org.gatun.generation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.gatun.backend.Backend;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.tensor.DType;
import org.gatun.tokenizer.Tokenizer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GenerationTest {
    private static final GenerationOptions TEN = GenerationOptions.STANDARD.withMaxTokens(10).withIgnoreEndOfText(true);

    @TempDir
    Path directory;
    private Backend backend;
    private Model model;

    @BeforeEach
    void load() throws IOException {
        backend = new ReferenceBackend();
        model = Model.load(RandomModel.tiny(3).write(directory.resolve("tiny.gguf")), backend,
                new ModelOptions(48, DType.F32));
    }

    @AfterEach
    void close() {
        model.close();
        backend.close();
    }

    @Test
    void generate_maxTokens_endsThere() {
        try (Session session = model.openSession(); Generation generation = new Generation(session, "ABC", TEN)) {
            generation.text();
            assertEquals(10, generation.tokens().length);
            assertEquals(Optional.of(Generation.Finish.MAX_TOKENS), generation.finish());
            assertEquals(10, generation.generatedTokens());
        }
    }

    @Test
    void generate_contextFull_endsThere() {
        try (Session session = model.openSession();
                Generation generation = new Generation(session, "ABC", TEN.withMaxTokens(1000))) {
            generation.text();
            assertEquals(Optional.of(Generation.Finish.CONTEXT_FULL), generation.finish());
            assertEquals(48, session.length());
            assertEquals(49, generation.promptTokens() + generation.generatedTokens(), "the last token needs no row");
        }
    }

    @Test
    void generate_stopString_endsBeforeIt() {
        String text = run("ABC", TEN);
        String stop = text.substring(4, 6);

        try (Session session = model.openSession();
                Generation generation = new Generation(session, "ABC", TEN.withStopStrings(List.of(stop, "never met")))) {
            assertEquals(text.substring(0, text.indexOf(stop)), generation.text());
            assertEquals(Optional.of(Generation.Finish.STOP_STRING), generation.finish());
        }
    }

    @Test
    void generate_cancelled_endsAfterTheStep() {
        try (Session session = model.openSession(); Generation generation = new Generation(session, "ABC", TEN)) {
            generation.next();
            generation.cancel();
            assertFalse(generation.hasNext());
            assertEquals(Optional.of(Generation.Finish.CANCELLED), generation.finish());
        }
    }

    @Test
    void generate_longerTextInSameSession_continuesFromCommonPrefix() {
        try (Session session = model.openSession()) {
            int[] first;
            try (Generation generation = new Generation(session, "ABC", TEN)) {
                generation.text();
                first = generation.tokens();
            }
            int[] prompt = model.tokenizer().encode("ABC", Tokenizer.Special.ADD);
            int[] longer = Arrays.copyOf(prompt, prompt.length + 5);
            System.arraycopy(first, 0, longer, prompt.length, 5);
            try (Generation generation = new Generation(session, longer, Optional.empty(), TEN.withMaxTokens(5))) {
                generation.text();
                assertArrayEquals(Arrays.copyOfRange(first, 5, 10), generation.tokens());
            }
        }
    }

    @Test
    void generate_promptBeyondContext_isRefused() {
        try (Session session = model.openSession()) {
            String message = assertThrows(IllegalArgumentException.class,
                    () -> new Generation(session, "A".repeat(60), TEN)).getMessage();
            assertTrue(message.contains("48"), message);
        }
    }

    @Test
    void generate_draftMethodWithoutDraftModel_isRefused() {
        try (Session session = model.openSession()) {
            GenerationOptions options = TEN.withSpeculation(SpeculationMethod.parse("draft"));
            String message = assertThrows(IllegalArgumentException.class,
                    () -> new Generation(session, "A", options)).getMessage();
            assertTrue(message.contains("needs a draft model"), message);
        }
    }

    @Test
    void session_afterClose_refusesUse() {
        Session session = model.openSession();
        session.close();
        session.close();

        assertThrows(IllegalStateException.class, () -> session.decode(3, Sampling.GREEDY));
    }

    @Test
    void session_modelClosed_refusesUse() {
        try (Session session = model.openSession()) {
            model.close();
            model.close();

            assertThrows(IllegalStateException.class, () -> session.decode(3, Sampling.GREEDY));
            assertThrows(IllegalStateException.class, model::openSession);
        }
    }

    private String run(String prompt, GenerationOptions options) {
        try (Session session = model.openSession(); Generation generation = new Generation(session, prompt, options)) {
            return generation.text();
        }
    }
}
