package org.gatun.speculative.retrieval;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.SequenceState;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.SpeculativeDecoder;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;
import org.gatun.speculative.method.SpeculationMethod;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

class FusionDrafterTest {
    static final List<SpeculationMethod> METHODS = SpeculationMethod.ALL;

    private static final long SEED = 6;
    private static final SuffixArray FOUND = new SuffixArray(new int[] {1, 2, 7, 3, 4, 5, -1, 1, 2, 8, 1, -1});

    @TempDir
    Path directory;

    @Test
    void draft_bothTrees_graftsBelowWhatAgrees() {
        assertEquals("7(3(4(5))) 9", Trees.text(fusion(FOUND, new int[] {0, 7}, new int[] {0, 9}, new int[] {1, 3}), 64, 1, 2));
    }

    @Test
    void draft_chain_isNoReasonToLeaveOutOthers() {
        assertEquals("7(3(4(5))) 8(1)", Trees.text(fusion(FOUND, new int[] {0, 7}), 64, 1, 2));
    }

    @Test
    void draft_nothingFound_isTheInnerTree() {
        assertEquals("7(3) 9", Trees.text(fusion(new SuffixArray(new int[0]), new int[] {0, 7}, new int[] {0, 9}, new int[] {1, 3}),
                64, 1, 2));
    }

    @Test
    void draft_nothingDrafted_isWhatWasFound() {
        assertEquals("7(3(4(5))) 8(1)", Trees.text(fusion(FOUND), 64, 1, 2));
    }

    @Test
    void draft_twice_isTheSameTree() {
        RetrievalDrafter retrieval = new RetrievalDrafter(List.of(FOUND), 8);
        TokenSequence text = new TokenSequence(1, 2);
        TokenTree tree = new TokenTree(64).begin(2);
        retrieval.draft(text, tree, 64);
        String once = Trees.text(tree);

        retrieval.draft(text, tree, 64);

        assertEquals(once, Trees.text(tree));
    }

    @Test
    void draft_fewRows_leavesHalfOfThemToTheDrafter() {
        FusionDrafter drafter = fusion(FOUND, new int[] {0, 7}, new int[] {0, 9}, new int[] {1, 3}, new int[] {2, 3});

        assertEquals("7(3(4)) 9", Trees.text(drafter, 5, 1, 2)); // the drafter's two, then two found
    }

    @ParameterizedTest
    @FieldSource("METHODS")
    void generate_anyInnerMethod_givesTheTextOfPlainDecoding(SpeculationMethod inner) throws IOException {
        try (Backend backend = Backends.open("reference");
                Model target = Model.load(RandomModel.tiny(SEED).withLayers(4).write(directory.resolve("target.gguf")), backend,
                        ModelOptions.STANDARD);
                Model draft = Model.load(RandomModel.tiny(SEED).write(directory.resolve("draft.gguf")), backend, ModelOptions.STANDARD)) {
            int[] expected = generate(target, SpeculationMethod.parse("none").open(target, Optional.empty()));

            assertArrayEquals(expected, generate(target,
                    SpeculationMethod.parse("rasd:inner=" + inner.name() + ":rows=32").open(target, Optional.of(draft))));
        }
    }

    /// 120 tokens of a model that soon repeats itself.
    private static int[] generate(Model target, Drafter drafter) {
        try (drafter; Session session = target.openSession()) {
            SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, Sampling.GREEDY, new int[] {5, 6, 7, 8, 5, 6, 7});
            while (decoder.text().length() < 127) {
                session.step(decoder, 127 - decoder.text().length());
            }
            return decoder.text().from(0);
        }
    }

    /// @param nodes parent and token of each
    private static FusionDrafter fusion(SuffixArray corpus, int[]... nodes) {
        return new FusionDrafter(new RetrievalDrafter(List.of(corpus), 8), new FixedTree(nodes), 8);
    }

    private record FixedTree(int[]... nodes) implements Drafter {

        @Override
        public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
            // always the same tree
        }

        @Override
        public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
            for (int i = 0; i < nodes.length && tree.size() < maxNodes; i++) {
                tree.add(nodes[i][0], nodes[i][1]);
            }
        }

        @Override
        public void observe(TokenSequence text, Step step) {
            // learns nothing
        }

        @Override
        public void close() {
            // holds nothing
        }
    }
}
