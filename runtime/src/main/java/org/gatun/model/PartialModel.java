package org.gatun.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.gatun.backend.Executable;
import org.gatun.backend.KvStore;
import org.gatun.backend.Pass;

/// Some of a model's layers over the text of a session: a cheaper and worse model that needs no memory of its own for weights, keys or
/// values. It reads what the whole model stored for the text; what it stores itself lies behind the text and is forgotten.
///
/// Opened by [Session#partial], closed by the caller before the session; closing twice is harmless. One thread at a time.
public final class PartialModel implements AutoCloseable {
    private final Session session;
    private final KvCache kv;
    private final Executable executable;
    private final Arena arena = Arena.ofShared();
    private final Pass pass;

    PartialModel(Session session, KvCache kv, Executable executable) {
        this.session = session;
        this.kv = kv;
        this.executable = executable;
        pass = new Pass(arena, executable.limits());
    }

    /// Reads a token behind the text, or behind tokens that this model read there; [#logits] are those of what follows it. Hot.
    ///
    /// @param ahead how many tokens stand between the text and this one, from 0 on
    /// @throws IllegalArgumentException if it stands inside the text or does not fit, or is outside the vocabulary
    public void read(int ahead, int token) {
        requireOpen();
        if (ahead < 0) {
            throw new IllegalArgumentException("token " + -ahead + " before the end of the text: expected one behind it");
        }
        pass.beginCausal(session.length() + ahead).addRow(token);
        pass.select(0);
        executable.run(pass, kv.store());
    }

    /// Runs the last tokens of the text again, each row seeing what the whole model stored for the text before them, and leaves the
    /// session as it was. [#logits] are those of every row.
    ///
    /// @param count of tokens, at most as many as have logits in one pass
    /// @return whether it was done: not if there is no room behind the text
    public boolean replay(int count) {
        requireOpen();
        int length = session.length();
        int start = length - count;
        if (start < 0 || length + count > session.capacity() || count > session.maxTreeRows()) {
            return false;
        }
        KvStore store = kv.store();
        for (int slot = start; slot < length; slot++) {
            store.move(slot, slot + count);
        }
        pass.beginCausal(start);
        for (int i = 0; i < count; i++) {
            pass.addRow(kv.tokens()[start + i]);
            pass.select(i);
        }
        executable.run(pass, store);
        for (int slot = start; slot < length; slot++) {
            store.move(slot + count, slot);
        }
        return true;
    }

    /// Logits of the last pass, `[selected rows, vocabulary] f32`, overwritten by the next.
    public MemorySegment logits() {
        requireOpen();
        return executable.logits();
    }

    private void requireOpen() {
        if (!arena.scope().isAlive()) {
            throw new IllegalStateException("partial model of " + session.model().name() + " is closed");
        }
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
            executable.close();
        }
    }
}
