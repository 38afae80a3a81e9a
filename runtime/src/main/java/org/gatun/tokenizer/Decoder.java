package org.gatun.tokenizer;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.gatun.format.FormatException;

/// The decoder of `tokenizer.json`, as stages that tokens run through one at a time. Immutable; [#open] makes what a
/// stream of tokens needs.
///
/// The library decodes a whole text at once. A stage gives what it can as soon as later tokens cannot change it, with
/// one exception: of a run of byte tokens the library replaces every byte by U+FFFD if any is malformed; here characters
/// that were finished before are out already.
final class Decoder {
    /* After ByteLevel and Fuse the text is one single token, for the stages that follow ("fused"). What those stages
     * would have to see whole is refused: patterns, and what WordPiece cleans up. */

    /// Takes tokens, and hands on what becomes of them.
    interface Stage {
        /// @param literal the token of an added token, which is written as it is
        void accept(String token, boolean literal);

        /// Hands on what was held back.
        void finish();
    }

    /// Makes a stage in front of another.
    private interface Link {
        Stage open(Stage next);
    }

    private final List<Link> links = new ArrayList<>();
    private boolean fused;
    /// Stages hand on parts of tokens.
    private boolean parted;
    private boolean bytes;
    private boolean heldSuffix;

    private Decoder() {}

    /// A decoder for files without one: tokens with blanks between, as the library has it.
    static Decoder blanks() {
        Decoder decoder = new Decoder();
        decoder.links.add(next -> new Indexed(next, (token, index) -> index == 0 ? token : " " + token));
        return decoder;
    }

    /// @throws FormatException if a part is damaged; what is not supported is refused, see [JsonPart]
    static Decoder read(JsonPart part) throws FormatException {
        Decoder decoder = new Decoder();
        decoder.add(part);
        return decoder;
    }

    private void add(JsonPart part) throws FormatException {
        switch (part.type()) {
            case "Sequence" -> {
                for (JsonPart element : part.sequence("decoders")) {
                    add(element);
                }
            }
            case "ByteLevel" -> {
                part.ignore("add_prefix_space", "decoding does not depend on it");
                part.ignore("trim_offsets", "places in the text are not reported");
                part.ignore("use_regex", "decoding does not depend on it");
                links.add(Bytes::ofAlphabet);
                fused = true;
                bytes = true;
            }
            case "ByteFallback" -> {
                if (!fused) {
                    links.add(Bytes::ofByteTokens);
                    parted = true;
                }
            }
            case "Fuse" -> {
                fused = true;
                parted = false;
            }
            case "Strip" -> {
                requireTokens(part, parted, "after ByteFallback or BPEDecoder");
                int content = part.character("content");
                int start = part.integer("start", 0, 0);
                int stop = part.integer("stop", 0, 0);
                boolean whole = fused;
                links.add(next -> whole ? new StripWhole(next, content, start, stop)
                        : new Indexed(next, (token, _) -> strip(token, content, start, stop)));
            }
            case "Replace" -> {
                TextPattern pattern = Normalizer.pattern(part);
                String content = part.requiredText("content");
                Optional<String> literal = pattern.literal();
                requireTokens(part, fused && literal.isEmpty(), "with a pattern, after Fuse or ByteLevel");
                boolean whole = fused;
                links.add(next -> whole && literal.isPresent() ? new ReplaceWhole(next, literal.get(), content)
                        : new Indexed(next, (token, _) -> pattern.replace(token, content)));
            }
            case "Metaspace" -> {
                Splitter.Metaspace.Scheme scheme = Splitter.Metaspace.scheme(part);
                part.ignore("split", "decoding does not depend on it");
                part.ignore("str_rep", "repeats replacement");
                String replacement = Character.toString(part.character("replacement"));
                boolean drops = scheme != Splitter.Metaspace.Scheme.NEVER;
                boolean whole = fused;
                links.add(next -> new Indexed(next, (token, index) ->
                        token.replace(replacement, drops && (whole || index == 0) ? "" : " ")));
            }
            case "WordPiece" -> {
                requireTokens(part, fused || parted, "after Fuse, ByteLevel, ByteFallback or BPEDecoder");
                String prefix = part.text("prefix").orElse("##");
                boolean cleanUp = part.flag("cleanup", true);
                links.add(next -> new Indexed(next, (token, index) -> {
                    String word = index == 0 ? token : token.startsWith(prefix) ? token.substring(prefix.length()) : " " + token;
                    return cleanUp ? cleanUp(word) : word;
                }));
            }
            case "BPEDecoder" -> {
                requireTokens(part, fused || parted, "after Fuse, ByteLevel, ByteFallback or BPEDecoder");
                String suffix = part.text("suffix").orElse("</w>");
                links.add(next -> new Suffix(next, suffix));
                heldSuffix = true;
                parted = true;
            }
            case "CTC" -> {
                part.node("pad_token");
                part.node("word_delimiter_token");
                part.node("cleanup");
                part.refuse("type", "joins what a speech model hears twice");
            }
            default -> part.refuse("type", "unknown decoder");
        }
        part.end();
    }

