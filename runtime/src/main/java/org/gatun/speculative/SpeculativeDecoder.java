package org.gatun.speculative;

import java.util.ArrayList;
import java.util.List;
import org.gatun.backend.VerificationResult;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.SpeculationStatistics.Depth;

/// The one loop behind every method: draft, verify, observe. Each [#step] is one pass of the target and emits at least one
/// token. Lossless: where nothing in a tree was sampled from a distribution, the text is that of plain decoding with the same seed and
/// backend (see [org.gatun.backend.HostVerifier]; that the backend computes a row alike in every pass is its contract); else it follows the
/// target's distribution.
///
/// Borrows the session and the drafter, and has nothing to close: after either was closed, a step throws `IllegalStateException`. One thread
/// at a time.
public final class SpeculativeDecoder {
    private final Session session;
    private final Drafter drafter;
    private final TokenSequence text;
    private final TokenTree tree;
    private final Sampling sampling;
    private final Step step;
    private long steps;
    private long emitted;
    private long drafted;
    private final long[] tested;      // [depth - 1]
    private final long[] accepted;
    private long draftNanos;
    private long verifyNanos;
    private long draftAheadNanos;

    /// Reads the prompt: all of it but the last token, which is the first root. Rows that the session already holds for
    /// the start of the prompt are kept.
    ///
    /// @param session of the target, empty or holding rows of a prefix of `prompt`
    /// @param drafter begun on the prompt here
    /// @param prompt at least one token
    /// @throws IllegalArgumentException if the prompt is empty or too long for the session
    public SpeculativeDecoder(Session session, Drafter drafter, Sampling sampling, int[] prompt) {
        if (prompt.length == 0) {
            throw new IllegalArgumentException("the prompt is empty: expected at least one token");
        }
        this.session = session;
        this.drafter = drafter;
        this.sampling = sampling;
        text = new TokenSequence(prompt);
        tree = new TokenTree(session.maxTreeRows(), session.model().unpaddedVocabulary());
        tested = new long[tree.capacity()];
        accepted = new long[tree.capacity()];
        step = new Step(session, tree, text, sampling);
        session.setPromptLength(prompt.length);
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
        int max = Math.min(room, maxTokens);
        drafter.draft(text, tree.begin(text.last()), Math.min(tree.capacity(), max));
        long draftDone = System.nanoTime();

        tree.writeTo(session.segment(), session.length());
        session.launch(sampling);
        long launched = System.nanoTime();
        drafter.draftAhead(text, tree, max);
        draftAheadNanos += System.nanoTime() - launched;
        VerificationResult result = session.await();
        for (int i = 0; i <= result.accepted(); i++) {
            text.append(result.token(i));
        }
        long verifyDone = System.nanoTime();

        step.set(result, draftDone - begun, verifyDone - draftDone);
        drafter.observe(text, step);
        steps++;
        emitted += text.length() - start;
        drafted += tree.size() - 1;
        countDepths();
        draftNanos += draftDone - begun + System.nanoTime() - verifyDone;
        verifyNanos += verifyDone - draftDone;
        return text.length() - start;
    }

    private void countDepths() {
        for (int depth = 0; depth < step.accepted(); depth++) {
            tested[depth]++;
            accepted[depth]++;
        }
        if (tree.hasChild(step.acceptedNode(step.accepted()))) {
            tested[step.accepted()]++;
        }
    }

    /// Prompt and emitted tokens; grows with each step.
    public TokenSequence text() {
        return text;
    }

    /// Counts since the start.
    public SpeculationStatistics statistics() {
        List<Depth> depths = new ArrayList<>();
        for (int depth = 0; depth < tested.length && tested[depth] > 0; depth++) {
            depths.add(new Depth(tested[depth], accepted[depth]));
        }
        return new SpeculationStatistics(emitted, steps, drafted, depths, draftNanos, verifyNanos, draftAheadNanos);
    }
}
