package org.gatun.backend.cuda;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.cuda.CudaStub;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.Session;
import org.gatun.sampling.LogitBias;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.TokenDistribution;
import org.gatun.speculative.TokenTree;
import org.gatun.tensor.DType;

/// What the host does for a step of a model of 32 layers, when the driver does nothing: its time, its allocations and its calls. To be
/// run with the stub of the driver, `-Dgatun.cuda.library`; see `docs/benchmarks/cuda.md`.
public final class HostWork {
    private static final long SEED = 20261121;
    private static final int TEXT = 400;
    private static final int STEPS = 20_000;
    private static final int WARM_UP = 30;
    private static final int ROUNDS = 30;
    private static final Sampling SAMPLING = Sampling.GREEDY.withTemperature(0.8).withTopP(0.9).withRepetitionPenalty(1.1);

    private HostWork() {}

    private record Kind(String name, Runnable step) {}

    /// @param arguments a directory to write the model to, and how many steps a round has, if not 20,000
    public static void main(String[] arguments) throws IOException {
        CudaStub stub = CudaStub.load(Path.of(System.getProperty("gatun.cuda.library")));
        Path file = new RandomModel("llama", DType.F16, 256, 64, 32, 4, 2, 128, 512, SEED, 1)
                .write(Path.of(arguments[0]).resolve("model.gguf"));
        try (Backend backend = Backends.open("cuda");
                Model model = Model.load(file, backend, ModelOptions.STANDARD);
                Session session = model.openSession();
                Session drafting = model.openSession()) {
            int[] text = new int[TEXT + 1];
            session.prefill(text, 0, TEXT);
            drafting.prefill(text, 0, TEXT);
            TokenTree tree = tree(5, session);
            for (Kind kind : List.of(new Kind("row", verifying(tree(1, session), session, SAMPLING)),
                    new Kind("tree of 64", verifying(tree(64, session), session, SAMPLING)),
                    new Kind("sampled tree of 64", verifying(sampledTree(session), session, SAMPLING)),
                    new Kind("row under penalties", verifying(tree(1, session), session, SAMPLING.withFrequencyPenalty(0.5)
                            .withLogitBias(LogitBias.of(Map.of(7, 1.0))))),
                    new Kind("draft of 8", () -> {
                        session.rewind(TEXT);
                        session.decodeChain(1, 8, 0, SAMPLING);
                    }),
                    new Kind("draft of 8 after a row", () -> {
                        session.rewind(TEXT);
                        session.prefill(text, TEXT, TEXT + 1);
                        session.decodeChain(1, 8, 0, SAMPLING);
                    }),
                    new Kind("draft of 4 while a tree of 5 runs", () -> {
                        session.rewind(TEXT);
                        tree.writeTo(session.segment(), TEXT);
                        session.launch(SAMPLING);
                        drafting.rewind(TEXT);
                        drafting.decodeChain(1, 4, 0, SAMPLING);
                        session.await();
                    }))) {
                kind.step.run();
                stub.reset();
                kind.step.run();
                System.out.println(kind.name + " calls: " + String.join(" ", stub.calls().stream()
                        .map(call -> call.substring(0, call.indexOf('('))).toList()));
                stub.record(false);
                measure(kind, arguments.length > 1 ? Integer.parseInt(arguments[1]) : STEPS);
                stub.record(true);
            }
        }
    }

    private static TokenTree tree(int nodes, Session session) {
        SplittableRandom random = new SplittableRandom(SEED);
        TokenTree tree = new TokenTree(session.maxTreeRows()).begin(1);
        while (tree.size() < nodes) {
            tree.add(random.nextInt(tree.size()), random.nextInt(200));
        }
        return tree;
    }

    /// Two children below each node, as long as there is room, sampled from distributions of all tokens.
    private static TokenTree sampledTree(Session session) {
        TokenTree tree = new TokenTree(session.maxTreeRows()).begin(1);
        TokenDistribution distribution = new TokenDistribution(session.vocabularySize());
        for (int token = 0; token < distribution.vocabulary(); token++) {
            distribution.add(token, 1.0 / (token + 1));
        }
        for (int node = 0; tree.size() + 2 <= 64; node++) {
            tree.setDistribution(node, ProposalSampling.WITHOUT_REPLACEMENT, distribution);
            tree.addSampled(node, 2 * node);
            tree.addSampled(node, 2 * node + 1);
        }
        return tree;
    }

    private static Runnable verifying(TokenTree tree, Session session, Sampling sampling) {
        return () -> {
            session.rewind(TEXT);
            tree.writeTo(session.segment(), TEXT);
            session.verify(sampling);
        };
    }

    /// The first rounds make what is made once. Compilers allocate now and then, when they take back what they compiled; the interpreter
    /// allocates what the code says and nothing else.
    private static void measure(Kind kind, int steps) {
        var thread = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        double[] nanos = new double[ROUNDS];
        run(kind, WARM_UP * steps);
        long before = thread.getCurrentThreadAllocatedBytes();
        for (int round = 0; round < ROUNDS; round++) {
            long start = System.nanoTime();
            run(kind, steps);
            nanos[round] = (double) (System.nanoTime() - start) / steps;
        }
        long allocated = thread.getCurrentThreadAllocatedBytes() - before;
        Arrays.sort(nanos);
        System.out.println(kind.name + " bytes of " + ROUNDS * steps + " warm steps: " + allocated);
        System.out.printf("%s median of a step: %.0f ns%n", kind.name, nanos[ROUNDS / 2]);
    }

    private static void run(Kind kind, int steps) {
        for (int i = 0; i < steps; i++) {
            kind.step.run();
        }
    }
}
