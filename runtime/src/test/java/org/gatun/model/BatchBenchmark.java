package org.gatun.model;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.backend.Batch;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Executable;
import org.gatun.backend.PageTable;
import org.gatun.backend.Segment;
import org.gatun.backend.VerificationResult;
import org.gatun.format.FormatReport;
import org.gatun.model.checkpoint.Checkpoint;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.LayerProgram;
import org.gatun.sampling.Sampling;
import org.gatun.tensor.DType;

/// What it gains to decode many sequences in one pass: tokens/s of 1, 4, 16 and 64 sequences, greedily, and how many times those of one.
/// Rounds of all sizes are interleaved, medians are printed. `docs/benchmarks/cpu.md` says how to run it.
///
/// Arguments: FILE [THREADS [ROUNDS]]. FILE is a GGUF model, or `170m:TYPE` for random weights of that shape and type, which are
/// written to `target` and reused.
final class BatchBenchmark {
    private static final int[] SIZES = {1, 4, 16, 64};
    private static final int PROMPT = 16;
    private static final int STEPS = 24;
    private static final BatchLimits LIMITS = new BatchLimits(64, 64, 64, 64);

    /// A sequence of a batch.
    private static final class Sequence {
        private final Segment segment;
        private final PageTable kv;
        private final VerificationResult result = new VerificationResult(LIMITS.treeRows());
        private final int[] text = new int[PROMPT + STEPS + 1];
        private int length;

        Sequence(Arena arena, PageTable kv) {
            segment = new Segment(arena, LIMITS);
            this.kv = kv;
        }

        /// The next row: the last token of the text, of which all before has its keys.
        void next() {
            segment.beginCausal(length - 1).addRow(text[length - 1]);
            segment.sample(Sampling.GREEDY, text, 0);
        }
    }

    private BatchBenchmark() {}

    public static void main(String[] args) throws IOException {
        int threads = args.length > 1 ? Integer.parseInt(args[1]) : Runtime.getRuntime().availableProcessors();
        int rounds = args.length > 2 ? Integer.parseInt(args[2]) : 7;
        try (Backend backend = Backends.open("cpu", threads); Checkpoint checkpoint = Checkpoint.open(file(args[0]), new FormatReport());
                Arena arena = Arena.ofConfined();
                Executable executable = backend.compile(checkpoint.config().architecture().record(checkpoint.config(), checkpoint::find,
                        ActivationQuantization.NONE, LayerProgram.full(checkpoint.config().layers())), LIMITS)) {
            System.out.println(args[0] + ", " + backend.description());
            List<Sequence> sequences = new ArrayList<>();
            for (int i = 0; i < SIZES[SIZES.length - 1]; i++) {
                sequences.add(new Sequence(arena, PageTable.openAlone(backend, checkpoint.config().kvLayout(DType.F16),
                        PROMPT + STEPS + 1)));
            }
            double[][] seconds = new double[SIZES.length][rounds];
            for (int round = -1; round < rounds; round++) {
                for (int kind = 0; kind < SIZES.length; kind++) {
                    double taken = measure(executable, sequences.subList(0, SIZES[kind]), checkpoint.config().vocabulary());
                    if (round >= 0) {
                        seconds[kind][round] = taken;
                    }
                }
            }
            double one = 1 / median(seconds[0]);
            for (int kind = 0; kind < SIZES.length; kind++) {
                double rate = SIZES[kind] / median(seconds[kind]);
                System.out.printf("%3d sequences %9.3f ms a pass %9.1f tokens/s %6.2f times those of one%n", SIZES[kind],
                        median(seconds[kind]) * 1e3, rate, rate / one);
            }
            sequences.forEach(sequence -> sequence.kv.close());
        }
    }

    private static Path file(String name) {
        if (!name.startsWith("170m:")) {
            return Path.of(name);
        }
        Path file = Path.of("target", "random-" + name.replace(':', '-') + ".gguf");
        if (!Files.exists(file)) {
            RandomModel.ofShape("170m", DType.valueOf(name.substring(5))).write(file);
        }
        return file;
    }

    /// Seconds of a decoding pass.
    private static double measure(Executable executable, List<Sequence> sequences, int vocabulary) {
        SplittableRandom random = new SplittableRandom(1);
        Batch batch = new Batch();
        for (Sequence sequence : sequences) {
            sequence.segment.beginCausal(0);
            for (sequence.length = 0; sequence.length < PROMPT; sequence.length++) {
                sequence.text[sequence.length] = random.nextInt(vocabulary);
                if (sequence.length < PROMPT - 1) {
                    sequence.segment.addRow(sequence.text[sequence.length]);
                }
            }
            executable.run(Batch.of(sequence.segment, sequence.kv));
            batch.add(sequence.segment, sequence.kv, sequence.result);
        }
        long start = System.nanoTime();
        for (int step = 0; step < STEPS; step++) {
            sequences.forEach(Sequence::next);
            executable.verify(batch);
            for (Sequence sequence : sequences) {
                sequence.text[sequence.length++] = sequence.result.token(0);
            }
        }
        return (System.nanoTime() - start) / 1e9 / STEPS;
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }
}
