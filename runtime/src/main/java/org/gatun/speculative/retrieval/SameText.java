package org.gatun.speculative.retrieval;

import org.gatun.decoding.TokenSequence;

/// Finds where the end of a text occurred earlier in the same text, by reading it backwards.
final class SameText implements Retriever {
    /// Places that are looked at, the latest ones.
    private static final int MAX_PLACES = 256;

    private final int[] places = new int[MAX_PLACES];

    @Override
    public void begin(TokenSequence text) {
        // the text is all it needs
    }

    @Override
    public void find(TokenSequence text, Continuations found) {
        int best = Math.max(found.match(), SuffixArray.SHORTEST_MATCH - 1);
        int count = 0;
        for (int end = text.length() - 1; end >= best; end--) {
            int match = commonSuffix(text, end, SuffixArray.LONGEST_MATCH);
            if (match > best) {
                best = match;
                count = 0;
                places[count++] = end;
            } else if (match == best && count > 0 && count < MAX_PLACES) {
                places[count++] = end;
            }
        }
        if (count > 0) {
            SuffixArray.sort(text.array(), text.length(), places, 0, count, Continuations.LENGTH);
            found.set(text.array(), text.length(), places, 0, count, 0, best);
        }
    }

    /// How many tokens, up to `max`, before `end` equal those at the end of the text.
    static int commonSuffix(TokenSequence text, int end, int max) {
        int match = 0;
        while (match < max && match < end && text.token(end - 1 - match) == text.token(text.length() - 1 - match)) {
            match++;
        }
        return match;
    }
}
