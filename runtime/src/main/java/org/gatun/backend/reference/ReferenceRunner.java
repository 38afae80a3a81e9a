package org.gatun.backend.reference;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.gatun.backend.AttentionMask;
import org.gatun.backend.Batch;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.HostExecutable;
import org.gatun.backend.PageTable;
import org.gatun.backend.Segment;
import org.gatun.plan.AttentionShape;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;
import org.gatun.plan.RopeTable;
import org.gatun.plan.Value;
import org.gatun.quantize.Codec;
import org.gatun.quantize.RowCodes;
import org.gatun.tensor.DType;
import org.gatun.tensor.Tensor;

/// Walks a plan op by op; one method an op, which is the op's definition.
final class ReferenceRunner implements HostExecutable.Runner {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Plan plan;
    private final float[][] memory; // [value][rows · width]
    private final float[][] given;  // the same of inputs, for as many rows as there may be

    ReferenceRunner(Plan plan, BatchLimits limits) {
        this.plan = plan;
        memory = new float[plan.values().size()][];
        given = new float[plan.values().size()][];
        for (Op op : plan.ops()) {
            if (op instanceof Op.Input(_, Value rows)) {
                given[rows.id()] = new float[Math.multiplyExact(limits.rows(), rows.width())];
            }
        }
    }

    @Override
    public void run(Batch batch) {
        for (int i = 0; i < batch.size(); i++) {
            memoryOf(batch.pages(i));
        }
        for (Op op : plan.ops()) {
            op.output().ifPresent(out -> memory[out.id()] = new float[rows(out, batch) * out.width()]);
            switch (op) {
                case Op.Input(_, Value out) -> System.arraycopy(given[out.id()], 0, memory[out.id()], 0, memory[out.id()].length);
                case Op.Embed embed -> embed(embed, batch);
                case Op.RmsNorm norm -> rmsNorm(norm);
                case Op.MatMul matMul -> matMul(matMul, batch);
                case Op.Rope rope -> rope(rope, batch);
                case Op.AppendKv append -> appendKv(append, batch);
                case Op.Attention attention -> attention(attention, batch);
                case Op.Elementwise elementwise -> elementwise(elementwise);
                case Op.SelectRows select -> selectRows(select, batch);
            }
        }
    }

    private static ReferenceKvMemory memoryOf(PageTable pages) {
        if (!(pages.pool().memory() instanceof ReferenceKvMemory memory)) {
            throw new IllegalArgumentException("the KV pool is of another backend: expected one that backend reference opened");
        }
        return memory;
    }

    private interface RowWork {
        /// @param row of the batch
        /// @param number of its segment
        /// @param own number of the row in its segment
        void accept(int row, int number, int own);
    }

    private static void eachRow(Batch batch, RowWork work) {
        int row = 0;
        for (int number = 0; number < batch.size(); number++) {
            Segment segment = batch.segment(number);
            for (int own = segment.first(); own < segment.rows(); own++) {
                work.accept(row++, number, own);
            }
        }
    }

    private void embed(Op.Embed op, Batch batch) {
        Tensor table = op.table();
        eachRow(batch, (row, number, own) -> {
            int token = batch.segment(number).token(own);
            if (token == Op.Embed.GIVEN && op.given().isPresent()) {
                System.arraycopy(memory[op.given().get().id()], row * table.columns(), memory[op.out().id()], row * table.columns(),
                        table.columns());
                return;
            }
            if (token < 0 || token >= table.rows()) {
                throw new IllegalArgumentException("token " + token + ": expected one below " + table.rows());
            }
            weightRow(table, token, memory[op.out().id()], row * table.columns());
        });
    }

    private void rmsNorm(Op.RmsNorm op) {
        float[] in = memory[op.in().id()];
        float[] out = memory[op.out().id()];
        float[] gain = vector(op.gain());
        for (int start = 0; start < in.length; start += gain.length) {
            double sumOfSquares = 0;
            for (int i = 0; i < gain.length; i++) {
                sumOfSquares += (double) in[start + i] * in[start + i];
            }
            double scale = 1 / Math.sqrt(sumOfSquares / gain.length + op.epsilon());
            for (int i = 0; i < gain.length; i++) {
                out[start + i] = (float) (in[start + i] * scale * gain[i]);
            }
        }
    }

