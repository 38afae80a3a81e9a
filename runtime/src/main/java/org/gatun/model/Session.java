package org.gatun.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.function.Consumer;
import org.gatun.backend.Batch;
import org.gatun.backend.Executable;
import org.gatun.backend.SampledTokens;
import org.gatun.backend.Segment;
import org.gatun.backend.SegmentResult;
import org.gatun.backend.VerificationResult;
import org.gatun.decoding.Decoder;
import org.gatun.lifetime.Lifetime;
import org.gatun.sampling.Sampling;

/// One text being read and continued by a model, in passes of its own: its [SequenceState], and what runs them. A [Decoder] says how the text
/// is continued.
///
/// Used by one thread at a time, else `IllegalStateException`. Opened by [Model#openSession()]; closed by the caller, by any thread and at
/// any time, or with its model: closing waits for the pass that runs (on a device also for what is under way there, whose result
/// is lost), and every later call that needs the model throws `IllegalStateException`. Closing twice is harmless.
public final class Session implements AutoCloseable {
    private final Model model;
    private final Executable executable;
    private final Consumer<Executable> giveBack;
    private final SequenceState state;
    private final Arena arena = Arena.ofShared();
    private final Segment segment;
    private final Batch batch = new Batch(); // of the segment alone
    private final SegmentResult result;
    private final SampledTokens sampled;
    private int promptLength;
    private boolean launched; // a pass whose result is awaited
    private final Lifetime lifetime;

    /// @param giveBack takes the executable when the session is closed
    Session(Model model, Executable executable, SequenceState state, Consumer<Executable> giveBack) {
        this.model = model;
        this.executable = executable;
        this.giveBack = giveBack;
        this.state = state;
        lifetime = new Lifetime("session of " + model.name(), this::release);
        try {
            segment = new Segment(arena, executable.limits());
            result = new SegmentResult(executable.limits());
            batch.add(segment, state.pages(), result.verification());
            sampled = new SampledTokens(executable.limits().treeRows());
        } catch (Throwable e) {
            arena.close();
            throw e;
        }
    }

    /// The model it was opened on.
    public Model model() {
        return model;
    }

    /// What its text keeps between passes; closed with the session.
    public SequenceState sequence() {
        return state;
    }

    /// Tokens read so far, those with rows in the KV cache.
    public int length() {
        return state.length();
    }

    /// Most tokens it can hold.
    public int capacity() {
        return state.capacity();
    }

    /// Width of a row of logits.
    public int vocabularySize() {
        return model.config().vocabulary();
    }

    /// Most rows of a tree, and most rows with logits, in one pass.
    public int maxTreeRows() {
        return executable.limits().treeRows();
    }

    /// Reads `tokens[from .. to)`, in as few passes as possible and without logits; `from` must be [#length].
    ///
    /// @throws IllegalArgumentException if the text would not fit
    public void prefill(int[] tokens, int from, int to) {
        enter();
        try {
            read(tokens, from, to);
        } finally {
            lifetime.leave();
        }
    }

    private void read(int[] tokens, int from, int to) {
        if (from != length() || to < from || to > tokens.length) {
            throw new IllegalArgumentException("tokens " + from + " to " + to + " of " + tokens.length + " after "
                    + length() + " tokens: expected to start there");
        }
        if (to > capacity()) {
            throw new IllegalArgumentException("text of " + to + " tokens: the context has room for " + capacity());
        }
        for (int start = from; start < to; ) {
            int end = Math.min(to, start + executable.limits().rows());
            lifetime.requireOpen(); // who closes it does not wait for the whole prompt
            segment.beginCausal(start);
            for (int i = start; i < end; i++) {
                segment.addRow(tokens[i]);
            }
            run();
            start = end;
        }
    }

    /// Says how many tokens of the text are prompt. The others, to be sampled or read, are what the frequency and presence penalties
    /// count; all are, if nothing was said.
    ///
    /// @throws IllegalArgumentException if the number is negative
    public void setPromptLength(int promptLength) {
        if (promptLength < 0) {
            throw new IllegalArgumentException("a prompt of " + promptLength + " tokens: expected 0 or more");
        }
        this.promptLength = promptLength;
    }

    /// Reads one token and samples the next. Hot.
    ///
    /// @return what was sampled, overwritten by the next call
    /// @throws IllegalArgumentException if the context is full
    /// @throws NonFiniteLogitsException if the logits are not numbers
    public SampledTokens decode(int token, Sampling sampling) {
        return decodeChain(token, 1, 0, sampling);
    }

    /// Reads one token and samples a chain of them, each read in turn but the last. Hot.
    ///
    /// @param count most tokens to sample, from 1 to [#maxTreeRows]
    /// @param margin after a token whose logit is not ahead of the second by this much, no more are sampled
    /// @return what was sampled, overwritten by the next call
    /// @throws IllegalArgumentException if the context has no room for so many
    /// @throws NonFiniteLogitsException if the logits of one of them are not numbers
    public SampledTokens decodeChain(int token, int count, float margin, Sampling sampling) {
        enter();
        try {
            segment.beginCausal(length()).addRow(token);
            segment.sample(sampling, state.tokens(), promptLength);
            executable.decodeChain(batch, count, margin, sampled);
            state.append(token, sampled);
            return sampled;
        } finally {
            lifetime.leave();
        }
    }

    /// For those that read logits themselves: refuses what no token can be sampled from.
    ///
    /// @param position of the token that the logits are for
    /// @param largest logit
    /// @throws NonFiniteLogitsException if that is no number
    public void requireNumber(float largest, int position) {
        if (!Float.isFinite(largest)) {
            throw new NonFiniteLogitsException(model, position);
        }
    }

