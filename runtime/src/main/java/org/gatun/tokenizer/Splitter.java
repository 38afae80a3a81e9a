package org.gatun.tokenizer;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntPredicate;
import org.gatun.format.FormatException;

/// A pre-tokenizer of `tokenizer.json`: cuts a piece of text into words, and may rewrite it. No splitter sees beyond its
/// piece. Immutable.
sealed interface Splitter {
    /// Leaves the piece whole.
    Splitter NONE = new Sequence(List.of());
    /// Takes words one at a time, none of them empty.
    interface Words {
        /// @param first whether the word begins where the whole text begins
        void accept(String word, boolean first);
    }

    /// @param text not empty
    /// @param first whether the piece begins where the whole text begins
    void split(String text, boolean first, Words words);

    /// @throws FormatException if a part is damaged; what is not supported is refused, see [JsonPart]
    static Splitter read(JsonPart part) throws FormatException {
        Splitter read = switch (part.type()) {
            case "BertPreTokenizer" -> new Bert();
            case "WhitespaceSplit" -> new Characters(UnicodeClasses::isWhiteSpace, SplitBehavior.REMOVED);
            case "Whitespace" -> new Whitespace();
            case "Punctuation" -> new Characters(UnicodeClasses::isPunctuation, behavior(part, "Isolated"));
            case "Digits" -> new Digits(part.flag("individual_digits", false));
            case "CharDelimiterSplit" -> {
                int delimiter = part.character("delimiter");
                yield new Characters(c -> c == delimiter, SplitBehavior.REMOVED);
            }
            case "Split" -> new Split(Normalizer.pattern(part), behavior(part, ""), part.flag("invert", false));
            case "ByteLevel" -> {
                part.ignore("trim_offsets", "places in the text are not reported");
                yield new ByteLevel(part.flag("add_prefix_space", true), part.flag("use_regex", true));
            }
            case "Metaspace" -> metaspace(part);
            case "UnicodeScripts" -> new Scripts();
            case "FixedLength" -> new FixedLength(part.integer("length", 5, 1));
            case "Sequence" -> {
                List<Splitter> parts = new ArrayList<>();
                for (JsonPart element : part.sequence("pretokenizers")) {
                    parts.add(read(element));
                }
                yield new Sequence(parts);
            }
            default -> {
                part.refuse("type", "unknown pre_tokenizer");
                yield NONE;
            }
        };
        part.end();
        return read;
    }

