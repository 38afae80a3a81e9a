package org.gatun.backend;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.Session;
import org.gatun.plan.ActivationQuantization;
import org.gatun.sampling.Sampling;
import org.gatun.tensor.DType;

/// What a pass costs: decoding, small trees and prompts, on Llama shapes with random weights. Rounds of all types and kinds of pass are
/// interleaved, medians are printed, and for each type but the first how much faster it decodes, beside how much less it reads.
/// `docs/benchmarks/cpu.md` says how to run it.
///
/// Arguments: SHAPE TYPE,... [THREADS [DIRECTORY [ROUNDS [MAX-ROWS [CONTEXT]]]]], CONTEXT the tokens that stand before each pass. SHAPE is `170m` or `1b`. TYPE is that of a file, such as
/// Q8_0, or F16:NF4 for a file of the first whose blocks are brought to the second, or F16:INT8/int8 for one whose activations are taken
/// in that form. Files are kept in DIRECTORY and reused.
final class PassBenchmark {
    private final String name;
    private final long bytes;
    private final Model model;
    private final Session session;
    private final int context;
    private final double[][] seconds; // [kinds, rounds] of a pass

    /// @param bytes of the weights that a token reads
    private PassBenchmark(String name, long bytes, Model model, int context, double[][] seconds) {
        this.name = name;
        this.bytes = bytes;
        this.model = model;
        session = model.openSession();
        this.context = context;
        this.seconds = seconds;
        session.prefill(new SplittableRandom(2).ints(context, 0, 32_000).toArray(), 0, context);
    }

    public static void main(String[] args) throws IOException {
        int threads = args.length > 2 ? Integer.parseInt(args[2]) : Runtime.getRuntime().availableProcessors();
        Path directory = Path.of(args.length > 3 ? args[3] : "target");
        int rounds = args.length > 4 ? Integer.parseInt(args[4]) : 7;
        int max = args.length > 5 ? Integer.parseInt(args[5]) : 512;
        int context = args.length > 6 ? Integer.parseInt(args[6]) : 0;
        int[] rows = IntStream.of(1, 2, 4, 8, 16, 64, 512).filter(count -> count <= max).toArray();
        List<PassBenchmark> benchmarks = new ArrayList<>();
        try (Backend backend = Backends.open("cpu", threads)) {
            System.out.println(args[0] + ", " + backend.description());
            try {
                for (String type : args[1].split(",")) {
                    benchmarks.add(open(args[0], type, directory, backend, context, new double[rows.length][rounds]));
                }
                measure(benchmarks, rows, rounds);
            } finally {
                for (PassBenchmark benchmark : benchmarks) {
                    benchmark.session.close();
                    benchmark.model.close();
                }
            }
        }
    }

    private static PassBenchmark open(String name, String type, Path directory, Backend backend, int context, double[][] seconds)
            throws IOException {
        String[] form = type.split("/");
        String[] types = form[0].split(":");
        DType stored = DType.valueOf(types[0]);
        DType blocks = DType.valueOf(types[types.length - 1]);
        RandomModel shape = RandomModel.ofShape(name, stored);
        Path file = directory.resolve("random-" + name + "-" + stored + ".gguf");
        if (!Files.exists(file)) {
            shape.write(file);
        }
        long start = System.nanoTime();
        ModelOptions options = blocks == stored ? ModelOptions.STANDARD : ModelOptions.STANDARD.withWeightType(blocks);
        Model model =
                Model.load(file, backend, form.length == 1 ? options : options.withActivations(ActivationQuantization.parse(form[1])));
        long keys = (long) shape.hidden() / shape.heads() * shape.kvHeads();
        long bytes = shape.layers() * ((2L * shape.hidden() + 2 * keys + 2L * shape.intermediate()) * blocks.rowBytes(shape.hidden())
                + shape.hidden() * blocks.rowBytes(shape.intermediate())) + shape.vocabulary() * stored.rowBytes(shape.hidden());
        PassBenchmark opened = new PassBenchmark(type, bytes, model, context, seconds);
        opened.session.decode(1, Sampling.GREEDY);
        System.out.printf("%s: first token after %.2f s%n", type, (System.nanoTime() - start) / 1e9);
        return opened;
    }

    private static void measure(List<PassBenchmark> benchmarks, int[] rows, int rounds) {
        SplittableRandom random = new SplittableRandom(1);
        for (int round = -1; round < rounds; round++) {
            for (int kind = 0; kind < rows.length; kind++) {
                int[] tokens = random.ints(rows[kind], 0, 32_000).toArray();
                for (PassBenchmark benchmark : benchmarks) {
                    double taken = benchmark.measure(tokens);
                    if (round >= 0) {
                        benchmark.seconds[kind][round] = taken;
                    }
                }
            }
        }
        benchmarks.forEach(benchmark -> benchmark.print(rows, benchmarks.getFirst()));
    }

    private double measure(int[] tokens) {
        int passes = tokens.length > 16 ? 1 : 8;
        long start = System.nanoTime();
        for (int i = 0; i < passes; i++) {
            run(tokens);
        }
        return (System.nanoTime() - start) / 1e9 / passes;
    }

    private void print(int[] rows, PassBenchmark first) {
        double single = median(seconds[0]);
        double speedup = median(first.seconds[0]) / single;
        System.out.printf("%s: %.0f MB a token, %.1f GB/s; against %s %.2f times as fast, %.2f times less read%n", name, bytes / 1e6,
                bytes / single / 1e9, first.name, speedup, (double) first.bytes / bytes);
        for (int kind = 0; kind < rows.length; kind++) {
            double median = median(seconds[kind]);
            System.out.printf("%4d rows %9.3f ms %9.1f tokens/s %6.2f passes of one row%n", rows[kind], median * 1e3,
                    rows[kind] / median, median / single);
        }
    }

    /// Small passes give logits for every row, as trees do, large ones for none, as prompts do.
    private void run(int[] tokens) {
        session.rewind(context);
        if (tokens.length > 16) {
            int[] text = new int[context + tokens.length];
            System.arraycopy(tokens, 0, text, context, tokens.length);
            session.prefill(text, context, text.length);
            return;
        }
        session.segment().beginCausal(context);
        for (int row = 0; row < tokens.length; row++) {
            session.segment().addRow(tokens[row]);
            session.segment().select(row);
        }
        session.run();
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }
}
