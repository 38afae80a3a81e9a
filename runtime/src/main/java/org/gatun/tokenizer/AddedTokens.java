package org.gatun.tokenizer;

import java.util.BitSet;
import java.util.List;

/// Finds tokens written out in a text; where several begin at one place, the longest counts. What lies between is left
/// to others. Immutable.
final class AddedTokens {

    /// A token that counts wherever it is written.
    ///
    /// @param text how it is written, not empty
    /// @param word counts only where no character of a word stands beside it
    /// @param stripLeft takes white space before it along
    /// @param stripRight takes white space after it along
    /// @param control counts only where special tokens are read
    record Token(int id, String text, boolean word, boolean stripLeft, boolean stripRight, boolean control) {}

    /// Takes what a text consists of, from left to right.
    interface Parts {
        /// What lies between tokens, from `from` to before `to`.
        void text(int from, int to);

        void token(int id);
    }

    private final List<Token> tokens;
    /// What tokens begin with: one character, or a hash of two; so that texts are searched fast.
    private final BitSet single = new BitSet();
    private final BitSet pairs = new BitSet();
    private final Trie all = new Trie(256);
    private final Trie plain = new Trie(256);

    /// @param tokens none longer than [Trie#LONGEST]; the first of those written alike counts
    AddedTokens(List<Token> tokens) {
        this.tokens = List.copyOf(tokens);
        for (int i = 0; i < this.tokens.size(); i++) {
            Token token = this.tokens.get(i);
            if (token.text.length() == 1) {
                single.set(token.text.charAt(0));
            } else {
                pairs.set(pair(token.text, 0));
            }
            all.add(token.text, i);
            if (!token.control) {
                plain.add(token.text, i);
            }
        }
    }

    private static int pair(String text, int at) {
        return text.charAt(at) * 31 + text.charAt(at + 1) & 0xFFFF;
    }

    private boolean mayBegin(String text, int at) {
        return at + 1 < text.length() && pairs.get(pair(text, at)) || single.get(text.charAt(at));
    }

    /// @param control whether control tokens are read
    void split(String text, boolean control, Parts parts) {
        if (tokens.isEmpty()) {
            if (!text.isEmpty()) {
                parts.text(0, text.length());
            }
            return;
        }
        int done = 0;
        int spaces = 0; // how far white space was seen to go; tokens of white space would look again and again
        for (int at = 0; at < text.length();) {
            int found = mayBegin(text, at) ? longest(control ? all : plain, text, at) : Trie.NONE;
            if (found < 0) {
                at++;
                continue;
            }
            Token token = tokens.get(found);
            int from = at;
            int to = at + token.text.length();
            at = to;
            if (token.word && (from > 0 && UnicodeClasses.isWord(text.codePointBefore(from))
                    || to < text.length() && UnicodeClasses.isWord(text.codePointAt(to)))) {
                continue;
            }
            while (token.stripLeft && from > done && UnicodeClasses.isWhiteSpace(text.charAt(from - 1))) {
                from--;
            }
            if (token.stripRight) {
                to = Math.max(to, spaces);
                while (to < text.length() && UnicodeClasses.isWhiteSpace(text.charAt(to))) {
                    to++;
                }
                spaces = to;
            }
            if (done < from) {
                parts.text(done, from);
            }
            parts.token(token.id);
            done = to;
        }
        if (done < text.length()) {
            parts.text(done, text.length());
        }
    }

    private static int longest(Trie trie, String text, int at) {
        int found = Trie.NONE;
        int node = trie.step(Trie.ROOT, text.charAt(at));
        for (int next = at + 1; node != Trie.NONE; next++) {
            int id = trie.id(node);
            found = id >= 0 ? id : found;
            node = next < text.length() ? trie.step(node, text.charAt(next)) : Trie.NONE;
        }
        return found;
    }
}
