package org.gatun.tokenizer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gatun.format.FormatException;
import tools.jackson.databind.JsonNode;

/// The merges of a `tokenizer.json`, in order of rank: each `left right`, with a blank between. Newer files have pairs,
/// whose sides may have blanks themselves.
///
/// @param blanks where in each text the blank between the sides is
/// @param plain whether no side has a blank itself
record MergeList(List<String> texts, int[] blanks, boolean plain) {

    static MergeList read(JsonPart model) throws FormatException {
        JsonNode list = model.array("merges");
        List<String> texts = new ArrayList<>(list.size());
        int[] blanks = new int[list.size()];
        boolean plain = true;
        for (JsonNode merge : list) {
            boolean pair = merge.size() == 2 && merge.path(0).isString() && merge.path(1).isString();
            String text = pair ? merge.path(0).stringValue().concat(" ").concat(merge.path(1).stringValue())
                    : merge.isString() ? merge.stringValue() : "";
            if (!pair && text.startsWith("#version")) {
                continue;
            }
            int blank = pair ? merge.path(0).stringValue().length() : text.indexOf(' ');
            boolean other = pair ? text.indexOf(' ') < blank || text.lastIndexOf(' ') > blank : text.indexOf(' ', blank + 1) > 0;
            if (blank <= 0 || blank == text.length() - 1 || !pair && other) {
                throw model.problem("merges", merge, "a pair of tokens");
            }
            plain &= !other;
            blanks[texts.size()] = blank;
            texts.add(text);
        }
        return new MergeList(texts, Arrays.copyOf(blanks, texts.size()), plain);
    }

    /// Merges by pair of tokens; of a pair that is listed twice the last counts.
    ///
    /// @param prefix what the right side of a merge loses when it joins
    /// @return key: left token << 32 | right token; value: rank << 32 | the token of both
    /// @throws FormatException if a side or a result is no token of the model
    LongTable table(JsonPart model, Vocabulary vocabulary, String prefix) throws FormatException {
        LongTable table = new LongTable(texts.size());
        for (int rank = texts.size() - 1; rank >= 0; rank--) {
            String text = texts.get(rank);
            int blank = blanks[rank];
            int left = vocabulary.id(text, 0, blank, blank);
            int right = vocabulary.id(text, blank + 1, text.length(), blank);
            int both = prefix.isEmpty() ? vocabulary.id(text, 0, text.length(), blank)
                    : vocabulary.id(text.substring(0, blank) + text.substring(Math.min(text.length(), blank + 1 + prefix.length())));
            if (left < 0 || right < 0 || both < 0) {
                throw model.problem(model.name("merges") + "[" + rank + "] is '" + text + "': expected tokens on both sides that are a token joined");
            }
            // Text never becomes a control token.
            if (vocabulary.kind(both) != Vocabulary.Kind.CONTROL) {
                table.putIfAbsent((long) left << 32 | right, (long) rank << 32 | both);
            }
        }
        return table;
    }
}
