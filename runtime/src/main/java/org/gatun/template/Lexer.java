package org.gatun.template;

import java.math.BigInteger;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import org.gatun.template.Token.Kind;

/// Cuts a template into tokens, and takes away the white space that goes by Jinja's rules, with the settings that chat
/// templates are written for: a line end after a block or comment goes (`trim_blocks`), and blanks before one that
/// begins a line (`lstrip_blocks`), `-` takes all white space on its side, `+` keeps it; the last line end goes.
final class Lexer {
    private static final int MAX_TOKENS = 100_000;
    private static final Set<String> LONG_OPERATORS = Set.of("//", "**", "==", "!=", ">=", "<=");
    private static final String SHORT_OPERATORS = "+-/*%~[](){}><=.:|,;";

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private final Deque<Character> open = new ArrayDeque<>();
    private int at;
    private int line = 1;

    Lexer(String source) {
        String unix = source.replace("\r\n", "\n").replace('\r', '\n');
        this.source = unix.endsWith("\n") ? unix.substring(0, unix.length() - 1) : unix;
    }

    /// @throws Refusal with the line where it cannot be cut
    List<Token> tokens() {
        try {
            while (at < source.length()) {
                root();
            }
        } catch (Refusal e) {
            throw e.at(line);
        }
        add(Kind.END, "");
        return tokens;
    }

    private void add(Kind kind, String text) {
        if (tokens.size() >= MAX_TOKENS) {
            throw new Refusal("more than " + MAX_TOKENS + " tokens");
        }
        tokens.add(new Token(kind, text, line));
    }

    private void advance(int to) {
        for (int i = at; i < to; i++) {
            if (source.charAt(i) == '\n') {
                line++;
            }
        }
        at = to;
    }

    /// Text up to a tag, and the tag.
    private void root() {
        int tag = at;
        while (tag < source.length() && !startsTag(tag)) {
            tag++;
        }
        if (tag == source.length()) {
            add(Kind.DATA, source.substring(at));
            advance(tag);
            return;
        }
        char type = source.charAt(tag + 1);
        char sign = tag + 2 < source.length() ? source.charAt(tag + 2) : ' ';
        boolean hasSign = sign == '-' || sign == '+';
        data(tag, sign, type != '{');
        int afterRaw = type == '%' ? rawBegin(tag + (hasSign ? 3 : 2)) : -1;
        if (afterRaw >= 0) {
            advance(afterRaw);
            raw();
            return;
        }
        advance(tag + (hasSign ? 3 : 2));
        switch (type) {
            case '#' -> comment();
            case '%' -> {
                add(Kind.BLOCK_BEGIN, "{%");
                inside(Kind.BLOCK_END);
            }
            default -> {
                add(Kind.VARIABLE_BEGIN, "{{");
                inside(Kind.VARIABLE_END);
            }
        }
    }

    private boolean startsTag(int index) {
        return source.charAt(index) == '{' && index + 1 < source.length() && "{%#".indexOf(source.charAt(index + 1)) >= 0;
    }

    /// Adds the text before a tag, less the white space that goes.
    private void data(int tag, char sign, boolean isBlock) {
        String text = source.substring(at, tag);
        String kept = text;
        if (sign == '-') {
            kept = Characters.stripRight(text);
        } else if (sign != '+' && isBlock) {
            int lineStart = text.lastIndexOf('\n') + 1;
            boolean startsLine = lineStart > 0 || at == 0 || source.charAt(at - 1) == '\n';
            if (startsLine && Characters.isBlank(text.substring(lineStart))) {
                kept = text.substring(0, lineStart);
            }
        }
        if (!kept.isEmpty()) {
            add(Kind.DATA, kept);
        }
        advance(tag);
    }

    private int skipSpace(int index) {
        int end = index;
        while (end < source.length() && Characters.isSpace(source.charAt(end))) {
            end++;
        }
        return end;
    }

    /// Where a block ends that could end here, -1 if it does not.
    private int blockEnd(int index, String mark) {
        if (source.startsWith("+" + mark, index)) {
            return index + 3;
        }
        if (source.startsWith("-" + mark, index)) {
            return skipSpace(index + 3);
        }
        if (source.startsWith(mark, index)) {
            return source.startsWith("\n", index + 2) ? index + 3 : index + 2;
        }
        return -1;
    }

