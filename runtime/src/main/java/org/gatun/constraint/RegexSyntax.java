package org.gatun.constraint;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToIntFunction;
import java.util.regex.Pattern;
import org.gatun.constraint.RegexSyntax.Item.Alternatives;
import org.gatun.constraint.RegexSyntax.Item.Begin;
import org.gatun.constraint.RegexSyntax.Item.Characters;
import org.gatun.constraint.RegexSyntax.Item.End;
import org.gatun.constraint.RegexSyntax.Item.Repeated;

/// Reads regular expressions of ECMA-262 with Unicode, each code point one character. What a regular language
/// cannot say or what depends on what was matched is refused by name: look-around, word boundaries, back references, and anchors
/// elsewhere than at an end.
final class RegexSyntax {
    private static final CodePoints DIGITS = CodePoints.of('0', '9');
    private static final CodePoints WORD = CodePoints.of('0', '9', 'A', 'Z', 'a', 'z', '_', '_');
    private static final CodePoints SPACE = CodePoints.of(9, 13, ' ', ' ', 0xA0, 0xA0, 0x1680, 0x1680, 0x2000, 0x200A, 0x2028, 0x2029,
            0x202F, 0x202F, 0x205F, 0x205F, 0x3000, 0x3000, 0xFEFF, 0xFEFF);
    /// What a dot matches.
    static final CodePoints DOT = CodePoints.of('\n', '\n', '\r', '\r', 0x2028, 0x2029).complement();
    private static final Pattern COUNT = Pattern.compile("\\{\\d+(,\\d*)?\\}");
    private static final int MAX_DEPTH = 200;
    private static final int MAX_COUNT = 1_000_000;

    /// What a part of an expression is.
    sealed interface Item {
        record Characters(CodePoints set) implements Item {}

        record Alternatives(List<List<Item>> sequences) implements Item {}

        record Repeated(Item item, int least, int most) implements Item {}

        record Begin() implements Item {}

        record End() implements Item {}
    }

    /// Characters of an expression, at most: derivatives of longer ones would go deeper than a stack is.
    private static final int MAX_LENGTH = 8000;

    private final String text;
    private final Map<String, CodePoints> properties = new HashMap<>();
    private int at;
    private int depth;
    private int codePoint; // of the last escape or atom of a class, half a UTF-16 pair too; -1 if it was a set

    private RegexSyntax(String text) {
        this.text = text;
    }

    /// An expression that is to match a whole text.
    ///
    /// @param alphabet how one code point of a set is written
    /// @throws IllegalArgumentException if it is malformed or asks for what is not supported
    static int whole(String text, Regexes regexes, ToIntFunction<CodePoints> alphabet) {
        return new RegexTranslation(text, regexes, alphabet, Regexes.EPSILON).translate(parse(text));
    }

    /// An expression that is to match anywhere in a text, as `pattern` of JSON Schema asks.
    ///
    /// @param alphabet how one code point of a set is written
    /// @throws IllegalArgumentException if it is malformed or asks for what is not supported
    static int anywhere(String text, Regexes regexes, ToIntFunction<CodePoints> alphabet) {
        int anything = regexes.repeat(alphabet.applyAsInt(CodePoints.ALL), 0, Regexes.UNBOUNDED);
        return new RegexTranslation(text, regexes, alphabet, anything).translate(parse(text));
    }

    private static Alternatives parse(String text) {
        if (text.length() > MAX_LENGTH) {
            throw new IllegalArgumentException("regular expression '" + text.substring(0, 20) + "...': found " + text.length()
                    + " characters: expected at most " + MAX_LENGTH);
        }
        RegexSyntax syntax = new RegexSyntax(text);
        Alternatives parsed = syntax.alternatives();
        if (syntax.at < text.length()) {
            throw syntax.malformed("a ) without its (");
        }
        return parsed;
    }

    private IllegalArgumentException malformed(String found) {
        return new IllegalArgumentException("regular expression '" + text + "': found " + found + " at character " + at);
    }

    private IllegalArgumentException unsupported(String what) {
        return new IllegalArgumentException("regular expression '" + text + "': " + what + " at character " + at + " is not supported");
    }

    private Alternatives alternatives() {
        if (++depth > MAX_DEPTH) {
            throw malformed("more than " + MAX_DEPTH + " groups in each other");
        }
        List<List<Item>> sequences = new ArrayList<>();
        do {
            List<Item> sequence = new ArrayList<>();
            while (at < text.length() && peek() != '|' && peek() != ')') {
                sequence.add(quantified(atom()));
            }
            sequences.add(sequence);
        } while (take('|'));
        depth--;
        return new Alternatives(sequences);
    }

    private char peek() {
        if (at == text.length()) {
            throw malformed("the end");
        }
        return text.charAt(at);
    }

    private boolean take(char expected) {
        boolean taken = at < text.length() && text.charAt(at) == expected;
        at += taken ? 1 : 0;
        return taken;
    }

    private Item atom() {
        int symbol = text.codePointAt(at);
        at += Character.charCount(symbol);
        return switch (symbol) {
            case '(' -> group();
            case '[' -> new Characters(characterClass());
            case '.' -> new Characters(DOT);
            case '^' -> new Begin();
            case '$' -> new End();
            case '\\' -> new Characters(escape(false));
            case '*', '+', '?' -> throw malformed("a quantifier behind nothing");
            default -> new Characters(CodePoints.of(symbol, symbol));
        };
    }

    private Item group() {
        if (take('?')) {
            if (take('<') && peek() != '=' && peek() != '!') {
                at = text.indexOf('>', at) + 1;
                if (at == 0) {
                    throw malformed("a group's name without its end");
                }
            } else if (!take(':')) {
                throw unsupported("look-around or a group of flags");
            }
        }
        Item inner = alternatives();
        if (!take(')')) {
            throw malformed("a ( without its )");
        }
        return inner;
    }

