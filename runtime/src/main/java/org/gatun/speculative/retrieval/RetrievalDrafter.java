package org.gatun.speculative.retrieval;

import java.util.List;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.Model;
import org.gatun.model.SequenceState;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// Proposes what followed wherever the longest end of the text occurred before, in a corpus or in texts decoded earlier, the most
/// frequent continuations first. (REST, He et al. 2023, arXiv 2311.08252.)
///
/// It adds to a tree that has nodes already, too: then what it finds continues these (see [Continuations#grow]).
public final class RetrievalDrafter implements Drafter {
    private final List<Retriever> retrievers;
    private final int max;
    private final Continuations found = new Continuations();

    /// @param retrievers of which the longest match counts, the first of those equally long
    /// @param max tokens to propose at most
    RetrievalDrafter(List<Retriever> retrievers, int max) {
        this.retrievers = List.copyOf(retrievers);
        this.max = max;
    }

    /// Searches a corpus, or, where no file is named, the text itself and the texts before it.
    ///
    /// @param corpus name of a UTF-8 text file, or empty
    /// @param target with whose tokenizer it is read
    /// @param max tokens to propose at most
    /// @throws IllegalArgumentException if the file cannot be used
    public static RetrievalDrafter of(String corpus, Model target, int max) {
        return new RetrievalDrafter(corpus.isEmpty() ? List.of(new SameText(), new EarlierTexts())
                : List.of(Corpus.read(corpus, target)), max);
    }

    /// Searches the text itself, and a corpus where one is named.
    ///
    /// @param corpus name of a UTF-8 text file, or empty
    /// @param target with whose tokenizer it is read
    /// @param max tokens to propose at most
    /// @throws IllegalArgumentException if the file cannot be used
    public static RetrievalDrafter ofTextAnd(String corpus, Model target, int max) {
        return new RetrievalDrafter(List.of(new SameText(), Corpus.read(corpus, target)), max);
    }

    @Override
    public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
        retrievers.forEach(retriever -> retriever.begin(prompt));
    }

    @Override
    public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
        found.clear();
        for (Retriever retriever : retrievers) {
            retriever.find(text, found);
        }
        found.grow(tree, Math.min(maxNodes, tree.size() + max));
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
