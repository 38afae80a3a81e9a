package org.gatun.model.convert;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongConsumer;
import org.gatun.backend.Backend;
import org.gatun.backend.Batch;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Executable;
import org.gatun.backend.PageTable;
import org.gatun.backend.Segment;
import org.gatun.model.architecture.ModelConfig;
import org.gatun.model.checkpoint.Checkpoint;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.LayerProgram;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;
import org.gatun.plan.Value;
import org.gatun.tensor.DType;

/// How large the inputs of each matrix are on a text: the norm of every column over all tokens. Weights on small inputs matter less.
/// Immutable.
public final class ColumnNorms {
    private static final BatchLimits LIMITS = new BatchLimits(64, 64);
    private static final int WINDOW = 512;

    private final Map<String, double[]> norms;

    private ColumnNorms(Map<String, double[]> norms) {
        this.norms = norms;
    }

    /// Reads a text through a model once, in windows that each begin with the beginning-of-text token, if there is one.
    ///
    /// @param tokens of the text alone
    /// @param progress told how many tokens are read
    /// @throws IllegalArgumentException if there is no token
    static ColumnNorms measure(Checkpoint checkpoint, Backend backend, int[] tokens, LongConsumer progress) {
        int[] first = checkpoint.tokenizer().beginOfText().stream().toArray();
        if (tokens.length == 0) {
            throw new IllegalArgumentException("a text without tokens: expected some to measure inputs on");
        }
        ModelConfig config = checkpoint.config();
        Plan whole = config.architecture().record(config, checkpoint::find, ActivationQuantization.NONE,
                LayerProgram.full(config.layers()));
        Map<String, Value> inputs = new HashMap<>();
        Map<String, double[]> squares = new HashMap<>();
        for (Op op : whole.ops()) {
            if (op instanceof Op.MatMul product && product.in().rows() == Value.Rows.ALL) {
                inputs.put(product.weight().name(), product.in());
                squares.put(product.weight().name(), new double[product.in().width()]);
            }
        }
        Plan plan = new Plan(whole.ops(), whole.values(), inputs);
        try (Arena arena = Arena.ofConfined(); Executable executable = backend.compile(plan, LIMITS);
                PageTable pages = PageTable.openAlone(backend, config.kvLayout(DType.F16), WINDOW)) {
            Segment segment = new Segment(arena, LIMITS);
            Batch batch = Batch.of(segment, pages);
            for (int from = 0; from < tokens.length; from += WINDOW - first.length) {
                int[] window = Arrays.copyOf(first, Math.min(WINDOW, first.length + tokens.length - from));
                System.arraycopy(tokens, from, window, first.length, window.length - first.length);
                for (int start = 0; start < window.length; start += LIMITS.rows()) {
                    int rows = Math.min(LIMITS.rows(), window.length - start);
                    segment.beginCausal(start);
                    for (int row = 0; row < rows; row++) {
                        segment.addRow(window[start + row]);
                    }
                    segment.select(rows - 1);
                    executable.run(batch);
                    squares.forEach((name, sums) -> add(executable.output(name), rows, sums));
                }
                progress.accept(from);
            }
        }
        squares.values().forEach(sums -> Arrays.setAll(sums, i -> Math.sqrt(sums[i])));
        return new ColumnNorms(squares);
    }

    private static void add(MemorySegment input, int rows, double[] sums) {
        for (int row = 0; row < rows; row++) {
            for (int i = 0; i < sums.length; i++) {
                double element = input.getAtIndex(ValueLayout.JAVA_FLOAT, (long) row * sums.length + i);
                sums[i] += element * element;
            }
        }
    }

    /// The norms of the inputs of a matrix, a copy; empty for what is none of a block.
    ///
    /// @param weight its name in the file
    public Optional<double[]> of(String weight) {
        return Optional.ofNullable(norms.get(weight)).map(double[]::clone);
    }
}
