package org.gatun.backend;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.tensor.DType;

/// What a pass costs: decoding, small trees and prompts, on Llama shapes with random weights. Rounds of all kinds of pass are
/// interleaved, medians are printed. `docs/benchmarks/cpu.md` says how to run it.
///
/// Arguments: SHAPE TYPE [THREADS [DIRECTORY]]. SHAPE is `170m` or `1b`, TYPE a stored type such as Q8_0. The model file is
/// kept in DIRECTORY and reused.
final class PassBenchmark {
    private static final int[] ROWS = {1, 2, 4, 8, 16, 64, 512};
    private static final int ROUNDS = 7;

    private PassBenchmark() {}

    public static void main(String[] args) throws IOException {
        DType dtype = DType.valueOf(args[1]);
        int threads = args.length > 2 ? Integer.parseInt(args[2]) : Runtime.getRuntime().availableProcessors();
        Path directory = Path.of(args.length > 3 ? args[3] : "target");
        Path file = directory.resolve("random-" + args[0] + "-" + dtype + ".gguf");
        if (!Files.exists(file)) {
            shape(args[0], dtype).write(file);
        }
        long start = System.nanoTime();
        try (Backend backend = Backends.open("cpu", threads);
                Model model = Model.load(file, backend, ModelOptions.STANDARD);
                Session session = model.openSession()) {
            session.decode(1, Sampling.GREEDY);
            System.out.printf("%s %s, %s: first token after %.2f s%n", args[0], dtype, backend.description(),
                    (System.nanoTime() - start) / 1e9);
            measure(session);
        }
    }

    private static RandomModel shape(String name, DType dtype) {
        return switch (name) {
            case "170m" -> new RandomModel("llama", dtype, 32_000, 1024, 12, 16, 4, 2816, 2048, 1, 1);
            case "1b" -> new RandomModel("llama", dtype, 32_000, 2048, 16, 32, 8, 8192, 2048, 1, 1);
            default -> throw new IllegalArgumentException("shape " + name + ": expected 170m or 1b");
        };
    }

    private static void measure(Session session) {
        SplittableRandom random = new SplittableRandom(1);
        double[][] seconds = new double[ROWS.length][ROUNDS];
        for (int round = -1; round < ROUNDS; round++) {
            for (int kind = 0; kind < ROWS.length; kind++) {
                int passes = ROWS[kind] > 16 ? 1 : 8;
                int[] tokens = random.ints(ROWS[kind], 0, 32_000).toArray();
                long start = System.nanoTime();
                for (int i = 0; i < passes; i++) {
                    run(session, tokens);
                }
                if (round >= 0) {
                    seconds[kind][round] = (System.nanoTime() - start) / 1e9 / passes;
                }
            }
        }
        double single = median(seconds[0]);
        for (int kind = 0; kind < ROWS.length; kind++) {
            double median = median(seconds[kind]);
            System.out.printf("%4d rows %9.3f ms %9.1f tokens/s %6.2f passes of one row%n", ROWS[kind], median * 1e3,
                    ROWS[kind] / median, median / single);
        }
    }

    /// Small passes give logits for every row, as trees do, large ones for none, as prompts do.
    private static void run(Session session, int[] tokens) {
        session.rewind(0);
        if (tokens.length > 16) {
            session.prefill(tokens, 0, tokens.length);
            return;
        }
        session.pass().beginCausal(0);
        for (int row = 0; row < tokens.length; row++) {
            session.pass().addRow(tokens[row]);
            session.pass().select(row);
        }
        session.run();
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }
}
