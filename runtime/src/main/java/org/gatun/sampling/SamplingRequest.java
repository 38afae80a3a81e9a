package org.gatun.sampling;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/// How a token is sampled after each row of a segment: settings, what the penalties count, bias, and the tokens allowed. Kept off-heap as
/// kernels read it: [#LAYOUT], and lists of any length ([#writeLists]). Reused from pass to pass; allocates only when a list grows.
///
/// Views memory of the arena it was made with. One thread at a time.
public final class SamplingRequest {
    private static final int LONGEST_ALIGNMENT = 16;

    /// What has one size. `first_bias`, `first_count` and `first_mask` say where a list begins, counted in i32: of `biases` times token and
    /// f32, of `counts` times token and count, both by rising token, and of where each row's mask begins, -1 if it has none;
    /// `first_mask` is -1 if no row has one.
    public static final StructLayout LAYOUT = MemoryLayout.structLayout(
            ValueLayout.JAVA_LONG.withName("seed"), ValueLayout.JAVA_DOUBLE.withName("top_p"),
            ValueLayout.JAVA_FLOAT.withName("temperature"), ValueLayout.JAVA_FLOAT.withName("min_p"),
            ValueLayout.JAVA_FLOAT.withName("repetition_penalty"), ValueLayout.JAVA_FLOAT.withName("frequency_penalty"),
            ValueLayout.JAVA_FLOAT.withName("presence_penalty"), ValueLayout.JAVA_INT.withName("top_k"),
            ValueLayout.JAVA_INT.withName("stream"), ValueLayout.JAVA_INT.withName("prompt_length"),
            ValueLayout.JAVA_INT.withName("biases"), ValueLayout.JAVA_INT.withName("first_bias"),
            ValueLayout.JAVA_INT.withName("counts"), ValueLayout.JAVA_INT.withName("first_count"),
            ValueLayout.JAVA_INT.withName("first_mask"), ValueLayout.JAVA_INT.withName("recent_tokens"),
            MemoryLayout.paddingLayout(8),
            MemoryLayout.sequenceLayout(Sampling.REPETITION_WINDOW, ValueLayout.JAVA_INT).withName("recent"));

    private static final long SEED = offset("seed");
    private static final long TOP_P = offset("top_p");
    private static final long TEMPERATURE = offset("temperature");
    private static final long MIN_P = offset("min_p");
    private static final long REPETITION_PENALTY = offset("repetition_penalty");
    private static final long FREQUENCY_PENALTY = offset("frequency_penalty");
    private static final long PRESENCE_PENALTY = offset("presence_penalty");
    private static final long TOP_K = offset("top_k");
    private static final long STREAM = offset("stream");
    private static final long PROMPT_LENGTH = offset("prompt_length");
    private static final long BIASES = offset("biases");
    private static final long FIRST_BIAS = offset("first_bias");
    private static final long COUNTS = offset("counts");
    private static final long FIRST_COUNT = offset("first_count");
    private static final long FIRST_MASK = offset("first_mask");
    private static final long RECENT_TOKENS = offset("recent_tokens");
    private static final long RECENT = offset("recent");

    private final MemorySegment memory;
    private final SamplingContext context = new SamplingContext();
    private Sampling sampling = Sampling.GREEDY;
    private TokenMasks masks;
    private int promptLength;

    /// @param arena owner of the memory
    public SamplingRequest(Arena arena) {
        memory = arena.allocate(LAYOUT.byteSize(), LONGEST_ALIGNMENT);
    }

    private static long offset(String field) {
        return LAYOUT.byteOffset(MemoryLayout.PathElement.groupElement(field));
    }

    /// Asks for tokens behind a text, any that the settings allow.
    ///
    /// @param text the tokens before the segment, of which the first `length` count; not kept
    /// @param promptLength how many of them, and of the rows behind, are prompt: tokens from that position on were generated
    public void set(Sampling sampling, int[] text, int length, int promptLength) {
        this.sampling = sampling;
        this.promptLength = promptLength;
        masks = null;
        context.set(sampling, text, length, promptLength);
        memory.set(ValueLayout.JAVA_LONG, SEED, sampling.seed());
        memory.set(ValueLayout.JAVA_DOUBLE, TOP_P, sampling.topP());
        memory.set(ValueLayout.JAVA_FLOAT, TEMPERATURE, (float) sampling.temperature());
        memory.set(ValueLayout.JAVA_FLOAT, MIN_P, (float) sampling.minP());
        memory.set(ValueLayout.JAVA_FLOAT, REPETITION_PENALTY, (float) sampling.penalties().repetition());
        memory.set(ValueLayout.JAVA_FLOAT, FREQUENCY_PENALTY, (float) sampling.penalties().frequency());
        memory.set(ValueLayout.JAVA_FLOAT, PRESENCE_PENALTY, (float) sampling.penalties().presence());
        memory.set(ValueLayout.JAVA_INT, TOP_K, sampling.topK());
        memory.set(ValueLayout.JAVA_INT, STREAM, sampling.stream());
        memory.set(ValueLayout.JAVA_INT, PROMPT_LENGTH, promptLength);
        memory.set(ValueLayout.JAVA_INT, BIASES, 0);
        memory.set(ValueLayout.JAVA_INT, COUNTS, 0);
        memory.set(ValueLayout.JAVA_INT, FIRST_MASK, -1);
        writeRecent();
    }

