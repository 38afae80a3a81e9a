package org.gatun.speculative.retrieval;

import org.gatun.decoding.TokenSequence;

/// Finds where the end of a text occurred before.
interface Retriever {

    /// Starts on a text, which will grow.
    void begin(TokenSequence text);

    /// Puts into `found` the places where a longer end of the text occurred than was found so far, if there are any.
    void find(TokenSequence text, Continuations found);
}