    private void matMul(Op.MatMul op, Batch batch) {
        if (op.activations().isQuantized()) {
            int8MatMul(op, batch);
            return;
        }
        float[] in = memory[op.in().id()];
        float[] out = memory[op.out().id()];
        int inputs = op.in().width();
        int outputs = op.out().width();
        float[] bias = op.bias().map(ReferenceRunner::vector).orElseGet(() -> new float[outputs]);
        float[] weights = new float[inputs];
        for (int n = 0; n < outputs; n++) {
            weightRow(op.weight(), n, weights, 0);
            for (int row = 0; row < rows(op.out(), batch); row++) {
                double sum = bias[n];
                for (int k = 0; k < inputs; k++) {
                    sum += (double) in[row * inputs + k] * weights[k];
                }
                out[row * outputs + n] = (float) sum;
            }
        }
    }

    private void int8MatMul(Op.MatMul op, Batch batch) {
        float[] in = memory[op.in().id()];
        float[] out = memory[op.out().id()];
        int inputs = op.in().width();
        int outputs = op.out().width();
        float[] bias = op.bias().map(ReferenceRunner::vector).orElseGet(() -> new float[outputs]);
        long rowBytes = DType.INT8.rowBytes(inputs);
        for (int row = 0; row < rows(op.out(), batch); row++) {
            RowCodes codes = RowCodes.of(in, row * inputs, inputs, op.activations().threshold());
            for (int n = 0; n < outputs; n++) {
                float scale = op.weight().data().get(FLOAT, n * rowBytes);
                MemorySegment weights = op.weight().data().asSlice(n * rowBytes + DType.INT8.headerBytes(), inputs);
                int sum = 0;
                for (int k = 0; k < inputs; k++) {
                    sum += codes.codes()[k] * weights.get(ValueLayout.JAVA_BYTE, k);
                }
                double apart = 0;
                for (int k : codes.outliers()) {
                    apart += (double) in[row * inputs + k] * weights.get(ValueLayout.JAVA_BYTE, k);
                }
                out[row * outputs + n] = (float) (((double) codes.scale() * sum + apart) * scale + bias[n]);
            }
        }
    }

    private void rope(Op.Rope op, Batch batch) {
        float[] in = memory[op.in().id()];
        float[] out = memory[op.out().id()];
        System.arraycopy(in, 0, out, 0, in.length);
        RopeTable table = op.table();
        float[] frequencies = table.inverseFrequencies();
        int pairs = table.pairs();
        eachRow(batch, (row, number, own) -> {
            for (int i = 0; i < pairs; i++) {
                float angle = batch.segment(number).position(own) * frequencies[i];
                double cosine = Math.cos(angle) * table.attentionFactor();
                double sine = Math.sin(angle) * table.attentionFactor();
                for (int head = row * op.in().width(); head < (row + 1) * op.in().width(); head += op.headDim()) {
                    int first = head + (table.pairing() == RopeTable.Pairing.INTERLEAVED ? 2 * i : i);
                    int second = head + (table.pairing() == RopeTable.Pairing.INTERLEAVED ? 2 * i + 1 : i + pairs);
                    out[first] = (float) (in[first] * cosine - in[second] * sine);
                    out[second] = (float) (in[first] * sine + in[second] * cosine);
                }
            }
        });
    }

    private void appendKv(Op.AppendKv op, Batch batch) {
        eachRow(batch, (row, number, own) -> {
            if (batch.segment(number).firstSlot() == Segment.NO_SLOT) {
                return;
            }
            PageTable pages = batch.pages(number);
            int slot = pages.poolSlot(batch.segment(number).firstSlot() + own);
            memoryOf(pages).putKey(op.layer(), slot, memory[op.keys().id()], row * op.keys().width());
            memoryOf(pages).putValue(op.layer(), slot, memory[op.values().id()], row * op.values().width());
        });
    }

    private void attention(Op.Attention op, Batch batch) {
        AttentionShape shape = op.shape();
        float[] queries = memory[op.queries().id()];
        float[] out = memory[op.out().id()];
        eachRow(batch, (row, number, own) -> {
            PageTable pages = batch.pages(number);
            ReferenceKvMemory kv = memoryOf(pages);
            int[] slots = visibleSlots(batch.segment(number), own, shape.window());
            Arrays.setAll(slots, i -> pages.poolSlot(slots[i]));
            for (int head = 0; head < shape.heads(); head++) {
                int query = row * shape.queryWidth() + head * shape.headDim();
                int kvHead = head / shape.group() * shape.headDim();
                double[] weights = softmaxOfScores(op, kv, slots, queries, query, kvHead);
                for (int i = 0; i < shape.headDim(); i++) {
                    double sum = 0;
                    for (int s = 0; s < slots.length; s++) {
                        sum += weights[s] * kv.value(op.layer(), slots[s])[kvHead + i];
                    }
                    out[query + i] = (float) sum;
                }
            }
        });
    }