    private void writeRecent() {
        memory.set(ValueLayout.JAVA_INT, RECENT_TOKENS, context.recentTokens());
        context.writeRecent(memory, RECENT);
    }

    /// Allows after each row the tokens of its mask only, if it has one.
    ///
    /// @param masks read in place until the tokens are sampled; null for none
    public void restrict(TokenMasks masks) {
        this.masks = masks == null || masks.count() == 0 ? null : masks;
    }

    /// Goes behind a token, which is no row any more but text.
    ///
    /// @param position of the token
    public void advance(int token, int position) {
        context.add(token, isGenerated(position));
        writeRecent();
    }

    /// Whether a token at a position was generated.
    public boolean isGenerated(int position) {
        return position >= promptLength;
    }

    /// The settings.
    public Sampling sampling() {
        return sampling;
    }

    /// The text before the first row.
    public SamplingContext context() {
        return context;
    }

    /// The tokens allowed after rows; null if any is after all of them.
    public TokenMasks masks() {
        return masks;
    }

    /// Whether bias, counts or masks change logits: whether there are lists to read.
    public boolean hasLists() {
        return sampling.logitBias().size() > 0 || sampling.penalties().countTokens() || masks != null;
    }

    /// Checks that tokens can be sampled as this says.
    ///
    /// @param rows of the segment
    /// @param vocabulary width of a row of logits
    /// @throws IllegalArgumentException if a bias is of a token that is none, masks have another width, one is of a row that is not there
    ///         or allows no token
    public void requireFor(int rows, int vocabulary) {
        sampling.logitBias().requireBelow(vocabulary);
        if (masks != null) {
            masks.requireFor(rows, vocabulary);
        }
    }

    /// What has one size, [#LAYOUT].
    public MemorySegment memory() {
        return memory;
    }

    /// How many i32 the lists take.
    ///
    /// @param rows of the segment
    /// @param growth how many distinct tokens may be counted besides
    public long listInts(int rows, int growth) {
        return 2L * sampling.logitBias().size() + 2L * (countedTokens() + growth)
                + (masks == null ? 0 : rows + (long) masks.count() * masks.words());
    }

    private int countedTokens() {
        return sampling.penalties().countTokens() ? context.counts().size() : 0;
    }

    /// Writes the lists, and in [#memory] where they are: first the masks, then biases, and counts, behind which they may grow.
    ///
    /// @param target of all lists
    /// @param first i32 of `target` to write
    /// @param rows of the segment
    public void writeLists(MemorySegment target, int first, int rows) {
        int next = first;
        if (masks != null) {
            memory.set(ValueLayout.JAVA_INT, FIRST_MASK, next);
            int firstMask = next + rows;
            for (int row = 0; row < rows; row++) {
                target.setAtIndex(ValueLayout.JAVA_INT, next + row, masks.number(row) < 0 ? -1 : firstMask + masks.number(row) * masks.words());
            }
            MemorySegment.copy(masks.masks(), 0, target, ValueLayout.JAVA_INT, (long) Integer.BYTES * firstMask,
                    masks.count() * masks.words());
            next = firstMask + masks.count() * masks.words();
        }
        LogitBias bias = sampling.logitBias();
        memory.set(ValueLayout.JAVA_INT, BIASES, bias.size());
        memory.set(ValueLayout.JAVA_INT, FIRST_BIAS, next);
        for (int i = 0; i < bias.size(); i++, next += 2) {
            target.setAtIndex(ValueLayout.JAVA_INT, next, bias.token(i));
            target.setAtIndex(ValueLayout.JAVA_FLOAT, next + 1L, bias.bias(i));
        }
        memory.set(ValueLayout.JAVA_INT, COUNTS, countedTokens());
        memory.set(ValueLayout.JAVA_INT, FIRST_COUNT, next);
        if (countedTokens() > 0) {
            context.counts().write(target, (long) Integer.BYTES * next);
        }
    }
}
