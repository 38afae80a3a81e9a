package org.gatun.speculative;

import java.util.ArrayList;
import java.util.List;
import org.gatun.backend.Segment;
import org.gatun.backend.SegmentResult;
import org.gatun.backend.VerificationResult;
import org.gatun.constraint.ConstraintMatcher;
import org.gatun.decoding.Decoder;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.SequenceState;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.SpeculationStatistics.Depth;

/// The one loop behind every method: draft, verify, observe. Each step proposes a tree, and emits what a pass of the target accepts of it and
/// one token more. Lossless: where nothing in a tree was sampled from a distribution, the text is that of plain decoding with the same seed and
/// backend (see [org.gatun.backend.HostVerifier]; that the backend computes a row alike in every pass is its contract); else it follows the
/// target's distribution.
///
/// Borrows the text's state and the drafter, and has nothing to close: after either was closed, a step throws `IllegalStateException`. One
/// thread at a time.
public final class SpeculativeDecoder implements Decoder {
    private final SequenceState sequence;
    private final Drafter drafter;
    private final TokenSequence text;
    private final TokenTree tree;
    private final Sampling sampling;
    private final Step step;
    private TreeMasks masks;          // null without a constraint
    private Proposal proposal = Proposal.NONE;
    private boolean awaitsResult;     // the tree was not verified yet
    private int unread;               // rows of a proposal that is text
    private long proposed;            // when, in nanoseconds
    private long steps;
    private long emitted;
    private long drafted;
    private final long[] tested;      // [depth - 1]
    private final long[] accepted;
    private long draftNanos;
    private long stepDraftNanos;
    private long verifyNanos;
    private long draftAheadNanos;

    /// What the next result is of.
    private enum Proposal { NONE, TEXT, TREE }

    /// Reads the prompt in passes of the session's: all of it but the last token, which is the first root. Rows that the session already holds
    /// for the start of the prompt are kept.
    ///
    /// @param session of the target, empty or holding rows of a prefix of `prompt`
    /// @param drafter begun on the prompt here
    /// @param prompt at least one token
    /// @throws IllegalArgumentException if the prompt is empty or too long for the session
    public SpeculativeDecoder(Session session, Drafter drafter, Sampling sampling, int[] prompt) {
        requirePrompt(prompt, session.capacity());
        session.prefill(prompt, session.length(), prompt.length - 1);
        this(session.sequence(), drafter, sampling, prompt, session.maxTreeRows());
    }

    /// Reads nothing yet: the first steps propose the rows of the prompt that are missing.
    ///
    /// @param sequence of the target, empty or holding rows of a prefix of `prompt`
    /// @param drafter begun on the prompt here
    /// @param prompt at least one token
    /// @param treeRows most rows of a tree in the passes to come
    /// @throws IllegalArgumentException if the prompt is empty or too long, or no longer than what is held
    public SpeculativeDecoder(SequenceState sequence, Drafter drafter, Sampling sampling, int[] prompt, int treeRows) {
        requirePrompt(prompt, sequence.capacity());
        if (sequence.length() >= prompt.length) {
            throw new IllegalArgumentException("prompt of " + prompt.length + " tokens after " + sequence.length()
                    + " with rows: expected rows of a prefix");
        }
        this.sequence = sequence;
        this.drafter = drafter;
        this.sampling = sampling;
        text = new TokenSequence(prompt);
        tree = new TokenTree(treeRows, sequence.model().unpaddedVocabulary());
        tested = new long[treeRows];
        accepted = new long[treeRows];
        step = new Step(sequence.model(), tree, text, sampling, drafter.requirements().logits());
        drafter.begin(sequence, text, sampling);
    }

    private static void requirePrompt(int[] prompt, int capacity) {
        if (prompt.length == 0 || prompt.length > capacity) {
            throw new IllegalArgumentException(prompt.length == 0 ? "the prompt is empty: expected at least one token"
                    : "text of " + prompt.length + " tokens: the context has room for " + capacity);
        }
    }

