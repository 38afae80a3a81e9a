package org.gatun.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.gatun.backend.Executable;
import org.gatun.backend.Pass;
import org.gatun.backend.Verdict;
import org.gatun.plan.LayerProgram;
import org.gatun.sampling.Sampling;

/// One text being read and continued by a model: its KV cache and the buffers of its passes. Decoding methods drive it; it
/// knows nothing of them.
///
/// Opened by [Model#openSession()], closed by the caller; closing twice is harmless, use after close throws
/// `IllegalStateException`. One thread at a time.
public final class Session implements AutoCloseable {
    private final Model model;
    private final Executable executable;
    private final KvCache kv;
    private final Arena arena = Arena.ofShared();
    private final Pass pass;
    private final Verdict verdict;
    private boolean launched; // a pass whose verdict is awaited
    private boolean closed;

    Session(Model model, Executable executable, KvCache kv) {
        this.model = model;
        this.executable = executable;
        this.kv = kv;
        pass = new Pass(arena, executable.limits());
        verdict = new Verdict(executable.limits().treeRows());
    }

    /// The model it was opened on.
    public Model model() {
        return model;
    }

    /// Tokens read so far, those with rows in the KV cache.
    public int length() {
        return kv.length();
    }

    /// Most tokens it can hold.
    public int capacity() {
        return kv.capacity();
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
        requireOpen();
        if (from != length() || to < from || to > tokens.length) {
            throw new IllegalArgumentException("tokens " + from + " to " + to + " of " + tokens.length + " after "
                    + length() + " tokens: expected to start there");
        }
        if (to > capacity()) {
            throw new IllegalArgumentException("text of " + to + " tokens: the context has room for " + capacity());
        }
        for (int start = from; start < to; ) {
            int end = Math.min(to, start + executable.limits().rows());
            pass.beginCausal(start);
            for (int i = start; i < end; i++) {
                pass.addRow(tokens[i]);
            }
            run();
            start = end;
        }
    }

    /// Reads one token and draws the next. Hot.
    ///
    /// @return what was drawn, overwritten by the next call
    /// @throws IllegalArgumentException if the context is full
    public Verdict decode(int token, Sampling sampling) {
        return roll(token, 1, 0, sampling);
    }

    /// Reads one token and draws a chain of them, each read in turn but the last. Hot.
    ///
    /// @param count most tokens to draw, from 1 to [#maxTreeRows]
    /// @param lead after a token whose logit leads by less, no more are drawn
    /// @return what was drawn, overwritten by the next call
    /// @throws IllegalArgumentException if the context has no room for so many
    public Verdict roll(int token, int count, float lead, Sampling sampling) {
        requireOpen();
        pass.beginCausal(length()).addRow(token);
        pass.draw(sampling, kv.tokens());
        executable.roll(pass, kv.store(), count, lead, verdict);
        kv.append(token, verdict);
        return verdict;
    }

    /// The pass to fill before [#run] or [#verify]; it begins after [#length] slots.
    public Pass pass() {
        requireOpen();
        return pass;
    }

    /// Runs [#pass], a causal one, and keeps all its rows. Hot.
    ///
    /// @throws IllegalArgumentException if the pass does not fit or holds a token outside the vocabulary
    public void run() {
        requireOpen();
        executable.run(pass, kv.store());
        kv.append(pass);
    }

    /// Runs [#pass] and keeps none of its rows, until [#keep] does. Hot.
    ///
    /// @throws IllegalArgumentException if the pass does not fit or holds a token outside the vocabulary
    public void evaluate() {
        requireOpen();
        executable.run(pass, kv.store());
    }

    /// Keeps rows of the pass just run as the next tokens of the text, and forgets the others. Hot.
    ///
    /// @param rows in rising order, each continuing the one before
    /// @param count how many of `rows` there are
    public void keep(int[] rows, int count) {
        requireOpen();
        for (int i = 0; i < count; i++) {
            if (rows[i] != i) {
                kv.store().move(pass.committed() + rows[i], pass.committed() + i);
            }
            kv.append(pass.token(rows[i]));
        }
    }

    /// Runs [#pass] and draws a token after each row; keeps the first row and of the others one path, whose tokens are those drawn.
    /// Hot.
    ///
    /// @return what was drawn and accepted, overwritten by the next call
    /// @throws IllegalArgumentException if the pass does not fit or holds a token outside the vocabulary
    public Verdict verify(Sampling sampling) {
        launch(sampling);
        return await();
    }

    /// The first part of [#verify]: the pass is under way where [#runsBesideHost], else done. Until [#await] the session refuses
    /// everything else. Hot.
    ///
    /// @throws IllegalArgumentException as by [#verify]; then there is nothing to await
    public void launch(Sampling sampling) {
        requireOpen();
        pass.draw(sampling, kv.tokens());
        executable.launch(pass, kv.store(), verdict);
        launched = true;
    }

    /// The second part of [#verify]: waits for what [#launch] began. Hot.
    ///
    /// @return what was drawn and accepted, overwritten by the next call
    /// @throws IllegalStateException if nothing was launched
    public Verdict await() {
        if (!launched) {
            throw new IllegalStateException("session of " + model.name() + " has launched nothing: expected launch() before await()");
        }
        launched = false;
        requireOpen();
        executable.await();
        kv.append(pass.token(0), verdict);
        return verdict;
    }

    /// Whether this thread can do something else while the model verifies, since a device does the work.
    public boolean runsBesideHost() {
        return executable.runsBesideHost();
    }

    /// Some of the model's layers over this session's text, to be closed by the caller.
    ///
    /// @throws IndexOutOfBoundsException if the program names a layer that the model does not have
    public PartialModel partial(LayerProgram program) {
        requireOpen();
        return new PartialModel(this, kv, model.compile(program));
    }

    /// Logits of the last pass, `[selected rows, vocabulary] f32`, overwritten by the next.
    public MemorySegment logits() {
        requireOpen();
        return executable.logits();
    }

    /// How many of the first `count` tokens of a text it already holds.
    public int commonPrefix(int[] text, int count) {
        return kv.commonPrefix(text, count);
    }

    /// Forgets all tokens from `newLength` on.
    ///
    /// @throws IndexOutOfBoundsException if the text is shorter
    public void rewind(int newLength) {
        requireOpen();
        kv.rewind(newLength);
    }

    private void requireOpen() {
        if (closed || model.isClosed()) {
            throw new IllegalStateException((closed ? "session of " : "model ") + model.name() + " is closed");
        }
        if (launched) {
            throw new IllegalStateException("session of " + model.name() + " verifies a pass: expected await() first");
        }
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try (arena; kv) {
            model.giveBack(executable);
        }
    }
}
