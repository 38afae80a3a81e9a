package org.gatun.constraint;

import java.nio.charset.StandardCharsets;

/// How JSON is written (RFC 8259), as expressions of a pool: strings, numbers, words.
final class JsonText {
    private static final CodePoints ESCAPED = CodePoints.of(0, 0x1F, '"', '"', '\\', '\\');
    /// Most white space in a row, which a model might else write for ever.
    private static final int MAX_SPACE = 64;

    private final Regexes regexes;
    /// Any character of a string, with any escape.
    final int anyCharacter;
    /// Any string.
    final int anyString;
    /// Any number.
    final int anyNumber;
    /// White space, or nothing.
    final int space;

    JsonText(Regexes regexes) {
        this.regexes = regexes;
        int hex = ascii("[0-9a-fA-F]");
        anyCharacter = regexes.union(CodePoints.ALL.minus(ESCAPED).utf8(regexes), ascii("\\\\[\"\\\\/bfnrt]"),
                regexes.concat(ascii("\\\\u"), hex, hex, hex, hex));
        anyString = string(many(anyCharacter));
        anyNumber = ascii("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?");
        space = regexes.repeat(ascii("[ \\t\\r\\n]"), 0, MAX_SPACE);
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

    /// The pool.
    Regexes regexes() {
        return regexes;
    }
}
