package org.gatun.backend;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.DoubleConsumer;
import org.gatun.plan.Plan;

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
    public WeightReading weightReading() {
        return WeightReading.ONCE;
    }

    @Override
    public Executable compile(Plan plan, PassLimits limits, DoubleConsumer progress) {
        return new Table(limits);
    }

    @Override
    public KvStore allocateKv(KvShape shape) {
        return new Tokens(shape, new int[shape.slots()]);
    }

    @Override
    public void close() {
        // holds nothing
    }

    /// The tokens in the slots stand for their keys.
    private record Tokens(KvShape shape, int[] slots) implements KvStore {

        @Override
        public void move(int from, int to) {
            slots[to] = slots[from];
            slots[from] = Integer.MAX_VALUE; // nobody may read it again
        }

        @Override
        public void close() {
            // on the heap
        }
    }

    private final class Table implements Executable {
        private final PassLimits limits;
        private final MemorySegment result;
        private final HostVerifier verifier = new HostVerifier(vocabulary);

        Table(PassLimits limits) {
            this.limits = limits;
            result = Arena.ofAuto().allocate(ValueLayout.JAVA_FLOAT, (long) limits.treeRows() * vocabulary);
        }

        @Override
        public PassLimits limits() {
            return limits;
        }

        @Override
        public void run(Pass pass, KvStore kv) {
            pass.requireWithin(limits, kv.shape());
            passes++;
            int[] slots = ((Tokens) kv).slots;
            for (int row = pass.first(); row < pass.rows(); row++) {
                slots[pass.committed() + row] = pass.token(row);
            }
            for (int i = 0; i < pass.selectedRows(); i++) {
                int row = pass.selected(i);
                int parent = pass.isTree() ? pass.parent(row) : row - 1;
                int before = slots[pass.committed() + Math.max(parent, -1)];
                int start = (before * vocabulary + pass.token(row)) * vocabulary;
                MemorySegment.copy(logits, start, result, ValueLayout.JAVA_FLOAT, 4L * i * vocabulary, vocabulary);
            }
        }

        @Override
        public void launch(Pass pass, KvStore kv, VerificationResult verification) {
            run(pass, kv);
            verifier.verify(pass, result, kv, verification);
        }

        @Override
        public void await() {
            // launching did it all
        }

        @Override
        public boolean isAsynchronous() {
            return false;
        }

        @Override
        public void decodeChain(Pass pass, KvStore kv, int count, float margin, SampledTokens sampled) {
            verifier.decodeChain(this, pass, kv, count, margin, sampled);
        }

        @Override
        public MemorySegment logits() {
            return result;
        }

        @Override
        public MemorySegment tap(String name) {
            throw new IllegalArgumentException("no tap " + name);
        }

        @Override
        public void close() {
            // collected with its memory
        }
    }
}
