package org.gatun.speculative;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.gatun.backend.SegmentResult;
import org.gatun.backend.VerificationResult;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.Model;
import org.gatun.sampling.Sampler;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.TokenDistribution;

/// What became of a proposal, and what the target computed for it: every row of the pass, those of rejected nodes too. Shown to the
/// drafter, valid until the next pass.
public final class Step {
    private final Model target;
    private final TokenTree tree;
    private final TokenSequence text;
    private final Sampling sampling;
    private final boolean showsLogits;
    private Sampler sampler; // made when a drafter first asks for a distribution
    private final PathContext pathContext = new PathContext();
    private float[] row = new float[0];     // [vocabulary]
    private float[] best = new float[0];
    private SegmentResult result;
    private VerificationResult verification;
    private long draftNanos;
    private long verifyNanos;

    Step(Model target, TokenTree tree, TokenSequence text, Sampling sampling, boolean showsLogits) {
        this.target = target;
        this.tree = tree;
        this.text = text;
        this.sampling = sampling;
        this.showsLogits = showsLogits;
    }

    void set(SegmentResult of, long drafting, long verifying) {
        result = of;
        verification = of.verification();
        draftNanos = drafting;
        verifyNanos = verifying;
    }

    /// The tree as drafted.
    public TokenTree tree() {
        return tree;
    }

    /// How many nodes were accepted, the root not counted.
    public int accepted() {
        return verification.accepted();
    }

    /// How many of the accepted nodes are among the first of the tree, for a drafter whose proposals come before those of others.
    ///
    /// @param size nodes that count, the root included
    public int accepted(int size) {
        int count = 0;
        while (count < verification.accepted() && verification.row(count) < size) {
            count++;
        }
        return count;
    }

    /// A node of the accepted path: 0 is the root.
    ///
    /// @param depth from 0 to [#accepted]
    public int acceptedNode(int depth) {
        return depth == 0 ? 0 : verification.row(depth - 1);
    }

    /// The token that was emitted after a node of the accepted path.
    ///
    /// @param depth from 0 to [#accepted]
    public int emitted(int depth) {
        return verification.token(depth);
    }

    /// Time it took to draft.
    public long draftNanos() {
        return draftNanos;
    }

    /// Time it took to run the pass and to verify.
    public long verifyNanos() {
        return verifyNanos;
    }

    /// The tokens of the largest logits after a node, padding left out, in falling order, lower ids first among equals.
    ///
    /// @param count how many
    /// @param tokens receives them from `offset` on
    /// @throws IllegalStateException if the drafter did not say that it needs logits
    public void mostProbable(int node, int count, int[] tokens, int offset) {
        requireLogits();
        int vocabulary = target.unpaddedVocabulary();
        if (row.length < vocabulary || best.length < count) {
            row = new float[vocabulary];
            best = new float[count];
        }
        long first = (long) (result.firstLogits() + node) * target.config().vocabulary() * Float.BYTES;
        MemorySegment.copy(result.logits(), ValueLayout.JAVA_FLOAT, first, row, 0, vocabulary);
        int found = 0;
        float min = Float.NEGATIVE_INFINITY; // of those found, once there are enough
        for (int token = 0; token < vocabulary; token++) {
            float logit = row[token];
            if (found == count && !(logit > min)) {
                continue;
            }
            int place = found < count ? found++ : count - 1;
            while (place > 0 && !(best[place - 1] >= logit)) {
                best[place] = best[place - 1];
                tokens[offset + place] = tokens[offset + place - 1];
                place--;
            }
            best[place] = logit;
            tokens[offset + place] = token;
            min = best[found - 1];
        }
    }

    /// The distribution of the target's next token after a node, all settings of the sampling applied, padding left out.
    ///
    /// @throws IllegalStateException if the drafter did not say that it needs logits
    public void distribution(int node, TokenDistribution distribution) {
        requireLogits();
        if (sampler == null) {
            sampler = new Sampler(sampling, target.config().vocabulary(), target.unpaddedVocabulary());
        }
        pathContext.set(sampling, text, text.length() - verification.accepted() - 1, tree, node);
        sampler.distribution(result.logits(), result.firstLogits() + node, pathContext.context(), distribution);
    }

    private void requireLogits() {
        if (!showsLogits) {
            throw new IllegalStateException("a drafter reads logits that it did not ask for: expected its requirements() to say so");
        }
    }
}
