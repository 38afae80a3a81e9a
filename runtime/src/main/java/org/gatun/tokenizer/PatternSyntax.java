package org.gatun.tokenizer;

/// Translates patterns in the syntax of Oniguruma, which `tokenizer.json` uses, to that of [java.util.regex.Pattern], as
/// far as they are sure to stay within the stack: only single characters and classes are repeated, groups are optional at
/// most. What else a pattern has is refused by name.
final class PatternSyntax {
    /* java.util.regex calls itself for each round of a repeated group, and for each change between characters of one
     * and of two chars under {n,}; hence no repeated groups, and x{n,} is written x{n}x*. The time that backtracking
     * takes is bounded where the pattern runs, see TextPattern. */

    /// Rounds of a counted repetition; java.util.regex may need a frame for each.
    private static final int MAX_ROUNDS = 1000;
    /// Groups within groups; each is a frame of ours and of java.util.regex.
    private static final int DEEPEST = 50;

    /// What Oniguruma takes for a character of a word; that of Java has joiners besides, and none of the numbers of Latin-1.
    private static final String WORD = "\\p{IsAlphabetic}\\p{M}\\p{Nd}\\p{Pc}\u00b2\u00b3\u00b9\u00bc-\u00be";

    private final String source;
    private final StringBuilder result = new StringBuilder();
    private int at;
    private int depth;

    private PatternSyntax(String source) {
        this.source = source;
    }

    /// @throws IllegalArgumentException if the pattern has what is not supported, or is none; the message says what
    static String translate(String pattern) {
        PatternSyntax syntax = new PatternSyntax(pattern);
        if (pattern.startsWith("(?i)")) {
            syntax.at = 4;
            syntax.result.append("(?i)");
        }
        syntax.alternatives();
        if (syntax.at < pattern.length()) {
            throw syntax.unsupported(")");
        }
        return syntax.result.toString();
    }

    private void alternatives() {
        while (at < source.length() && source.charAt(at) != ')') {
            if (source.charAt(at) == '|') {
                result.append('|');
                at++;
            } else {
                repeated();
            }
        }
    }

    /// One atom and what says how often.
    private void repeated() {
        int start = result.length();
        boolean single = atom();
        String atom = result.substring(start);
        if (at == source.length()) {
            return;
        }
        char sign = source.charAt(at);
        if (sign == '*' || sign == '+') {
            require(single, "a repeated group");
            result.append(sign);
            at++;
            suffix(true);
        } else if (sign == '?') {
            result.append(sign);
            at++;
            suffix(true);
        } else if (sign == '{' && source.substring(at).matches("(?s)\\{(\\d{1,6}(,\\d{0,6})?|,\\d{1,6})\\}.*")) {
            counted(single, start, atom);
        }
        boolean repeats = result.length() > start + atom.length();
        require(at == source.length() || (repeats ? "*+?{" : "*+?").indexOf(source.charAt(at)) < 0,
                "a repetition of a repetition");
    }

    private void counted(boolean single, int start, String atom) {
        int end = source.indexOf('}', at);
        String[] bounds = source.substring(at + 1, end).split(",", -1);
        int min = bounds[0].isEmpty() ? 0 : Integer.parseInt(bounds[0]);
        boolean open = bounds.length == 2 && bounds[1].isEmpty();
        int max = bounds.length == 1 ? min : open ? min : Integer.parseInt(bounds[1]);
        require(single || !open && max <= 1, "a repeated group");
        require(max <= MAX_ROUNDS && min <= max, "{" + min + "," + max + "}");
        at = end + 1;
        result.setLength(start);
        result.append(atom).append('{').append(min).append(open ? "}" + atom + "*" : "," + max + "}");
        char next = at < source.length() ? source.charAt(at) : ' ';
        require(next != '?' || !open && bounds.length == 2, "{n}? or {n,}?");
        if (next == '+') { // no possessive repetition, but any number of such: from one on that is any number
            require(single && min <= 1, "{" + min + ",...}+");
            result.setLength(start);
            result.append(atom).append(min == 0 ? '*' : '+');
            at++;
        } else {
            suffix(false);
        }
    }

    /// What makes a repetition lazy or possessive.
    private void suffix(boolean possessive) {
        if (at < source.length() && (source.charAt(at) == '?' || possessive && source.charAt(at) == '+')) {
            result.append(source.charAt(at++));
        }
    }

    /// @return whether it is a single character or a class
    private boolean atom() {
        char c = source.charAt(at);
        switch (c) {
            case '(' -> {
                group();
                return false;
            }
            case '[' -> characterClass();
            case '\\' -> {
                return escape(false);
            }
            case '^', '$' -> {
                result.append(c);
                at++;
                return false;
            }
            case '.' -> {
                result.append(c);
                at++;
            }
            case '*', '+', '?' -> throw unsupported("a repetition of nothing");
            default -> literal();
        }
        return true;
    }

