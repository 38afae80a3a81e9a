package org.gatun.backend;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.DoubleConsumer;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;
import org.gatun.plan.Value;

/// A model whose next token depends on the last two only, in place of whatever plan it is given: passes cost next to nothing, distributions
/// are known. What a token's predecessor is it learns from the KV cache alone, so that a wrong slot or a wrong path gives wrong logits.
public final class MarkovBackend implements Backend {
    private final int vocabulary;
    private final float[] logits; // [before, last, next]
    private int passes;

    /// @param sharpness standard deviation of the logits
    /// @param like a model that this one resembles, or null
    public MarkovBackend(int vocabulary, long seed, double sharpness, MarkovBackend like) {
        this.vocabulary = vocabulary;
        SplittableRandom random = new SplittableRandom(seed);
        logits = new float[vocabulary * vocabulary * vocabulary];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) (random.nextGaussian() * sharpness + (like == null ? 0 : like.logits[i]));
        }
    }

    /// Makes one token certain after two others.
    public MarkovBackend with(int before, int last, int next) {
        logits[(before * vocabulary + last) * vocabulary + next] = 1000;
        return this;
    }

    /// Gives what follows a token a distribution, whatever stands before.
    ///
    /// @param distribution `[vocabulary]`
    public MarkovBackend withDistribution(int last, double... distribution) {
        for (int before = 0; before < vocabulary; before++) {
            for (int next = 0; next < vocabulary; next++) {
                logits[(before * vocabulary + last) * vocabulary + next] = (float) Math.log(distribution[next]);
            }
        }
        return this;
    }

    /// Says what follows a token, whatever stands before: these tokens, each half as probable as the one before, and seldom others, lower
    /// ids first.
    public MarkovBackend withFollowers(int last, int... followers) {
        double[] distribution = new double[vocabulary];
        for (int next = 0; next < vocabulary; next++) {
            distribution[next] = Math.pow(0.5, 20 + next);
        }
        for (int rank = 0; rank < followers.length; rank++) {
            distribution[followers[rank]] = Math.pow(0.5, rank);
        }
        return withDistribution(last, distribution);
    }

    /// Passes run so far.
    public int passes() {
        return passes;
    }

    /// Logits of what follows two tokens.
    public float[] logits(int before, int last) {
        int start = (before * vocabulary + last) * vocabulary;
        return Arrays.copyOfRange(logits, start, start + vocabulary);
    }

    @Override
    public String name() {
        return "markov";
    }

    @Override
    public String description() {
        return "a table";
    }

    @Override
    public boolean isAsynchronous() {
        return false;
    }

    @Override
    public WeightReading weightReading() {
        return WeightReading.ONCE;
    }

    @Override
    public Optional<String> unsupportedReason(Op op) {
        return Optional.empty();
    }

    @Override
    public Executable compile(Plan plan, BatchLimits limits, DoubleConsumer progress) {
        return new HostExecutable(plan, limits, new Table(limits), _ -> { });
    }

    @Override
    public KvPool openKvPool(KvLayout layout, int pages) {
        return new KvPool(layout, pages, new Tokens(new int[pages * KvPool.PAGE_SLOTS]), _ -> { });
    }

    @Override
    public void close() {
        // holds nothing
    }

    /// The tokens in the slots stand for their keys.
    private record Tokens(int[] slots) implements KvPool.Memory {

        @Override
        public KvPool.PageList openList(int pages) {
            return (_, _) -> { };
        }

        @Override
        public void copyPage(int from, int to) {
            System.arraycopy(slots, from * KvPool.PAGE_SLOTS, slots, to * KvPool.PAGE_SLOTS, KvPool.PAGE_SLOTS);
        }

        @Override
        public void move(PageTable table, int from, int to) {
            slots[table.poolSlot(to)] = slots[table.poolSlot(from)];
            slots[table.poolSlot(from)] = Integer.MAX_VALUE; // nobody may read it again
        }

        @Override
        public void release() {
            // the heap's
        }
    }

    private final class Table implements HostExecutable.Runner {
        private final MemorySegment result;

        Table(BatchLimits limits) {
            result = Arena.ofAuto().allocate(ValueLayout.JAVA_FLOAT, (long) limits.logitsRows() * vocabulary);
        }

        @Override
        public void run(Batch batch) {
            passes++;
            int firstLogits = 0;
            for (int i = 0; i < batch.size(); i++) {
                run(batch.segment(i), batch.pages(i), firstLogits);
                firstLogits += batch.segment(i).selectedRows();
            }
        }

        private void run(Segment segment, PageTable pages, int firstLogits) {
            int[] slots = ((Tokens) pages.pool().memory()).slots;
            for (int row = segment.first(); row < segment.rows(); row++) {
                slots[pages.poolSlot(segment.committed() + row)] = segment.token(row);
            }
            for (int i = 0; i < segment.selectedRows(); i++) {
                int row = segment.selected(i);
                int parent = segment.parent(row);
                int before = slots[pages.poolSlot(segment.committed() + Math.max(parent, -1))];
                int start = (before * vocabulary + segment.token(row)) * vocabulary;
                MemorySegment.copy(logits, start, result, ValueLayout.JAVA_FLOAT, 4L * (firstLogits + i) * vocabulary, vocabulary);
            }
        }

        @Override
        public MemorySegment rows(Value value) {
            return result; // there are logits only
        }

        @Override
        public void release() {
            // collected with its memory
        }
    }
}