    private static void requireTokens(JsonPart part, boolean not, String where) {
        if (not) {
            part.refuse("type", where + " is not supported");
        }
    }

    /// Whether pieces are spelled in the [ByteAlphabet].
    boolean isByteLevel() {
        return bytes;
    }

    /// The first of new stages, the last of which writes to `text`.
    Stage open(StringBuilder text) {
        Stage stage = new Stage() {
            @Override
            public void accept(String token, boolean literal) {
                text.append(token);
            }

            @Override
            public void finish() {}
        };
        for (int i = links.size() - 1; i >= 0; i--) {
            stage = links.get(i).open(stage);
        }
        return stage;
    }

    /// What a token adds to a text, neither at its beginning nor at its end.
    String within(String token, boolean literal) {
        StringBuilder text = new StringBuilder();
        Stage stage = open(text);
        stage.accept("a", true);
        text.setLength(0);
        stage.accept(token, literal);
        if (heldSuffix) {
            stage.accept("", true);
        } else {
            stage.finish();
        }
        return text.toString();
    }

    private static String strip(String token, int content, int start, int stop) {
        int[] characters = token.codePoints().toArray();
        int from = 0;
        int to = characters.length;
        while (from < Math.min(start, characters.length) && characters[from] == content) {
            from++;
        }
        while (to > from && characters.length - to < stop && characters[to - 1] == content) {
            to--;
        }
        return new String(characters, from, to - from);
    }

    /// What the library takes away from English texts: the blanks that splitting at punctuation leaves.
    private static String cleanUp(String word) {
        if (!mayNeedCleaning(word)) {
            return word;
        }
        return word.replace(" .", ".").replace(" ?", "?").replace(" !", "!").replace(" ,", ",").replace(" ' ", "'")
                .replace(" n't", "n't").replace(" 'm", "'m").replace(" do not", " don't").replace(" 's", "'s")
                .replace(" 've", "'ve").replace(" 're", "'re");
    }

    /// Whether a blank is followed by what one of those begins with.
    private static boolean mayNeedCleaning(String word) {
        for (int blank = word.indexOf(' '); blank >= 0; blank = word.indexOf(' ', blank + 1)) {
            if (blank + 1 < word.length() && switch (word.charAt(blank + 1)) {
                case '.', '?', '!', ',', '\'' -> true;
                case 'n' -> word.startsWith("n't", blank + 1);
                case 'd' -> word.startsWith("do not", blank + 1);
                default -> false;
            }) {
                return true;
            }
        }
        return false;
    }

    /// Rewrites each token for itself, by its place.
    private static final class Indexed implements Stage {
        private interface Rule {
            String apply(String token, int index);
        }

        private final Stage next;
        private final Rule rule;
        private int index;

        Indexed(Stage next, Rule rule) {
            this.next = next;
            this.rule = rule;
        }

        @Override
        public void accept(String token, boolean literal) {
            next.accept(rule.apply(token, index), literal);
            index = Math.min(index + 1, 1);
        }

        @Override
        public void finish() {
            next.finish();
        }
    }

    /// Drops so many of a character at the beginning and at the end of the whole text.
    private static final class StripWhole implements Stage {
        private final Stage next;
        private final int content;
        private final int stop;
        private int leading;
        private int held;

        StripWhole(Stage next, int content, int start, int stop) {
            this.next = next;
            this.content = content;
            this.leading = start;
            this.stop = stop;
        }

        @Override
        public void accept(String token, boolean literal) {
            if (leading == 0 && held == 0 && stop == 0) {
                next.accept(token, literal);
                return;
            }
            StringBuilder text = new StringBuilder();
            token.codePoints().forEach(c -> {
                if (c == content && leading > 0) {
                    leading--;
                } else if (c == content && held < stop) {
                    held++;
                } else if (c == content) {
                    text.appendCodePoint(c);
                } else {
                    leading = 0;
                    text.repeat(content, held).appendCodePoint(c);
                    held = 0;
                }
            });
            next.accept(text.toString(), literal);
        }

        @Override
        public void finish() {
            next.finish();
        }
    }