    private static SplitBehavior behavior(JsonPart part, String usual) throws FormatException {
        return switch (part.text("behavior").orElse(usual)) {
            case "Removed" -> SplitBehavior.REMOVED;
            case "Isolated" -> SplitBehavior.ISOLATED;
            case "MergedWithPrevious" -> SplitBehavior.MERGED_WITH_PREVIOUS;
            case "MergedWithNext" -> SplitBehavior.MERGED_WITH_NEXT;
            case "Contiguous" -> SplitBehavior.CONTIGUOUS;
            default -> {
                part.refuse("behavior", "is " + part.node("behavior")
                        + ": expected Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
                yield SplitBehavior.ISOLATED;
            }
        };
    }

    private static Metaspace metaspace(JsonPart part) throws FormatException {
        Metaspace.Scheme scheme = Metaspace.scheme(part);
        part.ignore("str_rep", "repeats replacement");
        return new Metaspace(Character.toString(part.character("replacement")), scheme, part.flag("split", true));
    }

    /// BERT's: no white space, and each punctuation mark for itself.
    record Bert() implements Splitter {
        @Override
        public void split(String text, boolean first, Words words) {
            int from = -1;
            for (int at = 0, c; at < text.length(); at += Character.charCount(c)) {
                c = text.codePointAt(at);
                boolean punctuation = UnicodeClasses.isPunctuation(c);
                boolean ends = punctuation || UnicodeClasses.isWhiteSpace(c);
                if (ends && from >= 0) {
                    words.accept(text.substring(from, at), first && from == 0);
                }
                if (punctuation) {
                    words.accept(text.substring(at, at + Character.charCount(c)), first && at == 0);
                }
                from = ends ? -1 : from < 0 ? at : from;
            }
            if (from >= 0) {
                words.accept(text.substring(from), first && from == 0);
            }
        }
    }

    /// Splits at characters of a class, each a delimiter of its own.
    record Characters(IntPredicate delimiters, SplitBehavior behavior) implements Splitter {
        @Override
        public void split(String text, boolean first, Words words) {
            SplitBehavior.Cuts cuts = new SplitBehavior.Cuts();
            for (int at = 0, c; at < text.length(); at += Character.charCount(c)) {
                c = text.codePointAt(at);
                if (delimiters.test(c)) {
                    cuts.addDelimiter(at, at + Character.charCount(c));
                }
            }
            cuts.finish(text.length());
            behavior.words(cuts, false, (from, to) -> words.accept(text.substring(from, to), first && from == 0));
        }
    }

    /// Digits, each for itself or those side by side, are words of their own.
    record Digits(boolean each) implements Splitter {
        @Override
        public void split(String text, boolean first, Words words) {
            new Characters(UnicodeClasses::isNumeric, each ? SplitBehavior.ISOLATED : SplitBehavior.CONTIGUOUS)
                    .split(text, first, words);
        }
    }

    /// Puts a space before a piece that does not begin with one, and splits nothing.
    record PrefixSpace() implements Splitter {
        @Override
        public void split(String text, boolean first, Words words) {
            words.accept(text.charAt(0) == ' ' ? text : " " + text, first);
        }
    }

    /// Splits at the matches of a pattern.
    record Split(TextPattern pattern, SplitBehavior behavior, boolean inverted) implements Splitter {
        @Override
        public void split(String text, boolean first, Words words) {
            SplitBehavior.Cuts cuts = new SplitBehavior.Cuts();
            pattern.find(text, cuts::addDelimiter);
            cuts.finish(text.length());
            behavior.words(cuts, inverted, (from, to) -> words.accept(text.substring(from, to), first && from == 0));
        }
    }

    /// Runs of characters of words, and runs of others, without white space.
    record Whitespace() implements Splitter {
        private static int kind(int c) {
            return UnicodeClasses.isWord(c) ? 1 : UnicodeClasses.isWhiteSpace(c) ? 0 : 2;
        }

        @Override
        public void split(String text, boolean first, Words words) {
            int from = 0;
            int last = -1;
            for (int at = 0, c; at <= text.length(); at += Character.charCount(c)) {
                c = at < text.length() ? text.codePointAt(at) : ' ';
                int kind = at < text.length() ? kind(c) : -1;
                if (kind != last) {
                    if (last > 0) {
                        words.accept(text.substring(from, at), first && from == 0);
                    }
                    from = at;
                    last = kind;
                }
            }
        }
    }

    /// Splits where the script changes. Kana counts as Han; spaces and characters without script go with what stands
    /// before them, and are dropped at the beginning.
    record Scripts() implements Splitter {
        private static Optional<Character.UnicodeScript> script(int c) {
            if (c == ' ') {
                return Optional.empty();
            }
            Character.UnicodeScript script = Character.UnicodeScript.of(c);
            if (script == Character.UnicodeScript.UNKNOWN) {
                return Optional.empty();
            }
            return Optional.of(c == 0x30FC || script == Character.UnicodeScript.HIRAGANA
                    || script == Character.UnicodeScript.KATAKANA ? Character.UnicodeScript.HAN : script);
        }

        @Override
        public void split(String text, boolean first, Words words) {
            Optional<Character.UnicodeScript> last = Optional.empty();
            int from = -1;
            for (int at = 0, c; at < text.length(); at += Character.charCount(c)) {
                c = text.codePointAt(at);
                Optional<Character.UnicodeScript> script = script(c);
                if (script.isPresent() && !script.equals(last)) {
                    if (from >= 0) {
                        words.accept(text.substring(from, at), first && from == 0);
                    }
                    from = at;
                    last = script;
                }
            }
            if (from >= 0) {
                words.accept(text.substring(from), first && from == 0);
            }
        }
    }

    /// Words of so many characters each, the last of what is left.
    record FixedLength(int length) implements Splitter {
        @Override
        public void split(String text, boolean first, Words words) {
            int from = 0;
            int count = 0;
            for (int at = 0; at < text.length();) {
                at += Character.charCount(text.codePointAt(at));
                if (++count == length || at == text.length()) {
                    words.accept(text.substring(from, at), first && from == 0);
                    from = at;
                    count = 0;
                }
            }
        }
    }

    /// Words in the [ByteAlphabet].
    ///
    /// @param prefixSpace put a space before a piece that does not begin with one
    /// @param words cut by the pattern of GPT-2 first
    record ByteLevel(boolean prefixSpace, boolean words) implements Splitter {
        private static final TextPattern GPT2 = TextPattern.regex(PreTokenizer.GPT2);

        @Override
        public void split(String text, boolean first, Words words) {
            String piece = prefixSpace && text.charAt(0) != ' ' ? " " + text : text;
            if (this.words) {
                new Split(GPT2, SplitBehavior.ISOLATED, false).split(piece, first,
                        (word, atFirst) -> words.accept(ByteAlphabet.spell(word), atFirst));
            } else {
                words.accept(ByteAlphabet.spell(piece), first);
            }
        }
    }

    /// Writes another character for spaces, and splits before it.
    ///
    /// @param split whether to split
    record Metaspace(String replacement, Scheme scheme, boolean split) implements Splitter {

        /// Which pieces get a space in front, unless they have one.
        enum Scheme {
            ALWAYS,
            /// That at the beginning of the text.
            FIRST,
            NEVER
        }

        /// Early files have `add_prefix_space` instead of a scheme.
        static Scheme scheme(JsonPart part) throws FormatException {
            boolean prefix = part.flag("add_prefix_space", true);
            Optional<String> scheme = part.text("prepend_scheme");
            if (!prefix && scheme.isPresent() && !scheme.get().equals("never")) {
                part.refuse("add_prefix_space", "is false, with prepend_scheme " + scheme.get() + ": expected never");
            }
            return switch (scheme.orElse(prefix ? "always" : "never")) {
                case "always" -> Scheme.ALWAYS;
                case "first" -> Scheme.FIRST;
                case "never" -> Scheme.NEVER;
                default -> {
                    part.refuse("prepend_scheme", "is " + scheme.get() + ": expected always, first or never");
                    yield Scheme.NEVER;
                }
            };
        }

        @Override
        public void split(String text, boolean first, Words words) {
            String marked = text.replace(" ", replacement);
            boolean prefix = switch (scheme) {
                case ALWAYS -> true;
                case FIRST -> first;
                case NEVER -> false;
            };
            if (prefix && !marked.startsWith(replacement)) {
                marked = replacement + marked;
            }
            int from = 0;
            while (split && from < marked.length()) {
                int next = marked.indexOf(replacement, from + replacement.length());
                if (!marked.startsWith(replacement, from)) {
                    next = marked.indexOf(replacement, from);
                }
                if (next < 0) {
                    break;
                }
                words.accept(marked.substring(from, next), first && from == 0);
                from = next;
            }
            words.accept(marked.substring(from), first && from == 0);
        }
    }

    /// One after the other, each on the pieces that the one before made.
    record Sequence(List<Splitter> parts) implements Splitter {
        public Sequence {
            parts = List.copyOf(parts);
        }

        @Override
        public void split(String text, boolean first, Words words) {
            split(0, text, first, words);
        }

        private void split(int part, String text, boolean first, Words words) {
            if (part == parts.size()) {
                words.accept(text, first);
            } else {
                parts.get(part).split(text, first, (word, atFirst) -> split(part + 1, word, atFirst, words));
            }
        }
    }
}