    private static double[] softmaxOfScores(
            Op.Attention op, ReferenceKvMemory kv, int[] slots, float[] queries, int query, int kvHead) {
        double[] weights = new double[slots.length];
        double largest = Double.NEGATIVE_INFINITY;
        for (int s = 0; s < slots.length; s++) {
            float[] key = kv.key(op.layer(), slots[s]);
            for (int i = 0; i < op.shape().headDim(); i++) {
                weights[s] += (double) queries[query + i] * key[kvHead + i];
            }
            weights[s] *= op.shape().scale();
            largest = Math.max(largest, weights[s]);
        }
        double sum = 0;
        for (int s = 0; s < slots.length; s++) {
            weights[s] = Math.exp(weights[s] - largest);
            sum += weights[s];
        }
        for (int s = 0; s < slots.length; s++) {
            weights[s] /= sum;
        }
        return weights;
    }

    private static int[] visibleSlots(Segment segment, int row, int window) {
        return switch (segment.mask()) {
            case AttentionMask.Causal _, AttentionMask.Tree _ -> committedAndPath(segment, row, window);
            case AttentionMask.Ranges ranges -> IntStream.range(0, ranges.count()).flatMap(i -> ranges.isRows(i)
                    ? IntStream.range(segment.firstSlot(), segment.firstSlot() + segment.rows())
                    : IntStream.range(ranges.from(i), ranges.to(i))).toArray();
        };
    }

    /// In order: a committed slot holds the position of its number, a slot of the pass that of its row.
    private static int[] committedAndPath(Segment segment, int row, int window) {
        int[] slots = new int[segment.committed() + segment.rows()];
        int count = 0;
        int oldest = window == 0 ? 0 : segment.position(row) - window + 1;
        for (int slot = Math.max(0, oldest); slot < segment.committed(); slot++) {
            slots[count++] = slot;
        }
        for (int other = 0; other < segment.rows(); other++) {
            if (segment.attendsTo(row, other) && segment.position(other) >= oldest) {
                slots[count++] = segment.committed() + other;
            }
        }
        return Arrays.copyOf(slots, count);
    }

    private void elementwise(Op.Elementwise op) {
        float[] a = memory[op.a().id()];
        float[] b = memory[op.b().id()];
        float[] out = memory[op.out().id()];
        for (int i = 0; i < out.length; i++) {
            out[i] = switch (op.kind()) {
                case ADD -> a[i] + b[i];
                case SWIGLU -> (float) (a[i] / (1 + Math.exp(-a[i])) * b[i]);
            };
        }
    }

    private void selectRows(Op.SelectRows op, Batch batch) {
        int width = op.in().width();
        int firstRow = 0;
        int to = 0;
        for (int number = 0; number < batch.size(); number++) {
            Segment segment = batch.segment(number);
            for (int i = 0; i < segment.selectedRows(); i++) {
                int row = firstRow + segment.selected(i) - segment.first();
                System.arraycopy(memory[op.in().id()], row * width, memory[op.out().id()], to++ * width, width);
            }
            firstRow += segment.rowsToRun();
        }
    }

    private static int rows(Value value, Batch batch) {
        return switch (value.rows()) {
            case ALL -> batch.rows();
            case SELECTED -> batch.selectedRows();
        };
    }

    private static float[] vector(Tensor tensor) {
        float[] elements = new float[tensor.columns()];
        weightRow(tensor, 0, elements, 0);
        return elements;
    }

    private static void weightRow(Tensor tensor, int row, float[] target, int targetOffset) {
        long rowBytes = tensor.dtype().rowBytes(tensor.columns());
        Codec.of(tensor.dtype()).decode(tensor.data(), row * rowBytes, target, targetOffset, tensor.columns());
    }

    @Override
    public MemorySegment rows(Value value) {
        float[] rows = given[value.id()] != null ? given[value.id()] : memory[value.id()];
        return MemorySegment.ofArray(rows != null ? rows : new float[0]); // nothing has run
    }

    @Override
    public void release() {
        // the heap's
    }
}
