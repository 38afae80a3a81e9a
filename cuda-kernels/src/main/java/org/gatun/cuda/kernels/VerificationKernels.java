package org.gatun.cuda.kernels;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Optional;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.KernelArguments;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `verification.cu`: the token sampled after each row of a pass, and the walk through the pass's tree by them.
public final class VerificationKernels {
    /// Tokens that the repetition penalty looks at.
    public static final int WINDOW = 64;
    /// How tokens are sampled, as the kernel reads it.
    public static final StructLayout SETTINGS = MemoryLayout.structLayout(
            ValueLayout.JAVA_LONG.withName("seed"), ValueLayout.JAVA_DOUBLE.withName("top_p"),
            ValueLayout.JAVA_FLOAT.withName("temperature"), ValueLayout.JAVA_FLOAT.withName("min_p"),
            ValueLayout.JAVA_FLOAT.withName("repetition_penalty"), ValueLayout.JAVA_INT.withName("top_k"),
            ValueLayout.JAVA_INT.withName("recent_tokens"), MemoryLayout.paddingLayout(4),
            MemoryLayout.sequenceLayout(WINDOW, ValueLayout.JAVA_INT).withName("recent"));
    /// Bytes that [#sample] leaves of a row for [#rejectionSampling].
    public static final int TRUNCATION_BYTES = 16;
    /// Bytes before the first sample.
    public static final int DISTRIBUTIONS_HEAD = 8;
    /// A row sampled below another, as the kernel reads it.
    public static final StructLayout SAMPLED_DRAFT = MemoryLayout.structLayout(
            ValueLayout.JAVA_INT.withName("parent"), ValueLayout.JAVA_INT.withName("row"),
            ValueLayout.JAVA_LONG.withName("weight"), ValueLayout.JAVA_LONG.withName("mass"),
            ValueLayout.JAVA_INT.withName("first"), ValueLayout.JAVA_INT.withName("size"),
            ValueLayout.JAVA_INT.withName("without_replacement"), MemoryLayout.paddingLayout(4));

    private static final long SEED = offset(SETTINGS, "seed");
    private static final long TOP_P = offset(SETTINGS, "top_p");
    private static final long TEMPERATURE = offset(SETTINGS, "temperature");
    private static final long MIN_P = offset(SETTINGS, "min_p");
    private static final long REPETITION_PENALTY = offset(SETTINGS, "repetition_penalty");
    private static final long TOP_K = offset(SETTINGS, "top_k");
    private static final long RECENT_TOKENS = offset(SETTINGS, "recent_tokens");
    private static final long RECENT = offset(SETTINGS, "recent");
    private static final long PARENT = offset(SAMPLED_DRAFT, "parent");
    private static final long ROW = offset(SAMPLED_DRAFT, "row");
    private static final long WEIGHT = offset(SAMPLED_DRAFT, "weight");
    private static final long MASS = offset(SAMPLED_DRAFT, "mass");
    private static final long FIRST = offset(SAMPLED_DRAFT, "first");
    private static final long SIZE = offset(SAMPLED_DRAFT, "size");
    private static final long WITHOUT_REPLACEMENT = offset(SAMPLED_DRAFT, "without_replacement");

    private static final int SAMPLE_THREADS = 1024;
    private static final int WALK_THREADS = 256;
    private static final int RESULT_HEAD = 4;

    private VerificationKernels() {}

    private static long offset(StructLayout layout, String field) {
        return layout.byteOffset(MemoryLayout.PathElement.groupElement(field));
    }

    /// Writes [#SETTINGS].
    ///
    /// @param offset of them in `target`
    /// @param temperature 0 for the largest logit
    /// @param topK 0 for all
    /// @param recent `[recentTokens] int`, the latest tokens before the pass
    /// @param recentTokens at most [#WINDOW]
    public static void writeSettings(MemorySegment target, long offset, long seed, double temperature, int topK, double topP,
            double minP, double repetitionPenalty, MemorySegment recent, int recentTokens) {
        target.set(ValueLayout.JAVA_LONG, offset + SEED, seed);
        target.set(ValueLayout.JAVA_DOUBLE, offset + TOP_P, topP);
        target.set(ValueLayout.JAVA_FLOAT, offset + TEMPERATURE, (float) temperature);
        target.set(ValueLayout.JAVA_FLOAT, offset + MIN_P, (float) minP);
        target.set(ValueLayout.JAVA_FLOAT, offset + REPETITION_PENALTY, (float) repetitionPenalty);
        target.set(ValueLayout.JAVA_INT, offset + TOP_K, topK);
        target.set(ValueLayout.JAVA_INT, offset + RECENT_TOKENS, recentTokens);
        MemorySegment.copy(recent, 0, target, offset + RECENT, (long) Integer.BYTES * recentTokens);
    }