    /// The segment to fill before [#run] or [#verify]; it begins after [#length] slots.
    public Segment segment() {
        enter();
        lifetime.leave();
        return segment;
    }

    /// Runs [#segment], a causal one, in a pass of its own and keeps all its rows. Hot.
    ///
    /// @throws IllegalArgumentException if the segment does not fit or holds a token outside the vocabulary
    public void run() {
        enter();
        try {
            executable.run(batch);
            state.append(segment);
        } finally {
            lifetime.leave();
        }
    }

    /// Runs [#segment] and keeps none of its rows, until [#keep] does. Hot.
    ///
    /// @throws IllegalArgumentException if the segment does not fit or holds a token outside the vocabulary
    public void evaluate() {
        enter();
        try {
            executable.run(batch);
        } finally {
            lifetime.leave();
        }
    }

    /// Keeps rows of the segment just run as the next tokens of the text, and forgets the others. Hot.
    ///
    /// @param rows in rising order, each continuing the one before
    /// @param count how many of `rows` there are
    public void keep(int[] rows, int count) {
        enter();
        try {
            for (int i = 0; i < count; i++) {
                if (rows[i] != i) {
                    state.pages().move(segment.committed() + rows[i], segment.committed() + i);
                }
                state.append(segment.token(rows[i]));
            }
        } finally {
            lifetime.leave();
        }
    }

    /// Runs [#segment] and samples a token after each row; keeps the first row and of the others one path, whose tokens are those sampled.
    /// Hot.
    ///
    /// @return what was sampled and accepted, overwritten by the next call
    /// @throws IllegalArgumentException if the segment does not fit or holds a token outside the vocabulary
    public VerificationResult verify(Sampling sampling) {
        launch(sampling);
        return await();
    }

    /// The first part of [#verify]: the pass is under way where the backend is [asynchronous][org.gatun.backend.Backend#isAsynchronous], else
    /// done. Until [#await] the session refuses everything else. Hot.
    ///
    /// @throws IllegalArgumentException as by [#verify]; then there is nothing to await
    public void launch(Sampling sampling) {
        enter();
        try {
            segment.sample(sampling, state.tokens(), promptLength);
            launchBatch();
        } finally {
            lifetime.leave();
        }
    }

    private void launchBatch() {
        executable.launch(batch);
        launched = true;
    }

    /// The second part of [#verify]: waits for what [#launch] began. Hot.
    ///
    /// @return what was sampled and accepted, overwritten by the next call
    /// @throws IllegalStateException if nothing was launched
    /// @throws NonFiniteLogitsException if the logits after a row of the path are not numbers
    public VerificationResult await() {
        awaitResult();
        state.accept(segment.token(0), result.verification());
        return result.verification();
    }

    private void awaitResult() {
        if (!launched) {
            throw new IllegalStateException("session of " + model.name() + " has launched nothing: expected launch() before await()");
        }
        launched = false;
        enter();
        try {
            executable.await();
        } finally {
            lifetime.leave();
        }
    }

    /// A step of a decoder of this session's text: what it proposes is run in a pass, during which it may prepare the next, and it accepts the
    /// result. Hot.
    ///
    /// @param maxTokens most tokens to emit, at least one
    /// @return how many were emitted; none while the text is being read
    /// @throws IllegalStateException if there is no slot left
    /// @throws NonFiniteLogitsException if the logits that a token is sampled from are not numbers
    public int step(Decoder decoder, int maxTokens) {
        decoder.propose(segment(), maxTokens);
        enter();
        try {
            if (segment.samples()) {
                launchBatch();
            } else {
                executable.run(batch);
            }
        } finally {
            lifetime.leave();
        }
        if (launched) {
            decoder.duringPass(maxTokens);
            awaitResult();
        }
        return decoder.accept(result.of(executable, batch, 0));
    }

    /// Logits of the last pass, `[selected rows, vocabulary] f32`, overwritten by the next.
    public MemorySegment logits() {
        enter();
        try {
            return executable.logits();
        } finally {
            lifetime.leave();
        }
    }

    /// A hidden state of the last pass, `[hidden] f32`, overwritten by the next. The session was opened with a program that taps it.
    ///
    /// @param name of the tap
    /// @param row of the segment; of a tap behind the final norm, number of the row among those with logits
    /// @throws IllegalArgumentException if there is no tap of that name
    /// @throws IndexOutOfBoundsException if the pass had no such row
    public MemorySegment hidden(String name, int row) {
        enter();
        try {
            MemorySegment rows = executable.output(name);
            long bytes = (long) model.config().hidden() * Float.BYTES;
            return rows.asSlice(Objects.checkIndex(row, rows.byteSize() / bytes) * bytes, bytes);
        } finally {
            lifetime.leave();
        }
    }

    /// How many of the first `count` tokens of a text it already holds.
    public int commonPrefix(int[] text, int count) {
        return state.commonPrefix(text, count);
    }

    /// Forgets all tokens from `newLength` on.
    ///
    /// @throws IndexOutOfBoundsException if the text is shorter
    public void rewind(int newLength) {
        enter();
        try {
            state.rewind(newLength);
        } finally {
            lifetime.leave();
        }
    }

    /// Whether it is open, as far as is known at this moment: another thread may be closing it.
    public boolean isOpen() {
        return lifetime.isOpen();
    }

    private void enter() {
        lifetime.enter();
        if (launched) {
            lifetime.leave();
            throw new IllegalStateException("session of " + model.name() + " verifies a pass: expected await() first");
        }
    }

    @Override
    public void close() {
        lifetime.close();
    }

    private void release() {
        try (arena) {
            state.close(); // which waits for a device: whoever gets the executable next finds it idle
        } finally {
            giveBack.accept(executable);
            model.forget(this);
        }
    }
}
