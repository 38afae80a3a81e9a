package org.gatun.speculative;

import org.gatun.backend.Verdict;
import org.gatun.decoding.TokenText;
import org.gatun.model.Session;
import org.gatun.sampling.Sampler;
import org.gatun.sampling.Sampling;

/// The one loop behind every method: draft, verify, observe. Each [#step] is one pass of the target and emits at least one
/// token. Lossless: where nothing in a tree was drawn from a law, the text is that of plain decoding with the same seed and backend (see
/// [org.gatun.backend.HostVerifier]; that the backend computes a row alike in every pass is its contract); else it has the same law.
///
/// Borrows the session and the drafter. One thread at a time.
public final class SpeculativeDecoder {
    private final Session session;
    private final Drafter drafter;
    private final TokenText text;
    private final TokenTree tree;
    private final Sampling sampling;
    private final ResidualVerifier residual;
    private final Step step;
    private long steps;
    private long emitted;
    private long drafted;
    private long accepted;
    private long draftNanos;
    private long verifyNanos;

    /// Reads the prompt: all of it but the last token, which is the first root. Rows that the session already holds for
    /// the start of the prompt are kept.
    ///
    /// @param session of the target, empty or holding rows of a prefix of `prompt`
    /// @param drafter begun on this prompt
    /// @param prompt at least one token
    /// @throws IllegalArgumentException if the prompt is empty or too long for the session
    public SpeculativeDecoder(Session session, Drafter drafter, Sampling sampling, int[] prompt) {
        if (prompt.length == 0) {
            throw new IllegalArgumentException("the prompt is empty: expected at least one token");
        }
        this.session = session;
        this.drafter = drafter;
        this.sampling = sampling;
        text = new TokenText(prompt);
        tree = new TokenTree(session.maxTreeRows());
        Sampler sampler = new Sampler(sampling, session.vocabularySize());
        residual = new ResidualVerifier(session, tree, text, sampler);
        step = new Step(session, tree, text, sampler);
        session.prefill(prompt, session.length(), prompt.length - 1);
        drafter.begin(session, text, sampling);
    }

    /// One pass of the target. Appends to [#text] what was accepted and one token more, and returns how many that is.
    ///
    /// @param maxTokens most tokens to emit, at least one
    /// @throws IllegalStateException if the session has no slot left
    public int step(int maxTokens) {
        int start = text.length();
        int room = session.capacity() - session.length();
        if (room < 1) {
            throw new IllegalStateException("the context is full: " + session.capacity() + " tokens");
        }
        long begun = System.nanoTime();
        drafter.draft(text, tree.begin(text.last()), Math.min(tree.capacity(), Math.min(room, maxTokens)));
        long draftDone = System.nanoTime();

        tree.writeTo(session.pass(), session.length());
        Verdict verdict = tree.drawings() == 0 ? session.verify(sampling) : residual.verify();
        for (int i = 0; i <= verdict.accepted(); i++) {
            text.append(verdict.token(i));
        }
        long verifyDone = System.nanoTime();

        step.set(verdict, draftDone - begun, verifyDone - draftDone);
        drafter.observe(text, step);
        steps++;
        emitted += text.length() - start;
        drafted += tree.size() - 1;
        accepted += verdict.accepted();
        draftNanos += draftDone - begun + System.nanoTime() - verifyDone;
        verifyNanos += verifyDone - draftDone;
        return text.length() - start;
    }

    /// Prompt and emitted tokens; grows with each step.
    public TokenText text() {
        return text;
    }

    /// Counts since the start.
    public SpeculationStatistics statistics() {
        return new SpeculationStatistics(emitted, steps, drafted, accepted, draftNanos, verifyNanos);
    }
}
