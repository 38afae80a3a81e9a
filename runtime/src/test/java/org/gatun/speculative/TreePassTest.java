package org.gatun.speculative;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.cuda.TestDriver;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.Session;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// A node of a tree gives the bits that its path gives as a chain, however the tree comes about and whatever else is in it.
@Tag("gpu")
class TreePassTest {
    private static final long SEED = 5;
    private static final int COMMITTED = 11;
    private static final int VOCABULARY = 32;

    @TempDir
    Path directory;

    static Stream<String> backends() {
        return TestDriver.asked().map(Stream::of).orElseGet(() -> Backends.list().stream()
                .filter(backend -> backend.unavailable().isEmpty()).map(Backends.Availability::name));
    }

    @ParameterizedTest
    @MethodSource("backends")
    void evaluate_randomTrees_everyNodeGivesBitsOfItsPath(String backendName) throws IOException {
        try (Backend backend = Backends.open(backendName);
                Model model = Model.load(RandomModel.tiny(SEED).write(directory.resolve("m.gguf")), backend, ModelOptions.STANDARD);
                Session session = model.openSession()) {
            SplittableRandom random = new SplittableRandom(SEED);
            int[] text = random.ints(COMMITTED, 0, VOCABULARY).toArray();
            for (int round = 0; round < 4; round++) {
                TokenTree tree = randomTree(random, 1 + random.nextInt(24));
                session.rewind(0);
                session.prefill(text, 0, COMMITTED);

                float[][] whole = evaluate(session, tree);

                for (int node = 0; node < tree.size(); node++) {
                    session.rewind(COMMITTED);
                    assertArrayEquals(chain(session, tree, node), whole[node], "seed " + SEED + ", round " + round + ", node " + node);
                }
                session.rewind(COMMITTED);
                float[][] grown = evaluateInParts(session, tree, random);
                for (int node = 0; node < tree.size(); node++) {
                    assertArrayEquals(whole[node], grown[node], "grown: seed " + SEED + ", round " + round + ", node " + node);
                }
            }
        }
    }

    private static TokenTree randomTree(SplittableRandom random, int size) {
        TokenTree tree = new TokenTree(64).begin(random.nextInt(VOCABULARY));
        while (tree.size() < size) {
            tree.add(random.nextInt(tree.size()), random.nextInt(VOCABULARY));
        }
        return tree;
    }

    private static float[][] evaluate(Session session, TokenTree tree) {
        tree.writeTo(session.segment(), session.length());
        for (int node = 0; node < tree.size(); node++) {
            session.segment().select(node);
        }
        session.evaluate();
        return logits(session, tree.size());
    }

    /// Some nodes in a first pass, some more in a second that goes on with it, and so on.
    private static float[][] evaluateInParts(Session session, TokenTree tree, SplittableRandom random) {
        List<float[]> rows = new ArrayList<>();
        session.segment().beginTree(session.length());
        for (int from = 0; from < tree.size(); ) {
            int to = Math.min(tree.size(), from + 1 + random.nextInt(8));
            for (int node = from; node < to; node++) {
                long word = 0;
                for (int other = 0; other <= node; other++) {
                    word |= tree.isAncestor(other, node) ? 1L << other : 0;
                }
                session.segment().addRow(tree.token(node), COMMITTED + tree.depth(node), new long[] {word}, 0, 1);
                session.segment().select(node);
            }
            session.evaluate();
            rows.addAll(List.of(logits(session, to - from)));
            session.segment().extend();
            from = to;
        }
        return rows.toArray(float[][]::new);
    }

    private static float[] chain(Session session, TokenTree tree, int node) {
        int[] path = new int[tree.depth(node) + 1];
        for (int ancestor = node; ancestor >= 0; ancestor = tree.parent(ancestor)) {
            path[tree.depth(ancestor)] = tree.token(ancestor);
        }
        session.segment().beginCausal(session.length());
        for (int token : path) {
            session.segment().addRow(token);
        }
        session.segment().select(path.length - 1);
        session.run();
        return logits(session, 1)[0];
    }

    private static float[][] logits(Session session, int rows) {
        float[][] logits = new float[rows][VOCABULARY];
        for (int row = 0; row < rows; row++) {
            logits[row] = session.logits().asSlice(4L * row * VOCABULARY, 4L * VOCABULARY).toArray(ValueLayout.JAVA_FLOAT);
        }
        return logits;
    }
}
