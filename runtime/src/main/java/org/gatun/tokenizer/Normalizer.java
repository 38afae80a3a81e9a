package org.gatun.tokenizer;

import java.text.Normalizer.Form;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.function.IntPredicate;
import org.gatun.format.FormatException;
import tools.jackson.databind.JsonNode;

/// A normalizer of `tokenizer.json`: rewrites the text between added tokens before it is split. Immutable.
sealed interface Normalizer {
    /// Leaves the text as it is.
    Normalizer NONE = new Sequence(List.of());

    String apply(String text);

    /// Whether the result for `text` still begins where it began: nothing was dropped at its start. What a Metaspace puts
    /// before the first word only depends on it.
    default boolean keepsStart(String text) {
        return true;
    }

    /// @throws FormatException if a part is damaged; what is not supported is refused, see [JsonPart]
    static Normalizer read(JsonPart part) throws FormatException {
        Normalizer read = switch (part.type()) {
            case "NFC" -> new UnicodeForm(Form.NFC);
            case "NFD" -> new UnicodeForm(Form.NFD);
            case "NFKC" -> new UnicodeForm(Form.NFKC);
            case "NFKD" -> new UnicodeForm(Form.NFKD);
            case "Lowercase" -> new Lowercase();
            case "Strip" -> new Strip(part.flag("strip_left", true), part.flag("strip_right", true));
            case "StripAccents" -> new StripAccents();
            case "Nmt" -> new Nmt();
            case "ByteLevel" -> new ByteLevel();
            case "Prepend" -> new Prepend(part.requiredText("prepend"));
            case "Replace" -> new Replace(pattern(part), part.requiredText("content"));
            case "Precompiled" -> new Precompiled(characters(part));
            case "BertNormalizer" -> {
                boolean lowercase = part.flag("lowercase", true);
                yield new Bert(part.flag("clean_text", true), part.flag("handle_chinese_chars", true),
                        part.flag("strip_accents").orElse(lowercase), lowercase);
            }
            case "Sequence" -> {
                List<Normalizer> parts = new ArrayList<>();
                for (JsonPart element : part.sequence("normalizers")) {
                    parts.add(read(element));
                }
                yield new Sequence(parts);
            }
            default -> {
                part.refuse("type", "unknown normalizer");
                yield NONE;
            }
        };
        part.end();
        return read;
    }

    /// The pattern of a `Replace` or `Split`: an object with the one key `String` or `Regex`.
    static TextPattern pattern(JsonPart part) throws FormatException {
        JsonNode pattern = part.node("pattern");
        if (pattern.size() == 1 && pattern.path("String").isString()) {
            return TextPattern.literal(pattern.path("String").stringValue());
        }
        if (pattern.size() == 1 && pattern.path("Regex").isString()) {
            try {
                return TextPattern.regex(pattern.path("Regex").stringValue());
            } catch (IllegalArgumentException e) {
                part.refuse("pattern", e.getMessage());
                return TextPattern.literal("");
            }
        }
        throw part.problem("pattern", pattern, "a text under String or Regex");
    }

    private static CharacterMap characters(JsonPart part) throws FormatException {
        try {
            return new CharacterMap(Base64.getDecoder().decode(part.requiredText("precompiled_charsmap")));
        } catch (IllegalArgumentException e) {
            throw part.problem(part.name("precompiled_charsmap") + ": " + e.getMessage());
        }
    }

