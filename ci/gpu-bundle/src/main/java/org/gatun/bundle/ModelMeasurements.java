package org.gatun.bundle;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;
import org.gatun.backend.Backend;
import org.gatun.backend.cuda.CudaBackend;
import org.gatun.cuda.CudaDriver;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.Session;
import org.gatun.model.architecture.Architectures;
import org.gatun.model.architecture.ModelConfig;
import org.gatun.plan.RopeTable;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.TokenTree;
import org.gatun.tensor.DType;

/// A model with random weights from end to end: prompts, decoding, and passes that verify trees.
final class ModelMeasurements {
    private static final int CONTEXT = 1000;
    private static final Sampling SAMPLING = Sampling.GREEDY.withTemperature(0.8).withTopP(0.95);

    private final RunRecord record;
    private final String name;
    private final DType dtype;
    private final long weightBytes;
    private final Session session;
    private final DriverMeter meter;
    private final SplittableRandom random = new SplittableRandom(1);
    private final int vocabulary;

    private ModelMeasurements(RunRecord record, String name, DType dtype, long weightBytes, Session session,
            DriverMeter meter) {
        this.meter = meter;
        this.record = record;
        this.name = name;
        this.dtype = dtype;
        this.weightBytes = weightBytes;
        this.session = session;
        vocabulary = session.vocabularySize();
    }

    static void run(CudaDriver driver, RunRecord record, Deadline deadline, boolean real) {
        ModelConfig config = real ? llama(128_256, 32, 4096, 14_336, 32, 8) : llama(64, 1, 32, 64, 4, 2);
        String name = real ? "llama-3-8b" : "tiny";
        long perLayer = (long) config.hidden() * (2L * config.heads() * config.headDim() + 2L * config.kvHeads() * config.headDim()
                + 3L * config.intermediate());
        for (DType dtype : List.of(DType.BF16, DType.Q8_0, DType.Q4_0)) {
            if (!deadline.isOver()) {
                long weights = dtype.rowBytes(config.layers() * perLayer + (long) config.vocabulary() * config.hidden());
                System.out.println("bench: uploading " + name + " in " + dtype);
                DriverMeter meter = new DriverMeter(driver);
                try (Backend backend = CudaBackend.open(meter.driver(), 0);
                        Model model = Model.ofRandomWeights(name, config, dtype, 1, backend,
                                new ModelOptions(real ? 8192 : 128, DType.F16));
                        Session session = model.openSession()) {
                    new ModelMeasurements(record, name, dtype, weights, session, meter).all(deadline, real);
                }
            }
        }
    }

    private static ModelConfig llama(int vocabulary, int layers, int hidden, int intermediate, int heads, int kvHeads) {
        float[] frequencies = new float[hidden / heads / 2];
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] = (float) Math.pow(500_000, -(double) i / frequencies.length);
        }
        return new ModelConfig(Architectures.plain(), vocabulary, layers, hidden, intermediate, heads, kvHeads, hidden / heads, 1e-5f,
                new RopeTable(RopeTable.Pairing.INTERLEAVED, frequencies, 1), 0, 0, 8192);
    }

    private void all(Deadline deadline, boolean real) {
        int context = real ? CONTEXT : 20;
        int repeats = real ? 11 : 1; // the simulator's times say nothing
        int tokens = real ? 32 : 8;
        for (int length : real ? new int[] {512, 2048, 8000} : new int[] {16}) {
            if (!deadline.isOver()) {
                int[] prompt = random.ints(length, 0, vocabulary).toArray();
                measure("prompt", length, length, Math.min(3, repeats), _ -> {
                    session.rewind(0);
                    session.prefill(prompt, 0, length - 1);
                    session.decode(prompt[length - 1], SAMPLING);
                });
            }
        }
        session.rewind(0);
        session.prefill(random.ints(context, 0, vocabulary).toArray(), 0, context);
        measure("decode", 1, tokens, repeats, _ -> {
            session.rewind(context);
            int token = 1;
            for (int i = 0; i < tokens; i++) {
                token = session.decode(token, SAMPLING).token(0);
            }
        });
        measure("chain", 1, tokens, repeats, _ -> {
            session.rewind(context);
            session.decodeChain(1, tokens, 0, SAMPLING);
        });
        for (int rows : new int[] {1, 2, 4, 8, 16, 32, 64}) {
            if (!deadline.isOver()) {
                TokenTree tree = new TokenTree(session.maxTreeRows()).begin(1);
                while (tree.size() < rows) {
                    tree.add((tree.size() - 1) / 2, tree.size() % vocabulary);
                }
                measure("verify", rows, 1, repeats, _ -> {
                    session.rewind(context);
                    tree.writeTo(session.segment(), context);
                    session.verify(SAMPLING);
                });
            }
        }
    }

    /// @param tokens that a repeat reads or samples
    private void measure(String what, int rows, int tokens, int repeats, IntConsumer repeat) {
        double[] millis = new double[repeats];
        repeat.accept(-1);
        meter.reset();
        for (int i = 0; i < repeats; i++) {
            long start = System.nanoTime();
            repeat.accept(i);
            millis[i] = (System.nanoTime() - start) / 1e6;
        }
        double all = (double) repeats * tokens;
        double hostMicros = (Arrays.stream(millis).sum() * 1e3 - meter.waitingNanos() / 1e3) / all;
        Arrays.sort(millis);
        double median = millis[repeats / 2];
        boolean prompt = what.equals("prompt");
        record.line("models").put("model", name).put("dtype", dtype.toString()).put("what", what).put("rows", rows)
                .put("median_ms", median).put("min_ms", millis[0]).put("max_ms", millis[repeats - 1])
                .put("tokens_per_second", 1e3 * tokens / median)
                .put("kernels_per_token", meter.kernels() / all).put("graph_launches_per_token", meter.graphLaunches() / all)
                .put("host_us_per_token", hostMicros)
                .put("weight_bytes_per_second", prompt ? 0 : 1e3 * weightBytes * tokens / median);
        record.save();
        System.out.printf("bench: %s %s %s, %d rows: %.3f ms, %.1f tokens/s, host %.1f us a token%s%n", name, dtype, what, rows, median,
                1e3 * tokens / median, hostMicros, prompt ? "" : String.format(", weights at %.0f GB/s", weightBytes * tokens / median / 1e6));
    }
}