    /// Where `{% raw %}` ends whose name would begin here, -1 if it is another block.
    private int rawBegin(int index) {
        int name = skipSpace(index);
        if (!source.startsWith("raw", name)) {
            return -1;
        }
        int end = skipSpace(name + 3);
        if (source.startsWith("-%}", end)) {
            return skipSpace(end + 3);
        }
        return source.startsWith("%}", end) ? end + 2 : -1;
    }

    private void raw() {
        for (int tag = source.indexOf("{%", at); tag >= 0; tag = source.indexOf("{%", tag + 1)) {
            char sign = tag + 2 < source.length() ? source.charAt(tag + 2) : ' ';
            int name = skipSpace(tag + (sign == '-' || sign == '+' ? 3 : 2));
            int end = source.startsWith("endraw", name) ? blockEnd(skipSpace(name + 6), "%}") : -1;
            if (end >= 0) {
                data(tag, sign, true);
                advance(end);
                return;
            }
        }
        if (at < source.length()) {
            throw new Refusal("{% raw %} does not end");
        }
    }

    private void comment() {
        int mark = source.indexOf("#}", at);
        if (at == source.length()) {
            return; // Jinja's way: what begins with the last characters need not end
        }
        if (mark < 0) {
            throw new Refusal("a comment does not end");
        }
        boolean hasSign = mark > at && (source.charAt(mark - 1) == '-' || source.charAt(mark - 1) == '+');
        advance(blockEnd(hasSign ? mark - 1 : mark, "#}"));
    }

    /// Tokens up to the end of a tag.
    private void inside(Kind end) {
        while (true) {
            advance(skipSpace(at));
            if (at == source.length()) {
                throw new Refusal((end == Kind.BLOCK_END ? "{%" : "{{") + " does not end");
            }
            int after = open.isEmpty() ? endOfTag(end) : -1;
            if (after >= 0) {
                add(end, end == Kind.BLOCK_END ? "%}" : "}}");
                advance(after);
                return;
            }
            char c = source.charAt(at);
            if (c >= '0' && c <= '9') {
                number();
            } else if (isNamePart(source.codePointAt(at))) {
                name();
            } else if (c == '\'' || c == '"') {
                string(c);
            } else {
                operator();
            }
        }
    }

    private int endOfTag(Kind end) {
        if (end == Kind.BLOCK_END) {
            return blockEnd(at, "%}");
        }
        if (source.startsWith("-}}", at)) {
            return skipSpace(at + 3);
        }
        return source.startsWith("}}", at) ? at + 2 : -1;
    }

    private static boolean isNamePart(int c) {
        return c == '_' || Character.isLetterOrDigit(c) || Character.isUnicodeIdentifierPart(c) && c > 0x7f;
    }

    private void name() {
        int end = at;
        while (end < source.length() && isNamePart(source.codePointAt(end))) {
            end += Character.charCount(source.codePointAt(end));
        }
        int first = source.codePointAt(at);
        if (!Characters.isIdentifierStart(first)) {
            throw new Refusal("a name begins with " + Character.toString(first));
        }
        add(Kind.NAME, source.substring(at, end));
        advance(end);
    }

    /// Where digits end that are parted by single underscores.
    private int digits(int index) {
        int end = index;
        while (end < source.length() && (isDigit(end, 10) || end > index && source.charAt(end) == '_' && isDigit(end + 1, 10))) {
            end++;
        }
        return end;
    }

    private boolean isDigit(int index, int radix) {
        return index < source.length() && source.charAt(index) < 0x80 && Character.digit(source.charAt(index), radix) >= 0;
    }

    private void number() {
        int end = digits(at);
        boolean isFloat = false;
        if (at == 0 || source.charAt(at - 1) != '.') {
            if (source.startsWith(".", end) && isDigit(end + 1, 10)) {
                end = digits(end + 1);
                isFloat = true;
            }
            if (end < source.length() && (source.charAt(end) == 'e' || source.charAt(end) == 'E')) {
                int exponent = end + 1;
                exponent += exponent < source.length() && "+-".indexOf(source.charAt(exponent)) >= 0 ? 1 : 0;
                if (isDigit(exponent, 10)) {
                    end = digits(exponent);
                    isFloat = true;
                }
            }
        }
        if (isFloat) {
            add(Kind.FLOAT, source.substring(at, end).replace("_", ""));
            advance(end);
        } else {
            integer();
        }
    }