    /// Writes a [#SAMPLED_DRAFT].
    ///
    /// @param offset of it in `target`
    /// @param weight of the row's token in the distribution it was sampled from
    /// @param mass sum of all weights of the distribution
    /// @param first of the distribution's tokens, counted in 64 bits from the head of the buffer
    /// @param size of the distribution
    /// @param withoutReplacement whether the distribution is without the tokens of earlier samples below the same parent
    public static void writeSampledDraft(MemorySegment target, long offset, int parent, int row, long weight, long mass, int first,
            int size, boolean withoutReplacement) {
        target.set(ValueLayout.JAVA_INT, offset + PARENT, parent);
        target.set(ValueLayout.JAVA_INT, offset + ROW, row);
        target.set(ValueLayout.JAVA_LONG, offset + WEIGHT, weight);
        target.set(ValueLayout.JAVA_LONG, offset + MASS, mass);
        target.set(ValueLayout.JAVA_INT, offset + FIRST, first);
        target.set(ValueLayout.JAVA_INT, offset + SIZE, size);
        target.set(ValueLayout.JAVA_INT, offset + WITHOUT_REPLACEMENT, withoutReplacement ? 1 : 0);
    }

    /// The token sampled after each row, to the bit what the host samples from the same logits.
    ///
    /// @param ids `[rows] int`, written
    /// @param margins `[rows] f32`, written: by how much the largest logit exceeds the second
    /// @param truncations `[rows]` of [#TRUNCATION_BYTES], written: what may be sampled
    /// @param logits `[rows, vocabulary] f32`, changed meanwhile
    /// @param settings [#SETTINGS]
    /// @param tokens `[rows] int`
    /// @param positions `[rows] int`
    /// @param tree empty for a chain
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch sample(KernelLibrary library, DeviceSlice ids, DeviceSlice margins, DeviceSlice truncations,
            DeviceSlice logits,
            DeviceSlice settings, DeviceSlice tokens, DeviceSlice positions, Optional<TreePaths> tree, Rows rows, int vocabulary) {
        CudaFunction kernel = library.kernel("verification_sample_f32");
        checkSampled(kernel, ids, margins, truncations, logits, settings, tokens, positions, tree, rows, vocabulary);
        KernelArguments arguments = kernel.arguments().set(0, ids).set(1, margins).set(2, truncations).set(3, logits).set(4, settings)
                .set(5, tokens).set(6, positions).set(9, rows.count()).set(10, vocabulary)
                .set(11, tree.map(TreePaths::stride).orElse(0));
        TreePaths.set(arguments, 7, tree);
        return new KernelLaunch(kernel, LaunchConfiguration.of(rows.max(), SAMPLE_THREADS), arguments);
    }

    private static void checkSampled(CudaFunction kernel, DeviceSlice ids, DeviceSlice margins, DeviceSlice truncations, DeviceSlice logits,
            DeviceSlice settings, DeviceSlice tokens, DeviceSlice positions, Optional<TreePaths> tree, Rows rows, int vocabulary) {
        KernelLaunch.check(kernel, "ids", ids, Integer.BYTES, rows.max());
        KernelLaunch.check(kernel, "margins", margins, Float.BYTES, rows.max());
        KernelLaunch.check(kernel, "truncations", truncations, TRUNCATION_BYTES, rows.max());
        KernelLaunch.check(kernel, "logits", logits, Float.BYTES, rows.max(), vocabulary);
        KernelLaunch.check(kernel, "settings", settings, 1, SETTINGS.byteSize());
        KernelLaunch.check(kernel, "tokens", tokens, Integer.BYTES, rows.max());
        KernelLaunch.check(kernel, "positions", positions, Integer.BYTES, rows.max());
        tree.ifPresent(paths -> paths.check(kernel, rows.max()));
    }

    /// Walks from the first row to the child that carries the token sampled, as long as there is one.
    ///
    /// @param result written
    /// @param ids `[rows] int`, see [#sample]
    /// @param margins `[rows] f32`
    /// @param tokens `[rows] int`
    /// @param committed `[1] int`, slots before the pass
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch walk(KernelLibrary library, VerificationSlots result, DeviceSlice ids, DeviceSlice margins,
            DeviceSlice tokens, Optional<TreePaths> tree, DeviceSlice committed, Rows rows) {
        CudaFunction kernel = library.kernel("verification_walk");
        KernelLaunch.check(kernel, "result", result.slice, 1, VerificationSlots.byteSize(rows.max()));
        KernelLaunch.check(kernel, "ids", ids, Integer.BYTES, rows.max());
        KernelLaunch.check(kernel, "margins", margins, Float.BYTES, rows.max());
        KernelLaunch.check(kernel, "tokens", tokens, Integer.BYTES, rows.max());
        KernelLaunch.check(kernel, "committed", committed, Integer.BYTES, 1);
        tree.ifPresent(paths -> paths.check(kernel, rows.max()));
        KernelArguments arguments = kernel.arguments().set(0, result.slice).set(1, ids).set(2, margins).set(3, tokens)
                .set(6, committed).set(7, rows.count()).set(8, result.capacity).set(9, tree.map(TreePaths::stride).orElse(0));
        TreePaths.set(arguments, 4, tree);
        return new KernelLaunch(kernel, LaunchConfiguration.of(1, WALK_THREADS), arguments);
    }

