package org.gatun.speculative.retrieval;

import java.util.Arrays;
import org.gatun.decoding.TokenSequence;

/// Finds where the end of a text occurred in the texts before it. A text is added when the next one begins; the order of positions is
/// made anew when an eighth has come, so that the work per token does not grow.
final class EarlierTexts implements Retriever {
    /// Where more would be kept, the older half is forgotten.
    private static final int MAX_TOKENS = 1 << 20;

    private int[] tokens = new int[0];
    private SuffixArray ordered = new SuffixArray(tokens);
    private int orderedLength;
    private TokenSequence current;

    @Override
    public void begin(TokenSequence text) {
        if (current != null) {
            add(current);
        }
        current = text;
    }

    private void add(TokenSequence text) {
        int kept = tokens.length + text.length() < MAX_TOKENS ? tokens.length : tokens.length / 2;
        int[] grown = new int[kept + text.length() + 1];
        System.arraycopy(tokens, tokens.length - kept, grown, 0, kept);
        System.arraycopy(text.array(), 0, grown, kept, text.length());
        grown[grown.length - 1] = -1;
        tokens = grown;
        if (grown.length < orderedLength || grown.length - orderedLength > orderedLength / 8) {
            orderedLength = grown.length;
            ordered = new SuffixArray(Arrays.copyOf(grown, orderedLength));
        }
    }

    @Override
    public void find(TokenSequence text, Continuations found) {
        ordered.find(text, found);
    }
}
