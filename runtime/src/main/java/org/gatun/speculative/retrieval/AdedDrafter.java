package org.gatun.speculative.retrieval;

import org.gatun.decoding.TokenSequence;
import org.gatun.model.Model;
import org.gatun.model.SequenceState;
import org.gatun.sampling.CounterRandom;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// Stands a table of trigrams in for the target, searches it for likely continuations, and lets the table drift towards the text that
/// comes out. (ADED: adaptive draft-verification, Liu et al. 2024, arXiv 2407.12021. What is rewarded in the search is the
/// weight of the token reached.)
///
/// What was learnt stays from text to text.
public final class AdedDrafter implements Drafter {
    /// Tokens of the end of the text that are learnt in every step, so that what is recent weighs more.
    private static final int WINDOW = 16;
    /// Most nodes that the search decides on; what is left of the rows goes to a token more after each of them.
    private static final int MAX_SEARCHED = 25;

    private final TrigramTable table;
    private final TrigramSearch search = new TrigramSearch();
    private final int vocabulary;
    private final int rows;
    private CounterRandom random;

    /// @param corpus name of a UTF-8 text file that the table starts from, or empty
    /// @param target with whose tokenizer it is read
    /// @param rows most rows of a pass, the root included
    /// @throws IllegalArgumentException if the file cannot be used
    public AdedDrafter(String corpus, Model target, int rows) {
        this(Corpus.read(corpus, target), target.unpaddedVocabulary(), rows);
    }

    AdedDrafter(SuffixArray corpus, int vocabulary, int rows) {
        this.vocabulary = vocabulary;
        this.rows = rows;
        table = new TrigramTable(corpus);
    }

    @Override
    public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
        random = new CounterRandom(sampling.seed(), sampling.stream());
        table.adapt(prompt, 0, vocabulary);
    }

    @Override
    public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
        if (text.length() < 2) {
            return;
        }
        table.adapt(text, text.length() - WINDOW, vocabulary);
        search.run(text, table, random);
        int limit = Math.min(rows, maxNodes);
        search.propose(tree, Math.min(MAX_SEARCHED, limit - limit / 4));
        int searched = tree.size();
        for (int node = 1; node < searched && tree.size() < limit; node++) {
            Successors successors = table.after(tree.token(tree.parent(node)), tree.token(node));
            if (successors != null) {
                tree.add(node, successors.token(0));
            }
        }
    }

    @Override
    public void observe(TokenSequence text, Step step) {
        // the text is all it needs
    }

    @Override
    public void close() {
        // holds nothing
    }
}
