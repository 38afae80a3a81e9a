package org.gatun.cuda.simulator;

import java.util.ArrayList;
import java.util.List;

/// Cuts PTX into words, numbers, strings and single signs.
final class PtxLexer {
    /// @param line counted from 1
    record Token(Kind kind, String text, int line) {
        boolean is(String expected) {
            return text.equals(expected) && kind != Kind.STRING;
        }
    }

    enum Kind { WORD, NUMBER, STRING, SIGN, END }

    private final String text;
    private final List<Token> tokens = new ArrayList<>();
    private int at;
    private int line = 1;

    private PtxLexer(String text) {
        this.text = text;
    }

    /// The tokens, comments left out, an END last.
    ///
    /// @throws PtxException if something is no token
    static List<Token> tokens(String ptx) {
        PtxLexer lexer = new PtxLexer(ptx);
        lexer.run();
        return lexer.tokens;
    }

    private void run() {
        while (at < text.length()) {
            char c = text.charAt(at);
            if (c == '\n') {
                line++;
                at++;
            } else if (c <= ' ') {
                at++;
            } else if (text.startsWith("//", at)) {
                at = orEnd(text.indexOf('\n', at));
            } else if (text.startsWith("/*", at)) {
                int end = text.indexOf("*/", at);
                if (end < 0) {
                    throw new PtxException(line, "a comment has no end");
                }
                skip(end + 2);
            } else if (c == '"') {
                int end = text.indexOf('"', at + 1);
                if (end < 0) {
                    throw new PtxException(line, "a string has no end");
                }
                tokens.add(new Token(Kind.STRING, text.substring(at + 1, end), line));
                skip(end + 1);
            } else if (isDigit(c)) {
                take(Kind.NUMBER);
            } else if (isWordStart(c)) {
                take(Kind.WORD);
            } else if ("{}()[]<>,;:=+-|!@&*".indexOf(c) >= 0) {
                tokens.add(new Token(Kind.SIGN, String.valueOf(c), line));
                at++;
            } else {
                throw new PtxException(line, "found the character '" + c + "' (" + (int) c + "), expected PTX");
            }
        }
        tokens.add(new Token(Kind.END, "the end of the text", line));
    }

    private int orEnd(int index) {
        return index < 0 ? text.length() : index;
    }

    private void skip(int to) {
        line += (int) text.substring(at, to).chars().filter(c -> c == '\n').count();
        at = to;
    }

    private void take(Kind kind) {
        int start = at;
        while (at < text.length() && (isWordPart(text.charAt(at)) || isScope(at))) {
            at += isScope(at) ? 2 : 1;
        }
        tokens.add(new Token(kind, text.substring(start, at), line));
    }

    private boolean isScope(int index) {
        return text.startsWith("::", index) && index + 2 < text.length() && isLetterOrDigit(text.charAt(index + 2));
    }

    // PTX is ASCII: digits and letters of other scripts are none, and taken nowhere.

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    private static boolean isLetterOrDigit(char c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c);
    }

    private static boolean isWordStart(char c) {
        return isWordPart(c) && !isDigit(c);
    }

    private static boolean isWordPart(char c) {
        return isLetterOrDigit(c) || c == '_' || c == '$' || c == '%' || c == '.';
    }
}
