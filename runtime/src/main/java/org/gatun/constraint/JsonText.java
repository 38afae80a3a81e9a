package org.gatun.constraint;

import java.nio.charset.StandardCharsets;
import java.util.Locale;

/// How JSON is written (RFC 8259), as expressions of a pool: strings, numbers, words. Halves of UTF-16 pairs are not written alone: readers
/// refuse them.
///
/// *Plain* texts are those of which each value has as few as can be: strings that escape only what must be, with one letter where there is
/// one, else as a number of four digits in either case; numbers without exponent and without zeros at the end of a fraction.
final class JsonText {
    private static final CodePoints ESCAPED = CodePoints.of(0, 0x1F, '"', '"', '\\', '\\');
    private static final String SHORT = "\"\\\b\f\n\r\t";
    private static final String SHORT_ESCAPES = "\"\\bfnrt";
    /// Most white space in a row, which a model might else write for ever.
    private static final int MAX_SPACE = 64;

    private final Regexes regexes;
    /// Any character of a string, with any escape.
    final int anyCharacter;
    /// Any character, written plainly.
    final int plainCharacter;
    /// Any string.
    final int anyString;
    /// Any string, written plainly.
    final int plainString;
    /// Any number.
    final int anyNumber;
    /// Any number, written plainly.
    final int plainNumber;
    /// null, true and false.
    final int words;
    /// White space, or nothing.
    final int space;

    /// @param spaced whether white space may be
    JsonText(Regexes regexes, boolean spaced) {
        this.regexes = regexes;
        int hex = ascii("[0-9a-fA-F]");
        int unicode = text("\\u");
        int pair = regexes.concat(unicode, ascii("[dD][89abAB]"), hex, hex, unicode, ascii("[dD][c-fC-F]"), hex, hex);
        anyCharacter = regexes.union(CodePoints.ALL.minus(ESCAPED).utf8(regexes), ascii("\\\\[\"\\\\/bfnrt]"), pair,
                regexes.concat(unicode, ascii("[0-9a-ce-fA-CE-F]"), hex, hex, hex), regexes.concat(unicode, ascii("[dD][0-7]"), hex, hex));
        plainCharacter = characters(CodePoints.ALL);
        anyString = string(many(anyCharacter));
        plainString = string(many(plainCharacter));
        anyNumber = ascii("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?");
        plainNumber = ascii("0|-?([1-9][0-9]*(\\.[0-9]*[1-9])?|0\\.[0-9]*[1-9])");
        words = ascii("true|false|null");
        space = spaced ? regexes.repeat(ascii("[ \\t\\r\\n]"), 0, MAX_SPACE) : Regexes.EPSILON;
    }

    /// How many characters these bytes are, if all of them stand for themselves in any string; else -1.
    static int plainCharacters(byte[] bytes) {
        int count = 0;
        for (int i = 0; i < bytes.length; count++) {
            int lead = bytes[i] & 0xff;
            int length = lead < 0x80 ? 1 : lead >= 0xC2 && lead < 0xE0 ? 2 : lead >= 0xE0 && lead < 0xF0 ? 3 : lead >= 0xF0 && lead < 0xF5 ? 4 : 5;
            if (i + length > bytes.length || lead < 0x20 || lead == '"' || lead == '\\') {
                return -1;
            }
            int codePoint = new String(bytes, i, length, StandardCharsets.UTF_8).codePointAt(0);
            if (length > 1 && (codePoint == 0xFFFD || !RegexSyntax.DOT.contains(codePoint))) {
                return -1;
            }
            i += length;
        }
        return count;
    }

    /// An expression of ASCII characters.
    int ascii(String expression) {
        return RegexSyntax.whole(expression, regexes, set -> set.utf8(regexes));
    }

    /// A text as it is.
    int text(String text) {
        return regexes.literal(text.getBytes(StandardCharsets.UTF_8));
    }

    /// Any number of times.
    int many(int regex) {
        return regexes.repeat(regex, 0, Regexes.UNBOUNDED);
    }

    /// A content in quotes.
    int string(int content) {
        int quote = regexes.bytes('"', '"');
        return regexes.concat(quote, content, quote);
    }

    /// One code point of a set, written plainly.
    int characters(CodePoints set) {
        int regex = set.minus(ESCAPED).utf8(regexes);
        for (int[] range : set.minus(CodePoints.ALL.minus(ESCAPED)).ranges()) {
            for (int each = range[0]; each <= range[1]; each++) {
                int known = SHORT.indexOf(each);
                regex = regexes.union(regex, known >= 0 ? text("\\" + SHORT_ESCAPES.charAt(known))
                        : regexes.concat(text("\\u00"), hexDigit(each >> 4), hexDigit(each & 15)));
            }
        }
        return regex;
    }

    private int hexDigit(int digit) {
        String hex = Integer.toHexString(digit);
        return regexes.union(text(hex), text(hex.toUpperCase(Locale.ROOT)));
    }

    /// The string of this value, in all plain texts.
    int stringOf(String value) {
        if (value.codePoints().allMatch(each -> each >= ' ' && (each < Character.MIN_SURROGATE || each > Character.MAX_SURROGATE))) {
            return regexes.literal(spelled(value)); // which is the only one
        }
        return string(regexes.concat(value.codePoints().map(each -> characters(CodePoints.of(each, each))).toArray()));
    }

    /// A plain text of a string.
    static byte[] spelled(String value) {
        StringBuilder text = new StringBuilder("\"");
        value.codePoints().forEach(each -> {
            int known = SHORT.indexOf(each);
            if (known >= 0) {
                text.append('\\').append(SHORT_ESCAPES.charAt(known));
            } else if (ESCAPED.contains(each)) {
                text.append("\\u%04x".formatted(each));
            } else {
                text.appendCodePoint(each);
            }
        });
        return text.append('"').toString().getBytes(StandardCharsets.UTF_8);
    }

    /// The pool.
    Regexes regexes() {
        return regexes;
    }
}