    /// The text without the characters that `dropped` holds for.
    private static String without(String text, IntPredicate dropped) {
        if (text.codePoints().noneMatch(dropped)) {
            return text;
        }
        return text.codePoints().filter(dropped.negate())
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append).toString();
    }

    private static boolean startsWith(String text, IntPredicate characters) {
        return !text.isEmpty() && characters.test(text.codePointAt(0));
    }

    /// A lowercase letter for each, whatever stands beside it. Only one letter has a lowercase form of two characters.
    private static void appendLowercase(StringBuilder result, int c) {
        if (c == 0x130) {
            result.append("i\u0307");
        } else {
            result.appendCodePoint(Character.toLowerCase(c));
        }
    }

    /// NFC, NFD, NFKC or NFKD.
    record UnicodeForm(Form form) implements Normalizer {
        @Override
        public String apply(String text) {
            return UnicodeClasses.isAscii(text) ? text : java.text.Normalizer.normalize(text, form);
        }
    }

    /// Letters in lower case.
    record Lowercase() implements Normalizer {
        @Override
        public String apply(String text) {
            StringBuilder result = new StringBuilder(text.length());
            text.codePoints().forEach(c -> appendLowercase(result, c));
            return result.toString();
        }
    }

    /// No white space at one or both ends.
    record Strip(boolean left, boolean right) implements Normalizer {
        @Override
        public String apply(String text) {
            int from = 0;
            int to = text.length();
            while (left && from < to && UnicodeClasses.isWhiteSpace(text.charAt(from))) {
                from++;
            }
            while (right && to > from && UnicodeClasses.isWhiteSpace(text.charAt(to - 1))) {
                to--;
            }
            return text.substring(from, to);
        }

        @Override
        public boolean keepsStart(String text) {
            return !left || !startsWith(text, UnicodeClasses::isWhiteSpace);
        }
    }

    /// No combining marks.
    record StripAccents() implements Normalizer {
        @Override
        public String apply(String text) {
            return without(text, UnicodeClasses::isMark);
        }

        @Override
        public boolean keepsStart(String text) {
            return !startsWith(text, UnicodeClasses::isMark);
        }
    }

    /// No control characters, and a space for other white space, as in machine translation.
    record Nmt() implements Normalizer {
        private static boolean isDropped(int c) {
            return c >= 1 && c <= 8 || c == 0x0B || c >= 0x0E && c <= 0x1F || c == 0x7F || c == 0x8F || c == 0x9F;
        }

        private static boolean isSpace(int c) {
            return c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == 0x1680 || c >= 0x200B && c <= 0x200F
                    || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
        }

        @Override
        public String apply(String text) {
            StringBuilder result = new StringBuilder(text.length());
            text.codePoints().filter(c -> !isDropped(c)).forEach(c -> result.appendCodePoint(isSpace(c) ? ' ' : c));
            return result.toString();
        }

        @Override
        public boolean keepsStart(String text) {
            return !startsWith(text, Nmt::isDropped);
        }
    }

    /// Each byte as a character of the [ByteAlphabet].
    record ByteLevel() implements Normalizer {
        @Override
        public String apply(String text) {
            return ByteAlphabet.spell(text);
        }
    }

    /// A text before one that is not empty.
    record Prepend(String text) implements Normalizer {
        @Override
        public String apply(String given) {
            return given.isEmpty() ? given : text + given;
        }
    }

    /// One text for each match of a pattern.
    record Replace(TextPattern pattern, String content) implements Normalizer {
        @Override
        public String apply(String text) {
            return pattern.replace(text, content);
        }
    }

    /// The replacements of a sentencepiece model.
    record Precompiled(CharacterMap characters) implements Normalizer {
        @Override
        public String apply(String text) {
            return characters.applyByGraphemes(text);
        }
    }

    /// What BERT does (Devlin et al., 2018, arXiv:1810.04805).
    ///
    /// @param clean drop control characters, and write all white space as a space
    /// @param chinese put spaces around Chinese characters
    /// @param stripAccents decompose, and drop accents
    /// @param lowercase fold case
    record Bert(boolean clean, boolean chinese, boolean stripAccents, boolean lowercase) implements Normalizer {
        private static boolean isDropped(int c) {
            return c == 0xFFFD || UnicodeClasses.isOther(c) && c != '\t' && c != '\n' && c != '\r';
        }

        @Override
        public String apply(String text) {
            StringBuilder result = new StringBuilder(text.length() + 16);
            boolean ascii = true;
            for (int i = 0, c; i < text.length(); i += Character.charCount(c)) {
                c = text.codePointAt(i);
                if (c >= ' ' && c < 0x7F) { // most of most texts
                    result.append((char) (lowercase && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c));
                    continue;
                }
                if (clean && isDropped(c)) {
                    continue;
                }
                ascii &= c < 0x80;
                if (chinese && UnicodeClasses.isChinese(c)) {
                    result.append(' ').appendCodePoint(c).append(' ');
                } else if (clean && UnicodeClasses.isWhiteSpace(c)) {
                    result.append(' ');
                } else {
                    result.appendCodePoint(c);
                }
            }
            return ascii || !stripAccents && !lowercase ? result.toString() : fold(result.toString());
        }

        private String fold(String text) {
            String plain = stripAccents ? java.text.Normalizer.normalize(text, Form.NFD) : text;
            StringBuilder result = new StringBuilder(plain.length());
            for (int i = 0, c; i < plain.length(); i += Character.charCount(c)) {
                c = plain.codePointAt(i);
                if (stripAccents && c >= 0x300 && Character.getType(c) == Character.NON_SPACING_MARK) {
                    continue;
                }
                if (lowercase) {
                    appendLowercase(result, c);
                } else {
                    result.appendCodePoint(c);
                }
            }
            return result.toString();
        }

        @Override
        public boolean keepsStart(String text) {
            return !clean || !startsWith(text, Bert::isDropped);
        }
    }

    /// One after the other.
    record Sequence(List<Normalizer> parts) implements Normalizer {
        public Sequence {
            parts = List.copyOf(parts);
        }

        @Override
        public String apply(String text) {
            String result = text;
            for (Normalizer part : parts) {
                result = part.apply(result);
            }
            return result;
        }

        @Override
        public boolean keepsStart(String text) {
            String result = text;
            for (Normalizer part : parts) {
                if (!part.keepsStart(result)) {
                    return false;
                }
                result = part.apply(result);
            }
            return true;
        }
    }
}