    /// Lets only tokens follow that a constraint allows, from here on until the text that it asks for has ended.
    ///
    /// @param matcher where the text is with the constraint; goes on with it
    public void constrain(ConstraintMatcher matcher) {
        masks = new TreeMasks(matcher, tree.capacity(), sequence.model().config().vocabulary());
    }

    @Override
    public TokenSequence text() {
        return text;
    }

    @Override
    public void propose(Segment segment, int maxRows) {
        int missing = text.length() - 1 - sequence.length();
        if (missing > 0) {
            proposeText(segment, Math.min(missing, Math.min(maxRows, segment.limits().rows())));
        } else {
            proposeTree(segment, Math.min(maxRows, requireRoom()));
        }
    }

    /// Slots that are left.
    private int requireRoom() {
        int room = sequence.capacity() - sequence.length();
        if (room < 1) {
            throw new IllegalStateException("the context is full: " + sequence.capacity() + " tokens");
        }
        return room;
    }

    private void proposeText(Segment segment, int rows) {
        segment.beginCausal(sequence.length());
        for (int i = 0; i < rows; i++) {
            segment.addRow(text.token(sequence.length() + i));
        }
        unread = rows;
        proposal = Proposal.TEXT;
    }

    /// A tree whose pass never ran is proposed again: where proposals are drawn at random, another one would lead to another text.
    private void proposeTree(Segment segment, int maxRows) {
        long begun = System.nanoTime();
        if (!awaitsResult || tree.size() > maxRows) {
            drafter.draft(text, tree.begin(text.last()), Math.min(tree.capacity(), maxRows));
            awaitsResult = true;
        }
        proposed = System.nanoTime();
        stepDraftNanos = proposed - begun;
        tree.writeTo(segment, sequence.length());
        if (masks != null) {
            segment.setTokenMasks(masks.of(tree));
        }
        segment.sample(sampling, sequence.tokens(), text.promptLength());
        proposal = Proposal.TREE;
    }

    @Override
    public void duringPass(int maxTokens) {
        if (proposal == Proposal.TREE) {
            long begun = System.nanoTime();
            drafter.draftAhead(text, tree, Math.min(maxTokens, sequence.capacity() - sequence.length()));
            draftAheadNanos += System.nanoTime() - begun;
        }
    }

    @Override
    public int accept(SegmentResult result) {
        Proposal done = proposal;
        proposal = Proposal.NONE;
        return switch (done) {
            case TREE -> acceptTree(result);
            case TEXT -> {
                for (int i = 0; i < unread; i++) {
                    sequence.append(text.token(sequence.length()));
                }
                yield 0;
            }
            case NONE -> throw new IllegalStateException("a result, and nothing was proposed: expected propose() before accept()");
        };
    }

    private int acceptTree(SegmentResult result) {
        VerificationResult verification = result.verification();
        sequence.accept(text.last(), verification);
        awaitsResult = false;
        for (int i = 0; i <= verification.accepted(); i++) {
            text.append(verification.token(i));
            if (masks != null) {
                masks.accept(verification.token(i));
            }
        }
        long verified = System.nanoTime();

        step.set(result, stepDraftNanos, verified - proposed);
        drafter.observe(text, step);
        steps++;
        emitted += verification.accepted() + 1;
        drafted += tree.size() - 1;
        countDepths();
        draftNanos += stepDraftNanos + System.nanoTime() - verified;
        verifyNanos += verified - proposed;
        return verification.accepted() + 1;
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

    /// Counts since the start.
    public SpeculationStatistics statistics() {
        List<Depth> depths = new ArrayList<>();
        for (int depth = 0; depth < tested.length && tested[depth] > 0; depth++) {
            depths.add(new Depth(tested[depth], accepted[depth]));
        }
        return new SpeculationStatistics(emitted, steps, drafted, depths, draftNanos, verifyNanos, draftAheadNanos);
    }
}