    /// Bytes of scratch memory that [#rejectionSampling] needs.
    public static long leftBytes(int vocabulary) {
        return Math.ceilDiv(vocabulary, 4) * 4L * Long.BYTES;
    }

    /// Walks from the first row on where rows were sampled from distributions, to the bit as the host does: tests the rows sampled below
    /// one in turn, and samples from what they leave of the target's distribution; where none were sampled it goes as [#walk] does.
    /// Parameters are as there and at [#sample], which must have run.
    ///
    /// @param draftDistributions their number, an `int`, at [#DISTRIBUTIONS_HEAD] the [#SAMPLED_DRAFT]s, then the tokens of their
    ///        distributions, `i64`, each below its weight; rows, tokens and what is said to be where are not checked. Changed
    /// @param left scratch, [#leftBytes]
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch rejectionSampling(KernelLibrary library, VerificationSlots result, DeviceSlice ids, DeviceSlice margins,
            DeviceSlice truncations, DeviceSlice logits, DeviceSlice settings, DeviceSlice tokens, DeviceSlice positions,
            Optional<TreePaths> tree, DeviceSlice committed, Rows rows, DeviceSlice draftDistributions, DeviceSlice left, int vocabulary) {
        CudaFunction kernel = library.kernel("verification_rejection_sampling_f32");
        KernelLaunch.check(kernel, "result", result.slice, 1, VerificationSlots.byteSize(rows.max()));
        checkSampled(kernel, ids, margins, truncations, logits, settings, tokens, positions, tree, rows, vocabulary);
        KernelLaunch.check(kernel, "committed", committed, Integer.BYTES, 1);
        KernelLaunch.check(kernel, "draftDistributions", draftDistributions, 1, DISTRIBUTIONS_HEAD);
        KernelLaunch.check(kernel, "left", left, 1, leftBytes(vocabulary));
        KernelArguments arguments = kernel.arguments().set(0, result.slice).set(1, ids).set(2, margins).set(3, truncations).set(4, logits)
                .set(5, settings).set(6, tokens).set(7, positions).set(10, committed).set(11, rows.count()).set(12, draftDistributions)
                .set(13, left).set(14, vocabulary).set(15, result.capacity).set(16, tree.map(TreePaths::stride).orElse(0));
        TreePaths.set(arguments, 8, tree);
        return new KernelLaunch(kernel, LaunchConfiguration.of(1, SAMPLE_THREADS), arguments);
    }

    /// Makes of a pass of one row the one that reads the token sampled, and notes it in the result, behind those that its first number
    /// counts; at most as many as it has room for.
    ///
    /// @param ids `[1] int`, see [#sample]
    /// @param margins `[1] f32`
    /// @param settings of the pass, [#SETTINGS]; here and below what the next pass reads
    /// @param tokens `[1] int`
    /// @param positions `[1] int`
    /// @param committed `[1] int`
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch advance(KernelLibrary library, VerificationSlots result, DeviceSlice ids, DeviceSlice margins,
            DeviceSlice settings, DeviceSlice tokens, DeviceSlice positions, DeviceSlice committed) {
        CudaFunction kernel = library.kernel("verification_advance");
        KernelLaunch.check(kernel, "settings", settings, 1, SETTINGS.byteSize());
        for (DeviceSlice operand : List.of(ids, margins, tokens, positions, committed)) {
            KernelLaunch.check(kernel, "operand", operand, Integer.BYTES, 1);
        }
        return new KernelLaunch(kernel, LaunchConfiguration.of(1, WINDOW), kernel.arguments().set(0, result.slice).set(1, settings)
                .set(2, tokens).set(3, positions).set(4, committed).set(5, ids).set(6, margins).set(7, result.capacity));
    }

    /// Where a walk leaves what it found.
    ///
    /// @param slice of [#byteSize]
    /// @param capacity most rows
    public record VerificationSlots(DeviceSlice slice, int capacity) {
        /// Bytes it takes.
        public static long byteSize(int capacity) {
            return Integer.BYTES * (RESULT_HEAD + 5L * capacity);
        }

        /// Bytes of what the host wants to know, which comes first: see the methods below for where it is.
        public long hostBytes() {
            return Integer.BYTES * (RESULT_HEAD + 3L * capacity);
        }

        /// Offset of an accepted row's number.
        public long row(int index) {
            return Integer.BYTES * (RESULT_HEAD + (long) index);
        }

        /// Offset of a token sampled.
        public long token(int index) {
            return row(capacity + index);
        }

        /// Offset of a margin, f32.
        public long margin(int index) {
            return row(2 * capacity + index);
        }

        /// `[moves] int`, slots that accepted rows are to be moved from.
        public DeviceSlice from() {
            return slice.slice(row(3 * capacity), (long) Integer.BYTES * capacity);
        }

        /// `[moves] int`, slots that they are to be moved to.
        public DeviceSlice to() {
            return slice.slice(row(4 * capacity), (long) Integer.BYTES * capacity);
        }

        /// `[1] int`, how many are to be moved.
        public DeviceSlice moves() {
            return slice.slice(Integer.BYTES, Integer.BYTES);
        }
    }
}
