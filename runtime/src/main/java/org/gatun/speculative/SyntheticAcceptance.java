package org.gatun.speculative;

import java.util.SplittableRandom;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.SequenceState;
import org.gatun.sampling.Sampling;

/// Measures the engine at a chosen acceptance, without a trained drafter: another drafter proposes, at its own cost, and each node of
/// its tree keeps its place but gets another token. Below a node whose path is right, the first child is right with the chosen
/// probability; all other tokens are wrong. Figures got this way are no method's: say so where they are shown.
///
/// The text is known beforehand, from plain decoding with the same settings. The drafter inside sees steps as if its own tokens had
/// been replaced: one with a model reads the accepted tokens again, in one pass, and is not asked to go on while a pass runs, which
/// would be in vain.
///
/// Owns the drafter inside. One thread at a time.
public final class SyntheticAcceptance implements Drafter {
    private final Drafter inner;
    private final double acceptance;
    private final SplittableRandom random;
    private int[] answer = {};
    private int promptLength;
    private int[] parents = new int[64];
    private boolean[] right = new boolean[64]; // [node] the path down to it is the text

    /// @param inner owned by this drafter from now on
    /// @param acceptance probability from 0 to 1
    /// @param seed of the choices
    /// @throws IllegalArgumentException if the acceptance is no probability
    public SyntheticAcceptance(Drafter inner, double acceptance, long seed) {
        if (!(acceptance >= 0 && acceptance <= 1)) {
            throw new IllegalArgumentException("acceptance " + acceptance + ": expected 0 to 1");
        }
        this.inner = inner;
        this.acceptance = acceptance;
        random = new SplittableRandom(seed);
    }

    /// Says what follows the next prompt; called before it begins.
    ///
    /// @param tokens of plain decoding, not copied
    public void expect(int[] tokens) {
        answer = tokens;
    }

    @Override
    public Requirements requirements() {
        return inner.requirements();
    }

    @Override
    public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
        promptLength = prompt.length();
        inner.begin(target, prompt, sampling);
    }

    @Override
    public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
        inner.draft(text, tree, maxNodes);
        int size = tree.size();
        if (parents.length < size) {
            parents = new int[tree.capacity()];
            right = new boolean[tree.capacity()];
        }
        for (int node = 0; node < size; node++) {
            parents[node] = tree.parent(node);
        }
        tree.begin(text.last());
        right[0] = true;
        for (int node = 1; node < size; node++) {
            int parent = parents[node];
            int position = text.length() - promptLength + tree.depth(parent);
            boolean first = !tree.hasChild(parent);
            right[node] = right[parent] && first && position < answer.length && tree.allows(answer[position])
                    && random.nextDouble() < acceptance;
            tree.add(parent, right[node] ? answer[position] : wrongToken(tree, parent, position));
        }
    }

    /// A token that is neither the text's nor a sibling's.
    private int wrongToken(TokenTree tree, int parent, int position) {
        int token = 0;
        while (position < answer.length && token == answer[position] || tree.child(parent, token) >= 0) {
            token++;
        }
        return token;
    }

    @Override
    public void observe(TokenSequence text, Step step) {
        inner.observe(text, step);
    }

    @Override
    public void close() {
        inner.close();
    }
}