    private void literal() {
        int c = source.codePointAt(at);
        at += Character.charCount(c);
        if (c < 0x80 && !Character.isLetterOrDigit(c)) {
            result.append("\\x{").append(Integer.toHexString(c)).append('}');
        } else {
            result.appendCodePoint(c);
        }
    }

    private void group() {
        for (String opening : new String[] {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?-i:"}) {
            if (source.startsWith(opening, at)) {
                body(opening);
                return;
            }
        }
        if (source.startsWith("(?", at)) {
            throw unsupported(source.substring(at, Math.min(source.length(), at + 4)));
        }
        body("(");
    }

    private void body(String opening) {
        require(++depth <= DEEPEST, "more than " + DEEPEST + " groups within one another");
        result.append(opening.equals("(") ? "(?:" : opening);
        at += opening.length();
        alternatives();
        require(at < source.length(), "a group without end");
        result.append(')');
        at++;
        depth--;
    }

    private void characterClass() {
        require(++depth <= DEEPEST, "more than " + DEEPEST + " classes within one another");
        result.append('[');
        at++;
        if (at < source.length() && source.charAt(at) == '^') {
            result.append('^');
            at++;
        }
        require(at < source.length() && source.charAt(at) != ']', "a class without characters");
        while (at < source.length() && source.charAt(at) != ']') {
            char c = source.charAt(at);
            if (c == '[') {
                require(!source.startsWith("[:", at), "[:");
                characterClass();
            } else if (c == '\\') {
                escape(true);
            } else if (c == '-' || source.startsWith("&&", at)) {
                String sign = c == '-' ? "-" : "&&";
                boolean range = c == '-' && !result.toString().endsWith("[") && !result.toString().endsWith("[^")
                        && at + 1 < source.length() && source.charAt(at + 1) != ']';
                result.append(c == '-' && !range ? "\\x{2d}" : sign);
                at += sign.length();
            } else {
                literal();
            }
        }
        require(at < source.length(), "a class without end");
        result.append(']');
        at++;
        depth--;
    }

    /// @return whether it is a single character or a class
    private boolean escape(boolean inClass) {
        require(at + 1 < source.length(), "\\");
        char c = source.charAt(at + 1);
        if (c == 'p' || c == 'P') {
            property();
        } else if (c == 'x' || c == 'u') {
            hexadecimal(c);
        } else if (c == 'w' || c == 'W') {
            result.append(inClass && c == 'w' ? WORD : (c == 'w' ? "[" : "[^") + WORD + "]");
            at += 2;
        } else if ((c == 'b' || c == 'B') && !inClass) {
            String word = "[" + WORD + "]";
            String edge = c == 'b' ? "(?:(?<=%1$s)(?!%1$s)|(?<!%1$s)(?=%1$s))" : "(?:(?<=%1$s)(?=%1$s)|(?<!%1$s)(?!%1$s))";
            result.append(edge.formatted(word));
            at += 2;
            return false;
        } else if ("sSdDnrtfe".indexOf(c) >= 0) {
            result.append('\\').append(c);
            at += 2;
        } else if ("AzZ".indexOf(c) >= 0 && !inClass) {
            result.append('\\').append(c);
            at += 2;
            return false;
        } else if (c >= 0x80 || !Character.isLetterOrDigit(c)) {
            at++;
            literal();
        } else {
            throw unsupported("\\" + c);
        }
        return true;
    }

    private void property() {
        int end = source.indexOf('}', at);
        require(source.startsWith("{", at + 2) && end > 0, source.substring(at, Math.min(source.length(), at + 3)));
        String name = source.substring(at + 3, end);
        boolean negated = name.startsWith("^") != (source.charAt(at + 1) == 'P');
        name = name.startsWith("^") ? name.substring(1) : name;
        require(name.matches("[A-Za-z_]{1,40}"), "\\p{" + name + "}");
        // General categories have one or two letters; longer names are scripts or properties, which Java calls Is...
        result.append(negated ? "\\P{" : "\\p{").append(name.length() <= 2 ? name : "Is" + name).append('}');
        at = end + 1;
    }

    private void hexadecimal(char kind) {
        int from = at + 2;
        boolean braces = kind == 'x' && source.startsWith("{", from);
        int digits = braces ? from + 1 : from;
        int end = digits;
        int max = braces ? 6 : kind == 'u' ? 4 : 2;
        while (end < source.length() && end - digits < max && Character.digit(source.charAt(end), 16) >= 0) {
            end++;
        }
        require(end > digits && (!braces || source.startsWith("}", end)) && (kind != 'u' || end - digits == 4),
                "\\" + kind);
        int value = Integer.parseInt(source.substring(digits, end), 16);
        require(Character.isValidCodePoint(value), "\\" + kind);
        result.append("\\x{").append(Integer.toHexString(value)).append('}');
        at = braces ? end + 1 : end;
    }

    private void require(boolean supported, String what) {
        if (!supported) {
            throw unsupported(what);
        }
    }

    private IllegalArgumentException unsupported(String what) {
        return new IllegalArgumentException("the pattern " + source + " has " + what + " at character " + at
                + ", which is not supported");
    }
}