    private void integer() {
        char base = source.charAt(at) == '0' && at + 1 < source.length() ? Character.toLowerCase(source.charAt(at + 1)) : ' ';
        int radix = base == 'x' ? 16 : base == 'o' ? 8 : base == 'b' ? 2 : 10;
        int from = radix == 10 ? at : at + 2;
        int end = from;
        while (isDigit(end, radix) || end < source.length() && source.charAt(end) == '_' && isDigit(end + 1, radix)) {
            end++;
        }
        if (radix == 10 && source.charAt(at) == '0') {
            /* As in Python, 007 is no number; Jinja takes the noughts and finds another number behind them. */
            end = at + 1;
            while (source.startsWith("0", end) || source.startsWith("_0", end)) {
                end++;
            }
        } else if (end == from) {
            radix = 10;
            from = at;
            end = at + 1;
        }
        String digits = source.substring(from, end).replace("_", "");
        if (digits.length() > Integers.MAX_DIGITS) {
            throw new Refusal("an integer of " + digits.length() + " digits: expected at most " + Integers.MAX_DIGITS);
        }
        add(Kind.INTEGER, Integers.bounded(new BigInteger(digits, radix)).toString());
        advance(end);
    }

    private void string(char quote) {
        StringBuilder text = new StringBuilder();
        int i = at + 1;
        while (i < source.length() && source.charAt(i) != quote) {
            i = source.charAt(i) == '\\' ? escape(i + 1, text) : character(i, text);
        }
        if (i >= source.length()) {
            throw new Refusal("a string does not end");
        }
        add(Kind.STRING, text.toString());
        advance(i + 1);
    }

    private int character(int index, StringBuilder text) {
        text.append(source.charAt(index));
        return index + 1;
    }

    /// Adds what is meant by an escape, and says where it ends.
    private int escape(int index, StringBuilder text) {
        if (index >= source.length()) {
            throw new Refusal("a string does not end");
        }
        char c = source.charAt(index);
        switch (c) {
            case '\n' -> { }
            case '\\', '\'', '"' -> text.append(c);
            case 'a' -> text.append('\u0007');
            case 'b' -> text.append('\b');
            case 'f' -> text.append('\f');
            case 'n' -> text.append('\n');
            case 'r' -> text.append('\r');
            case 't' -> text.append('\t');
            case 'v' -> text.append('\u000b');
            case 'x' -> {
                return code(index + 1, 2, text);
            }
            case 'u' -> {
                return code(index + 1, 4, text);
            }
            case 'U' -> {
                return code(index + 1, 8, text);
            }
            case 'N' -> {
                return named(index + 1, text);
            }
            default -> {
                if (c >= '0' && c <= '7') {
                    int end = index;
                    int value = 0;
                    while (end < index + 3 && isDigit(end, 8)) {
                        value = value * 8 + source.charAt(end++) - '0';
                    }
                    text.append((char) value);
                    return end;
                }
                text.append('\\').append(c);
            }
        }
        return index + 1;
    }

    private int code(int index, int digits, StringBuilder text) {
        long value = 0;
        for (int i = index; i < index + digits; i++) {
            if (!isDigit(i, 16)) {
                throw new Refusal("\\" + source.charAt(index - 1) + " in a string: expected " + digits + " hexadecimal digits");
            }
            value = value * 16 + Character.digit(source.charAt(i), 16);
        }
        if (value > Character.MAX_CODE_POINT) {
            throw new Refusal("\\U in a string: expected at most 0010ffff");
        }
        text.appendCodePoint((int) value);
        return index + digits;
    }

    private int named(int index, StringBuilder text) {
        int end = source.startsWith("{", index) ? source.indexOf('}', index) : -1;
        if (end < 0) {
            throw new Refusal("\\N in a string: expected the name of a character in braces");
        }
        try {
            text.appendCodePoint(Character.codePointOf(source.substring(index + 1, end)));
        } catch (IllegalArgumentException _) {
            throw new Refusal("\\N in a string: there is no such character");
        }
        return end + 1;
    }

    private void operator() {
        char c = source.charAt(at);
        String pair = source.substring(at, Math.min(at + 2, source.length()));
        String operator = LONG_OPERATORS.contains(pair) ? pair : String.valueOf(c);
        if (SHORT_OPERATORS.indexOf(c) < 0 && operator.length() == 1) {
            throw new Refusal("unexpected character " + Character.toString(source.codePointAt(at)));
        }
        switch (operator) {
            case "(" -> open.push(')');
            case "[" -> open.push(']');
            case "{" -> open.push('}');
            case ")", "]", "}" -> {
                if (open.isEmpty() || open.pop() != c) {
                    throw new Refusal("unexpected '" + c + "'");
                }
            }
            default -> { }
        }
        add(Kind.OPERATOR, operator);
        advance(at + operator.length());
    }
}
