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
    /// Bytes of how tokens are sampled; what lies where is for whoever writes it to know, see `SamplingRequest` in the kernels' source.
    public static final int REQUEST_BYTES = 336;
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

    private static final long PARENT = offset(SAMPLED_DRAFT, "parent");
    private static final long ROW = offset(SAMPLED_DRAFT, "row");
    private static final long WEIGHT = offset(SAMPLED_DRAFT, "weight");
    private static final long MASS = offset(SAMPLED_DRAFT, "mass");
    private static final long FIRST = offset(SAMPLED_DRAFT, "first");
    private static final long SIZE = offset(SAMPLED_DRAFT, "size");
    private static final long WITHOUT_REPLACEMENT = offset(SAMPLED_DRAFT, "without_replacement");

    private static final int SAMPLE_THREADS = 1024;
    /// Logits of a row from which on blocks share it: 16 a thread of one block.
    private static final int MIN_SHARED = 16 * SAMPLE_THREADS;
    /// What a block that samples declares of shared memory, at most.
    private static final int OWN_SHARED_BYTES = 18 * 1024;
    private static final int WALK_THREADS = 256;
    private static final int ADJUST_THREADS = 256;
    private static final int ADJUST_SLICE = 4096;
    private static final int ADVANCE_THREADS = 256;
    private static final int RESULT_HEAD = 4;

    private VerificationKernels() {}

    /// The blocks that share the logits of a row, or a walk.
    public enum Team {
        /// A block alone.
        BLOCK(1, ""),
        /// A cluster of eight blocks (compute capability 9.0 and later).
        CLUSTER(8, "_cluster");

        private final int blocks;
        private final String ending;

        Team(int blocks, String ending) {
            this.blocks = blocks;
            this.ending = ending;
        }

        /// The one that a device does with sooner: blocks must have more than a few logits a thread to be worth waiting for each other.
        ///
        /// @param vocabulary width of a row of logits
        public static Team of(KernelLibrary library, int vocabulary) {
            return vocabulary >= MIN_SHARED && library.has("verification_sample_f32" + CLUSTER.ending) ? CLUSTER : BLOCK;
        }

        private CudaFunction kernel(KernelLibrary library, String name) {
            return library.kernel(name + ending);
        }

        /// Bytes of shared memory that a block keeps its weights in; 0 if there is not so much.
        private int weightBytes(KernelLibrary library, int vocabulary) {
            long bytes = 4L * Float.BYTES * Math.ceilDiv(Math.ceilDiv(vocabulary, 4), blocks);
            return bytes <= library.context().device().maxSharedBytes() - OWN_SHARED_BYTES ? (int) bytes : 0;
        }
    }

    private static long offset(StructLayout layout, String field) {
        return layout.byteOffset(MemoryLayout.PathElement.groupElement(field));
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

    /// The logits of each row with bias and penalties, and minus infinity for tokens that are not allowed, to the bit as the host has them
    /// before it looks for the largest.
    ///
    /// @param adjusted `[rows, vocabulary] f32`, written
    /// @param logits `[rows, vocabulary] f32`
    /// @param request [#REQUEST_BYTES]
    /// @param lists `[*] int`, where the request says that its lists are, which is not checked
    /// @param tokens `[rows] int`
    /// @param positions `[rows] int`
    /// @param tree empty for a chain
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch adjust(KernelLibrary library, DeviceSlice adjusted, DeviceSlice logits, DeviceSlice request,
            DeviceSlice lists, DeviceSlice tokens, DeviceSlice positions, Optional<TreePaths> tree, Rows rows, int vocabulary) {
        CudaFunction kernel = library.kernel("verification_adjust_f32");
        KernelLaunch.check(kernel, "adjusted", adjusted, Float.BYTES, rows.max(), vocabulary);
        KernelLaunch.check(kernel, "lists", lists, Integer.BYTES, 1);
        checkRows(kernel, logits, request, tokens, positions, tree, rows, vocabulary);
        KernelArguments arguments = kernel.arguments().set(0, adjusted).set(1, logits).set(2, request).set(3, lists).set(4, tokens)
                .set(5, positions).set(8, rows.count()).set(9, vocabulary).set(10, tree.map(TreePaths::stride).orElse(0));
        TreePaths.set(arguments, 6, tree);
        return new KernelLaunch(kernel, LaunchConfiguration.of(Math.ceilDiv(vocabulary, ADJUST_SLICE), rows.max(), ADJUST_THREADS),
                arguments);
    }

    /// Logits that tokens are sampled from.
    ///
    /// @param slice `[rows, vocabulary] f32`; changed meanwhile, by the repetition penalty, unless adjusted
    /// @param adjusted whether [#adjust] has written them
    public record Logits(DeviceSlice slice, boolean adjusted) {
        private int flag() {
            return adjusted ? 1 : 0;
        }
    }

    /// The token sampled after each row, to the bit what the host samples from the same logits.
    ///
    /// @param ids `[rows] int`, written
    /// @param margins `[rows] f32`, written: by how much the largest logit exceeds the second
    /// @param truncations `[rows]` of [#TRUNCATION_BYTES], written: what may be sampled
    /// @param request [#REQUEST_BYTES]
    /// @param tokens `[rows] int`
    /// @param positions `[rows] int`
    /// @param tree empty for a chain
    /// @throws IllegalArgumentException if an operand is too small, or the device has no such team
    public static KernelLaunch sample(KernelLibrary library, Team team, DeviceSlice ids, DeviceSlice margins, DeviceSlice truncations, Logits logits,
            DeviceSlice request, DeviceSlice tokens, DeviceSlice positions, Optional<TreePaths> tree, Rows rows, int vocabulary) {
        CudaFunction kernel = team.kernel(library, "verification_sample_f32");
        int weightBytes = team.weightBytes(library, vocabulary);
        checkSampled(kernel, ids, margins, truncations, rows);
        checkRows(kernel, logits.slice, request, tokens, positions, tree, rows, vocabulary);
        KernelArguments arguments = kernel.arguments().set(0, ids).set(1, margins).set(2, truncations).set(3, logits.slice).set(4, request)
                .set(5, tokens).set(6, positions).set(9, rows.count()).set(10, vocabulary)
                .set(11, tree.map(TreePaths::stride).orElse(0)).set(12, logits.flag()).set(13, weightBytes > 0 ? 1 : 0);
        TreePaths.set(arguments, 7, tree);
        kernel.allowDynamicSharedBytes(weightBytes);
        return new KernelLaunch(kernel, LaunchConfiguration.of(team.blocks, rows.max(), SAMPLE_THREADS)
                .withDynamicSharedBytes(weightBytes), arguments);
    }

    private static void checkSampled(CudaFunction kernel, DeviceSlice ids, DeviceSlice margins, DeviceSlice truncations, Rows rows) {
        KernelLaunch.check(kernel, "ids", ids, Integer.BYTES, rows.max());
        KernelLaunch.check(kernel, "margins", margins, Float.BYTES, rows.max());
        KernelLaunch.check(kernel, "truncations", truncations, TRUNCATION_BYTES, rows.max());
    }

    private static void checkRows(CudaFunction kernel, DeviceSlice logits, DeviceSlice request, DeviceSlice tokens, DeviceSlice positions,
            Optional<TreePaths> tree, Rows rows, int vocabulary) {
        KernelLaunch.check(kernel, "logits", logits, Float.BYTES, rows.max(), vocabulary);
        KernelLaunch.check(kernel, "request", request, 1, REQUEST_BYTES);
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
    /// @throws IllegalArgumentException if an operand is too small, or the device has no such team
    public static KernelLaunch rejectionSampling(KernelLibrary library, Team team, VerificationSlots result, DeviceSlice ids, DeviceSlice margins,
            DeviceSlice truncations, Logits logits, DeviceSlice request, DeviceSlice tokens, DeviceSlice positions,
            Optional<TreePaths> tree, DeviceSlice committed, Rows rows, DeviceSlice draftDistributions, DeviceSlice left, int vocabulary) {
        CudaFunction kernel = team.kernel(library, "verification_rejection_sampling_f32");
        KernelLaunch.check(kernel, "result", result.slice, 1, VerificationSlots.byteSize(rows.max()));
        checkSampled(kernel, ids, margins, truncations, rows);
        checkRows(kernel, logits.slice, request, tokens, positions, tree, rows, vocabulary);
        KernelLaunch.check(kernel, "committed", committed, Integer.BYTES, 1);
        KernelLaunch.check(kernel, "draftDistributions", draftDistributions, 1, DISTRIBUTIONS_HEAD);
        KernelLaunch.check(kernel, "left", left, 1, leftBytes(vocabulary));
        KernelArguments arguments = kernel.arguments().set(0, result.slice).set(1, ids).set(2, margins).set(3, truncations).set(4, logits.slice)
                .set(5, request).set(6, tokens).set(7, positions).set(10, committed).set(11, rows.count()).set(12, draftDistributions)
                .set(13, left).set(14, vocabulary).set(15, result.capacity).set(16, tree.map(TreePaths::stride).orElse(0))
                .set(17, logits.flag());
        TreePaths.set(arguments, 8, tree);
        return new KernelLaunch(kernel, LaunchConfiguration.of(team.blocks, SAMPLE_THREADS), arguments);
    }

    /// Makes of a pass of one row the one that reads the token sampled, and notes it in the result, behind those that its first number
    /// counts; at most as many as it has room for.
    ///
    /// @param ids `[1] int`, see [#sample]
    /// @param margins `[1] f32`
    /// @param request of the pass, [#REQUEST_BYTES]; here and below what the next pass reads
    /// @param lists of the request, with room for one count more; empty if it has none, then nothing is counted
    /// @param tokens `[1] int`
    /// @param positions `[1] int`
    /// @param committed `[1] int`
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch advance(KernelLibrary library, VerificationSlots result, DeviceSlice ids, DeviceSlice margins,
            DeviceSlice request, Optional<DeviceSlice> lists, DeviceSlice tokens, DeviceSlice positions, DeviceSlice committed) {
        CudaFunction kernel = library.kernel("verification_advance");
        KernelLaunch.check(kernel, "request", request, 1, REQUEST_BYTES);
        for (DeviceSlice operand : List.of(ids, margins, tokens, positions, committed)) {
            KernelLaunch.check(kernel, "operand", operand, Integer.BYTES, 1);
        }
        KernelArguments arguments = kernel.arguments().set(0, result.slice).set(1, request).set(3, tokens).set(4, positions)
                .set(5, committed).set(6, ids).set(7, margins).set(8, result.capacity);
        lists.ifPresentOrElse(slice -> arguments.set(2, slice), () -> arguments.setNull(2));
        return new KernelLaunch(kernel, LaunchConfiguration.of(1, ADVANCE_THREADS), arguments);
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
