package org.gatun.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.gatun.backend.Batch;
import org.gatun.backend.Executable;
import org.gatun.backend.PageTable;
import org.gatun.backend.Segment;
import org.gatun.lifetime.Lifetime;

/// Some of a model's layers over a text: a cheaper and worse model that needs no memory of its own for weights, keys or
/// values. It reads what the whole model stored for the text; what it stores itself lies behind the text and is forgotten.
///
/// Used by one thread at a time, that of the text. Opened by [SequenceState#partial]; closed by the caller, by any thread and at any time, or
/// with the text's state: closing waits for the pass that runs, and later calls throw `IllegalStateException`. Closing twice is harmless.
public final class PartialModel implements AutoCloseable {
    private final SequenceState state;
    private final Executable executable;
    private final Lifetime lifetime;
    private final Arena arena = Arena.ofShared();
    private final Segment segment;
    private final Batch batch; // of the segment alone

    PartialModel(SequenceState state, Executable executable) {
        this.state = state;
        this.executable = executable;
        lifetime = new Lifetime("partial model of " + state.model().name(), this::release);
        segment = new Segment(arena, executable.limits());
        batch = Batch.of(segment, state.pages());
    }

    /// Reads a token behind the text, or behind tokens that this model read there; [#logits] are those of what follows it. Hot.
    ///
    /// @param ahead how many tokens stand between the text and this one, from 0 on
    /// @throws IllegalArgumentException if it stands inside the text or does not fit, or is outside the vocabulary
    public void read(int ahead, int token) {
        if (ahead < 0) {
            throw new IllegalArgumentException("token " + -ahead + " before the end of the text: expected one behind it");
        }
        enter();
        try {
            segment.beginCausal(state.length() + ahead).addRow(token);
            segment.select(0);
            executable.run(batch);
        } finally {
            leave();
        }
    }

    /// Runs the last tokens of the text again, each row seeing what the whole model stored for the text before them, and leaves the
    /// text as it was. [#logits] are those of every row.
    ///
    /// @param count of tokens, at most as many as have logits in one pass
    /// @return whether it was done: not if there is no room behind the text
    public boolean replay(int count) {
        enter();
        try {
            return runAgain(count);
        } finally {
            leave();
        }
    }

    private boolean runAgain(int count) {
        int length = state.length();
        int start = length - count;
        if (start < 0 || length + count > state.capacity() || count > executable.limits().treeRows()) {
            return false;
        }
        PageTable pages = state.pages();
        for (int slot = start; slot < length; slot++) {
            pages.move(slot, slot + count);
        }
        segment.beginCausal(start);
        for (int i = 0; i < count; i++) {
            segment.addRow(state.tokens()[start + i]);
            segment.select(i);
        }
        executable.run(batch);
        for (int slot = start; slot < length; slot++) {
            pages.move(slot + count, slot);
        }
        return true;
    }

    /// Logits of the last pass, `[selected rows, vocabulary] f32`, overwritten by the next.
    public MemorySegment logits() {
        enter();
        try {
            return executable.logits();
        } finally {
            leave();
        }
    }

    private void enter() {
        state.lifetime().enter();
        try {
            lifetime.enter();
        } catch (IllegalStateException e) {
            state.lifetime().leave();
            throw e;
        }
    }

    private void leave() {
        try {
            lifetime.leave();
        } finally {
            state.lifetime().leave();
        }
    }

    @Override
    public void close() {
        lifetime.close();
    }

    private void release() {
        try (arena; executable) {
            state.lifetime().disown(this);
        }
    }
}
