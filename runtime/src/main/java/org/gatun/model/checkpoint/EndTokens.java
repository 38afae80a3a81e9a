package org.gatun.model.checkpoint;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.gatun.tokenizer.TextStream;
import org.gatun.tokenizer.Tokenizer;
import tools.jackson.databind.JsonNode;

/// A tokenizer with more tokens that end a text: those that files beside it name.
///
/// @param inner the tokenizer
/// @param ends ids that end a text, beside those that it knows
record EndTokens(Tokenizer inner, Set<Integer> ends) implements Tokenizer {
    private static final String KEY = "eos_token_id";

    /// The tokenizer with more ends, if there are any.
    static Tokenizer added(Tokenizer tokenizer, List<Integer> ends) {
        return ends.isEmpty() ? tokenizer : new EndTokens(tokenizer, Set.copyOf(ends));
    }

    /// The ids under `eos_token_id`, a number or a list; one that is no token's is said and left out.
    static List<Integer> read(JsonKeys keys, int vocabulary) {
        List<Integer> ids = new ArrayList<>();
        Optional<JsonNode> value = keys.find(KEY);
        List<JsonNode> listed = value.isEmpty() ? List.of()
                : value.get().isArray() ? value.get().valueStream().toList() : List.of(value.get());
        for (JsonNode node : listed) {
            double id = node.isNumber() ? node.doubleValue() : Double.NaN;
            if (id == (int) id && id >= 0 && id < vocabulary) {
                ids.add((int) id);
            } else {
                keys.warn(KEY, "is " + node + ", which is none of the " + vocabulary + " tokens: it is passed over");
            }
        }
        return ids;
    }

    @Override
    public int vocabularySize() {
        return inner.vocabularySize();
    }

    @Override
    public int[] encode(String text, Special special) {
        return inner.encode(text, special);
    }

    @Override
    public byte[] bytes(int token) {
        return inner.bytes(token);
    }

    @Override
    public String piece(int token) {
        return inner.piece(token);
    }

    @Override
    public boolean isUnused(int token) {
        return inner.isUnused(token);
    }

    @Override
    public OptionalInt beginOfText() {
        return inner.beginOfText();
    }

    @Override
    public boolean isEndOfText(int token) {
        return ends.contains(token) || inner.isEndOfText(token);
    }

    @Override
    public TextStream stream() {
        return inner.stream();
    }
}