    /// Replaces a text wherever it stands in the whole text.
    private static final class ReplaceWhole implements Stage {
        private final Stage next;
        private final String text;
        private final String content;
        private String held = "";

        ReplaceWhole(Stage next, String text, String content) {
            this.next = next;
            this.text = text;
            this.content = content;
        }

        @Override
        public void accept(String token, boolean literal) {
            String all = held + token;
            StringBuilder result = new StringBuilder();
            int from = 0;
            for (int found = all.indexOf(text); found >= 0 && !text.isEmpty(); found = all.indexOf(text, from)) {
                result.append(all, from, found).append(content);
                from = found + text.length();
            }
            int keep = Math.min(all.length() - from, Math.max(0, text.length() - 1));
            while (!text.startsWith(all.substring(all.length() - keep))) {
                keep--;
            }
            held = all.substring(all.length() - keep);
            next.accept(result.append(all, from, all.length() - keep).toString(), literal);
        }

        @Override
        public void finish() {
            next.accept(held, false);
            held = "";
            next.finish();
        }
    }

    /// Writes a blank for the suffix that ends words, and nothing for that of the last token.
    private static final class Suffix implements Stage {
        private final Stage next;
        private final String suffix;
        private String held = "";
        private boolean heldLiteral;

        Suffix(Stage next, String suffix) {
            this.next = next;
            this.suffix = suffix;
        }

        @Override
        public void accept(String token, boolean literal) {
            String before = suffix.isEmpty() ? held : held.replace(suffix, " ");
            int from = suffix.isEmpty() ? token.length() : token.indexOf(suffix);
            from = from < 0 ? token.length() : from;
            held = token.substring(from);
            if (!before.isEmpty()) {
                next.accept(before, heldLiteral);
            }
            heldLiteral = literal;
            next.accept(token.substring(0, from), literal);
        }

        @Override
        public void finish() {
            String rest = suffix.isEmpty() ? held : held.replace(suffix, "");
            if (!rest.isEmpty()) {
                next.accept(rest, heldLiteral);
            }
            held = "";
            next.finish();
        }
    }

    /// Joins bytes to characters.
    private static final class Bytes implements Stage {
        private final Stage next;
        /// Tokens are spelled in the alphabet of bytes; or else those that are written as byte tokens are bytes.
        private final boolean alphabet;
        private final CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT);
        private byte[] unfinished = {};

        private Bytes(Stage next, boolean alphabet) {
            this.next = next;
            this.alphabet = alphabet;
        }

        static Bytes ofAlphabet(Stage next) {
            return new Bytes(next, true);
        }

        static Bytes ofByteTokens(Stage next) {
            return new Bytes(next, false);
        }

        @Override
        public void accept(String token, boolean literal) {
            if (alphabet) {
                append(literal || !ByteAlphabet.spells(token) ? token.getBytes(StandardCharsets.UTF_8)
                        : ByteAlphabet.bytes(token));
            } else if (Vocabulary.isBytePiece(token)) {
                append(new byte[] {(byte) Integer.parseInt(token, 3, 5, 16)});
            } else {
                end();
                next.accept(token, literal);
            }
        }

        private void append(byte[] bytes) {
            if (unfinished.length == 0 && Utf8Stream.isAscii(bytes)) {
                if (bytes.length > 0) {
                    next.accept(new String(bytes, StandardCharsets.ISO_8859_1), false);
                }
                return;
            }
            ByteBuffer input = ByteBuffer.allocate(unfinished.length + bytes.length).put(unfinished).put(bytes).flip();
            String text = decode(input, false);
            unfinished = new byte[input.remaining()];
            input.get(unfinished);
            if (!text.isEmpty()) {
                next.accept(text, false);
            }
        }

        /// Gives an unfinished character up.
        private void end() {
            if (unfinished.length > 0) {
                String text = decode(ByteBuffer.wrap(unfinished), true);
                unfinished = new byte[0];
                next.accept(text, false);
            }
        }

        @Override
        public void finish() {
            end();
            next.finish();
        }

        /// U+FFFD stands for what is malformed: for each byte of it if the bytes were tokens of their own.
        private String decode(ByteBuffer input, boolean last) {
            StringBuilder text = new StringBuilder();
            CharBuffer some = CharBuffer.allocate(input.remaining() + 1);
            decoder.reset();
            for (CoderResult result = CoderResult.OVERFLOW; !result.isUnderflow();) {
                result = decoder.decode(input, some, last);
                text.append(some.flip());
                some.clear();
                if (result.isError()) {
                    text.repeat("\uFFFD", alphabet ? 1 : result.length());
                    input.position(input.position() + result.length());
                }
            }
            return text.toString();
        }
    }
}