    private Item quantified(Item item) {
        int least = 1;
        int most = 1;
        if (take('*')) {
            least = 0;
            most = Regexes.UNBOUNDED;
        } else if (take('+')) {
            most = Regexes.UNBOUNDED;
        } else if (take('?')) {
            least = 0;
        } else if (at < text.length() && isCount()) {
            int end = text.indexOf('}', at);
            String[] counts = text.substring(at + 1, end).split(",", -1);
            least = count(counts[0]);
            most = counts.length == 1 ? least : counts[1].isEmpty() ? Regexes.UNBOUNDED : count(counts[1]);
            if (most < least) {
                throw malformed("counts that fall");
            }
            at = end + 1;
        } else {
            return item;
        }
        if (item instanceof Begin || item instanceof End) {
            throw malformed("a quantifier behind an anchor");
        }
        take('?'); // lazy: the same texts
        if (at < text.length() && ("*+?".indexOf(peek()) >= 0 || isCount())) {
            throw malformed("a quantifier behind a quantifier");
        }
        return new Repeated(item, least, most);
    }

    private boolean isCount() {
        return COUNT.matcher(text).region(at, text.length()).lookingAt();
    }

    private int count(String digits) {
        if (digits.length() > 7 || Integer.parseInt(digits) > MAX_COUNT) {
            throw unsupported("a count above " + MAX_COUNT);
        }
        return Integer.parseInt(digits);
    }

    private CodePoints characterClass() {
        boolean negated = take('^');
        CodePoints set = CodePoints.of();
        while (peek() != ']') {
            CodePoints first = classAtom();
            int from = codePoint;
            if (at + 1 < text.length() && peek() == '-' && text.charAt(at + 1) != ']') {
                at++;
                CodePoints last = classAtom();
                if (from >= 0 && codePoint >= 0) {
                    if (codePoint < from) {
                        throw malformed("a range that falls");
                    }
                    set = set.union(CodePoints.of(from, codePoint));
                    continue;
                }
                first = first.union(last).union(CodePoints.of('-', '-')); // as ECMA-262 without Unicode reads [\w-.]
            }
            set = set.union(first);
        }
        at++;
        return negated ? set.complement() : set;
    }

    private CodePoints classAtom() {
        peek();
        int symbol = text.codePointAt(at);
        at += Character.charCount(symbol);
        if (symbol == '\\') {
            return escape(true);
        }
        codePoint = symbol;
        return CodePoints.of(symbol, symbol);
    }

    private CodePoints escape(boolean inClass) {
        char symbol = peek();
        at++;
        codePoint = switch (symbol) {
            case 't' -> '\t';
            case 'n' -> '\n';
            case 'v' -> 0x0B;
            case 'f' -> '\f';
            case 'r' -> '\r';
            case '0' -> 0;
            case 'x' -> hex(2);
            case 'u' -> unicode();
            case 'c' -> controlLetter();
            default -> -1;
        };
        if (codePoint >= 0) {
            return CodePoints.of(codePoint, codePoint);
        }
        return switch (symbol) {
            case 'd' -> DIGITS;
            case 'D' -> DIGITS.complement();
            case 'w' -> WORD;
            case 'W' -> WORD.complement();
            case 's' -> SPACE;
            case 'S' -> SPACE.complement();
            case 'p', 'P' -> property(symbol == 'P');
            case 'b', 'B' -> {
                if (!inClass || symbol == 'B') {
                    throw unsupported("a word boundary");
                }
                codePoint = '\b';
                yield CodePoints.of('\b', '\b');
            }
            default -> {
                if (Character.isLetterOrDigit(symbol) && symbol < 128 && "AZzGkQE123456789".indexOf(symbol) >= 0) {
                    throw unsupported("\\" + symbol);
                }
                at--;
                codePoint = text.codePointAt(at);
                at += Character.charCount(codePoint);
                yield CodePoints.of(codePoint, codePoint);
            }
        };
    }

    private int controlLetter() {
        char letter = peek();
        if (letter >= 128 || !Character.isLetter(letter)) {
            throw malformed("\\c without its letter");
        }
        at++;
        return letter & 31;
    }

    private int hex(int digits) {
        int value = 0;
        for (int i = 0; i < digits; i++) {
            int digit = Character.digit(peek(), 16);
            if (digit < 0) {
                throw malformed("no hexadecimal digit");
            }
            value = 16 * value + digit;
            at++;
        }
        return value;
    }

    private int unicode() {
        if (take('{')) {
            int end = text.indexOf('}', at);
            int value = end < 0 || end == at || end > at + 6 ? -1 : hex(end - at);
            if (value < 0 || value > Character.MAX_CODE_POINT || !take('}')) {
                throw malformed("no code point");
            }
            return value;
        }
        int value = hex(4);
        if (Character.isHighSurrogate((char) value) && text.startsWith("\\u", at)) {
            int before = at;
            at += 2;
            int low = text.startsWith("{", at) ? -1 : hex(4);
            if (low >= 0 && Character.isLowSurrogate((char) low)) {
                return Character.toCodePoint((char) value, (char) low);
            }
            at = before;
        }
        return value;
    }

    private CodePoints property(boolean negated) {
        int end = text.indexOf('}', at);
        if (!take('{') || end < 0) {
            throw malformed("a property without its braces");
        }
        String name = text.substring(at, end);
        at = end + 1;
        CodePoints set = properties.computeIfAbsent(name, each -> UnicodeProperties.of(each).orElseThrow(() -> unsupported("the property " + each)));
        return negated ? set.complement() : set;
    }
}
