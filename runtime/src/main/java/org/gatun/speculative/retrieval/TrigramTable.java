package org.gatun.speculative.retrieval;

import org.gatun.decoding.TokenSequence;

/// What tends to follow two tokens: at first what a corpus says, if there is one, then drifting towards the text that is decoded.
final class TrigramTable {
    private static final int KEPT = 12;
    private static final int MAX_PAIRS = 1 << 17;
    private static final float STEP = 0.04f;
    private static final float CAP = 3;

    private final SuffixArray corpus;
    private final RecentMap<Successors> pairs = new RecentMap<>(MAX_PAIRS);

    /// @param corpus asked once for each pair of tokens that comes up
    TrigramTable(SuffixArray corpus) {
        this.corpus = corpus;
    }

    /// What follows two tokens, null if that is not known.
    Successors after(int first, int second) {
        long pair = (long) first << 32 | second;
        Successors known = pairs.get(pair);
        if (known == null) {
            known = corpus.after(first, second, KEPT);
            if (known != null) {
                pairs.put(pair, known);
            }
        }
        return known;
    }

    /// Gives every three tokens in a row of a text more weight, from a position on, unless the third is padding.
    ///
    /// @param vocabulary where padding begins
    void adapt(TokenSequence text, int from, int vocabulary) {
        for (int i = Math.max(from, 0); i + 2 < text.length(); i++) {
            if (text.token(i + 2) >= vocabulary) {
                continue;
            }
            Successors known = after(text.token(i), text.token(i + 1));
            if (known == null) {
                known = new Successors(KEPT);
                pairs.put((long) text.token(i) << 32 | text.token(i + 1), known);
            }
            known.add(text.token(i + 2), STEP, CAP);
        }
    }
}
