package org.gatun.speculative.retrieval;

import org.gatun.decoding.TokenSequence;
import org.gatun.model.SequenceState;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.DraftLength;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// Proposes what followed the last few tokens when they occurred before in the text: free, and good wherever a text repeats
/// itself or its prompt. (Prompt lookup decoding, Saxena 2023.)
///
/// The longest suffix of up to `suffix` tokens that occurred earlier is taken at its latest occurrence; how much of what
/// followed is proposed adapts to what was accepted.
public final class LookupDrafter implements Drafter {
    private static final int FIRST_LENGTH = 4;

    private final int suffix;
    private final DraftLength length;
    private int drafts; // tokens of the latest proposal

    /// @param suffix most tokens of the text's end to look for
    /// @param max tokens to propose at most
    public LookupDrafter(int suffix, int max) {
        this.suffix = suffix;
        length = new DraftLength(FIRST_LENGTH, max);
    }

    @Override
    public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
        // the text is all it needs
    }

    @Override
    public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
        drafts = 0;
        int bestEnd = 0;
        int bestMatch = 0;
        for (int end = text.length() - 1; end > 0 && bestMatch < suffix; end--) {
            int match = SameText.commonSuffix(text, end, suffix);
            if (match > bestMatch) {
                bestMatch = match;
                bestEnd = end;
            }
        }
        if (bestMatch == 0) {
            return;
        }
        int max = Math.min(length.next(), Math.min(maxNodes - tree.size(), text.length() - bestEnd));
        int node = 0;
        while (drafts < max && tree.allows(text.token(bestEnd + drafts))) {
            node = tree.add(node, text.token(bestEnd + drafts++));
        }
    }

    @Override
    public void observe(TokenSequence text, Step step) {
        length.observe(drafts, step.accepted(drafts + 1));
    }

    @Override
    public void close() {
        // holds nothing
    }
}
