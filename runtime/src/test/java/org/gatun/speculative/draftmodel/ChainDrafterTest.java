package org.gatun.speculative.draftmodel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.gatun.backend.MarkovBackend;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.SequenceState;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.SpeculationStatistics;
import org.gatun.speculative.SpeculativeDecoder;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;
import org.gatun.speculative.draftmodel.ChainDrafter.DraftAhead;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What drafting while the target verifies changes: when passes of the draft model run, and nothing else.
class ChainDrafterTest {
    private static final long SEED = 20261121;
    private static final int VOCABULARY = 6;
    private static final int TOKENS = 100;
    private static final int CONTEXT = 256;

    @TempDir
    private Path directory;

    /// Where passes of the draft model ran: while the target waited, or verified.
    private static final class PassCounter implements Drafter {
        private final Drafter inner;
        private final MarkovBackend tables;
        private int drafting;
        private int draftAhead;
        private int first; // of those while it waited, those of the first proposal

        PassCounter(Drafter inner, MarkovBackend tables) {
            this.inner = inner;
            this.tables = tables;
        }

        @Override
        public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
            inner.begin(target, prompt, sampling);
        }

        @Override
        public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
            int before = tables.passes();
            inner.draft(text, tree, maxNodes);
            drafting += tables.passes() - before;
            first = first == 0 ? drafting : first;
        }

        @Override
        public void draftAhead(TokenSequence text, TokenTree tree, int maxTokens) {
            int before = tables.passes();
            inner.draftAhead(text, tree, maxTokens);
            draftAhead += tables.passes() - before;
        }

        @Override
        public void observe(TokenSequence text, Step step) {
            inner.observe(text, step);
        }

        @Override
        public void close() {
            inner.close();
        }
    }

    private record Run(int[] tokens, SpeculationStatistics counts, PassCounter passes) {}

    private Run run(MarkovBackend targetTables, MarkovBackend draftTables, DraftAhead draftAhead, float margin, Sampling sampling,
            int context, int... prompt) throws IOException {
        RandomModel shape = new RandomModel("llama", DType.F32, VOCABULARY, 32, 1, 1, 1, 32, CONTEXT, SEED, 1);
        Path file = shape.write(directory.resolve("shape.gguf"));
        try (Model target = Model.load(file, targetTables, ModelOptions.STANDARD);
                Model draft = Model.load(file, draftTables, new ModelOptions(context, DType.F16));
                Session session = target.openSession();
                PassCounter drafter = new PassCounter(new ChainDrafter(draft.openSession(), 4, 8, margin, draftAhead), draftTables)) {
            SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, sampling, prompt);
            int end = prompt.length + TOKENS;
            while (decoder.text().length() < end) {
                session.step(decoder, end - decoder.text().length());
            }
            SpeculationStatistics found = decoder.statistics();
            return new Run(decoder.text().from(0), new SpeculationStatistics(found.emitted(), found.targetPasses(), found.drafted(),
                    found.depths(), 0, 0, 0), drafter);
        }
    }

    @Test
    void draftAhead_modelsThatOftenAgree_proposesTheSameAndWaitsLess() throws IOException {
        int saved = 0;
        SplittableRandom random = new SplittableRandom(SEED);
        for (int i = 0; i < 60; i++) {
            MarkovBackend target = new MarkovBackend(VOCABULARY, SEED + i, 1.5, null);
            MarkovBackend draft = new MarkovBackend(VOCABULARY, SEED - i, 0.1 * (i % 6), target);
            Sampling sampling = Sampling.GREEDY.withTemperature(i % 3 * 0.5).withSeed(i).withRepetitionPenalty(1 + i % 2 * 0.2);
            float margin = i % 4 == 0 ? 0.5f : 0;
            int context = i % 5 == 0 ? 60 : CONTEXT; // with 60 the draft model stops half-way
            int[] prompt = random.ints(2 + random.nextInt(20), 0, VOCABULARY).toArray();

            Run waiting = run(target, draft, DraftAhead.NO, margin, sampling, context, prompt);
            Run draftAhead = run(target, draft, DraftAhead.YES, margin, sampling, context, prompt);

            assertArrayEquals(waiting.tokens, draftAhead.tokens, "case " + i);
            assertEquals(waiting.counts, draftAhead.counts, "case " + i);
            assertEquals(0, waiting.passes.draftAhead);
            assertTrue(draftAhead.passes.drafting <= waiting.passes.drafting, "case " + i);
            saved += waiting.passes.drafting - draftAhead.passes.drafting;
        }
        assertTrue(saved > 1000, "passes not waited for: " + saved);
    }

    @Test
    void draftAhead_modelsThatAlwaysAgree_neverWaitsAgain() throws IOException {
        MarkovBackend tables = new MarkovBackend(VOCABULARY, SEED, 1, null);

        Run run = run(tables, new MarkovBackend(VOCABULARY, SEED, 1, null), DraftAhead.YES, 0, Sampling.GREEDY.withTemperature(1), CONTEXT,
                3, 1);

        assertEquals(run.counts.drafted(), run.counts.accepted());
        assertEquals(run.passes.first, run.passes.drafting, "all but the first proposal were there when asked for");
        assertTrue(run.passes.draftAhead >= run.counts.drafted() - 4);
    }

    @Test
    void draftAhead_leftToABackendThatComputesOnTheCallingThread_runsNothing() throws IOException {
        MarkovBackend tables = new MarkovBackend(VOCABULARY, SEED, 1, null);

        Run run = run(tables, new MarkovBackend(VOCABULARY, SEED, 1, null), DraftAhead.AUTO, 0, Sampling.GREEDY, CONTEXT, 3, 1);

        assertEquals(0, run.passes.draftAhead);
    }

    @Test
    void draftAhead_afterAnUnsureToken_runsNothing() throws IOException {
        MarkovBackend tables = new MarkovBackend(VOCABULARY, SEED, 1, null);

        Run run =
                run(tables, new MarkovBackend(VOCABULARY, SEED, 1, null), DraftAhead.YES, Float.MAX_VALUE, Sampling.GREEDY, CONTEXT, 3, 1);

        assertEquals(0, run.passes.draftAhead);
        assertEquals(run.counts.drafted(), run.counts.accepted());
    }

    /// The same tokens begun anew with other random numbers are not continued by what was drafted for those before.
    @Test
    void begin_sameTokensWithAnotherSeed_forgetsWhatWasDraftedAhead() throws IOException {
        MarkovBackend tables = new MarkovBackend(VOCABULARY, SEED, 1, null);
        RandomModel shape = new RandomModel("llama", DType.F32, VOCABULARY, 32, 1, 1, 1, 32, CONTEXT, SEED, 1);
        try (Model model = Model.load(shape.write(directory.resolve("shape.gguf")), tables, ModelOptions.STANDARD);
                Session session = model.openSession();
                ChainDrafter drafter = new ChainDrafter(model.openSession(), 4, 8, 0, DraftAhead.YES)) {
            int[] text = {3, 1};
            for (long seed = 0; seed < 10; seed++) {
                session.rewind(0);
                Sampling sampling = Sampling.GREEDY.withTemperature(2).withSeed(seed);
                SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, sampling, text);
                session.step(decoder, TOKENS);
                assertEquals(decoder.statistics().drafted(), decoder.statistics().accepted(), "both sample alike with seed " + seed);
                text = decoder.text().from(0);
            }
        }
    }
}
