package org.gatun.template;

/// Which characters Python takes for white space, line ends, words, numbers and printable.
final class Characters {
    private static final String OTHER_DIGITS = "²³¹⁰⁴⁵⁶⁷⁸⁹\u19da⓪";
    private static final String NUMBERS_IN_HAN = "㐅㒃㠪㭍一七万三九二五亖亿什仟仨伍佰億兆兩八六十千卄卅卌叁参參叄四壱壹幺廾廿弌弍弎弐拾捌柒漆玖百肆萬貮貳贰阡陆陌陸零"
            + "\uf96b\uf973\uf978\uf9b2\uf9d1\uf9d3\uf9fd\ud840\udc01\ud840\udc64\ud840\udce2\ud840\udd21\ud842\udd2a\ud842\udd83"
            + "\ud842\udd8c\ud842\udd9c\ud842\udeea\ud842\udefd\ud842\udf19\ud848\udf90\ud84a\udd98\ud84e\udf1b\ud858\ude6d\ud87e\udc90";
    /// Whose normal form is no letter.
    private static final String NEVER_IN_IDENTIFIERS = "\u037a\u2e2f\u309b\u309c\ufc5e\ufc5f\ufc60\ufc61\ufc62\ufc63\ufdfa\ufdfb"
            + "\ufe70\ufe72\ufe74\ufe76\ufe78\ufe7a\ufe7c\ufe7e";
    private static final String NEVER_AT_THEIR_START = "\u0e33\u0eb3\uff9e\uff9f";

    /// Letters, digits and `_`, within the brackets of a pattern: Python's `\w`.
    static final String WORD = "\\p{L}\\p{N}_";
    /// What [#isSpace] is true of, within the brackets of a pattern.
    static final String SPACE = "\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

    private Characters() {}

    static boolean isSpace(int c) {
        return switch (c) {
            case '\t', '\n', 0x0b, '\f', '\r', 0x1c, 0x1d, 0x1e, 0x1f, ' ', 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f,
                    0x3000 -> true;
            default -> c >= 0x2000 && c <= 0x200a;
        };
    }

    static boolean isLineEnd(int c) {
        return switch (c) {
            case '\n', 0x0b, '\f', '\r', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029 -> true;
            default -> false;
        };
    }

    static boolean isPrintable(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.PRIVATE_USE, Character.UNASSIGNED,
                    Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> false;
            case Character.SPACE_SEPARATOR -> c == ' ';
            default -> true;
        };
    }

    /// Digits, also raised and lowered ones, and ones in circles.
    static boolean isDigit(int c) {
        return Character.isDigit(c) || OTHER_DIGITS.indexOf(c) >= 0 || c >= 0x2080 && c <= 0x2089 || c >= 0x1369 && c <= 0x1371
                || c >= 0x2460 && c <= 0x2468 || c >= 0x2474 && c <= 0x247c || c >= 0x2488 && c <= 0x2490
                || c >= 0x24f5 && c <= 0x24ff && c != 0x24fe || c >= 0x2776 && c <= 0x277e || c >= 0x2780 && c <= 0x2788
                || c >= 0x278a && c <= 0x2792 || c >= 0x10a40 && c <= 0x10a43 || c >= 0x10e60 && c <= 0x10e68
                || c >= 0x11052 && c <= 0x1105a || c >= 0x1f100 && c <= 0x1f10a;
    }

    /// Digits, and signs and ideographs for numbers.
    static boolean isNumeric(int c) {
        return switch (Character.getType(c)) {
            case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> true;
            case Character.OTHER_LETTER -> NUMBERS_IN_HAN.indexOf(c) >= 0;
            default -> false;
        };
    }

    /// Whether it could be the name of a variable.
    static boolean isIdentifier(String text) {
        return !text.isEmpty() && isIdentifierStart(text.codePointAt(0)) && text.codePoints().allMatch(Characters::isIdentifierPart);
    }

    static boolean isIdentifierStart(int c) {
        return c == '_' || Character.isUnicodeIdentifierStart(c) && NEVER_IN_IDENTIFIERS.indexOf(c) < 0
                && NEVER_AT_THEIR_START.indexOf(c) < 0;
    }

    static boolean isIdentifierPart(int c) {
        return Character.isUnicodeIdentifierPart(c) && !Character.isIdentifierIgnorable(c) && NEVER_IN_IDENTIFIERS.indexOf(c) < 0;
    }

    static boolean isBlank(String text) {
        return text.codePoints().allMatch(Characters::isSpace);
    }

    static String stripLeft(String text) {
        int from = 0;
        while (from < text.length() && isSpace(text.charAt(from))) {
            from++;
        }
        return text.substring(from);
    }

    static String stripRight(String text) {
        int to = text.length();
        while (to > 0 && isSpace(text.charAt(to - 1))) {
            to--;
        }
        return text.substring(0, to);
    }
}
