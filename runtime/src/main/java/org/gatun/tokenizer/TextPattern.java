package org.gatun.tokenizer;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/// What a normalizer, pre-tokenizer or decoder looks for: a text, or a pattern. Immutable.
final class TextPattern {
    /// What a pattern from a file may take on a text, which bounds backtracking. Published patterns take some ten.
    private static final int STEPS_PER_CHARACTER = 500;
    private static final int MIN_STEPS = 1_000_000;

    /// Takes the matches in a text, one at a time.
    interface Matches {
        /// The match from `from` to before `to`, which may be empty.
        void accept(int from, int to);
    }

    private final Pattern pattern;
    private final boolean bounded;

    private TextPattern(Pattern pattern, boolean bounded) {
        this.pattern = pattern;
        this.bounded = bounded;
    }

    /// The pattern that this looks for, if it is one that [PreTokenizer] knows.
    Optional<String> known() {
        return bounded || literal().isPresent() ? Optional.empty() : Optional.of(pattern.pattern());
    }

    /// The text that this looks for, if it is one.
    Optional<String> literal() {
        return (pattern.flags() & Pattern.LITERAL) != 0 ? Optional.of(pattern.pattern()) : Optional.empty();
    }

    static TextPattern literal(String text) {
        return new TextPattern(Pattern.compile(text, Pattern.LITERAL), false);
    }

    /// @param expression in the syntax of Oniguruma
    /// @throws IllegalArgumentException if it is no pattern, or has what is not supported; the message says what
    static TextPattern regex(String expression) {
        if (PreTokenizer.isKnown(expression)) {
            return new TextPattern(Pattern.compile(expression, Pattern.UNICODE_CHARACTER_CLASS), false);
        }
        String java = PatternSyntax.translate(expression);
        try {
            return new TextPattern(Pattern.compile(java,
                    Pattern.UNICODE_CHARACTER_CLASS | Pattern.UNIX_LINES | Pattern.MULTILINE), true);
        } catch (PatternSyntaxException e) {
            throw new IllegalArgumentException("the pattern " + expression + " is not supported: " + e.getDescription(), e);
        }
    }

    /// Finds the matches from left to right. An empty one right after another match does not count.
    ///
    /// @throws IllegalArgumentException if a pattern from a file takes more than 500 steps a character
    void find(String text, Matches matches) {
        Matcher matcher = pattern.matcher(bounded ? new Counted(text, pattern) : text);
        int last = -1;
        while (matcher.find()) {
            boolean empty = matcher.end() == matcher.start();
            if (!empty || matcher.start() != last && !splitsCharacter(text, matcher.start())) {
                matches.accept(matcher.start(), matcher.end());
                last = matcher.end();
            }
        }
    }

    private static boolean splitsCharacter(String text, int at) {
        return at > 0 && at < text.length() && Character.isSurrogatePair(text.charAt(at - 1), text.charAt(at));
    }

    /// The text with `content` for each match.
    String replace(String text, String content) {
        if ((pattern.flags() & Pattern.LITERAL) != 0 && !pattern.pattern().isEmpty()) {
            return text.replace(pattern.pattern(), content);
        }
        StringBuilder result = new StringBuilder();
        int[] copied = {0};
        find(text, (from, to) -> {
            result.append(text, copied[0], from).append(content);
            copied[0] = to;
        });
        return copied[0] == 0 && result.isEmpty() ? text : result.append(text, copied[0], text.length()).toString();
    }

    /// A text that counts how often it is looked at.
    private static final class Counted implements CharSequence {
        private final String text;
        private final Pattern pattern;
        private long steps;

        Counted(String text, Pattern pattern) {
            this.text = text;
            this.pattern = pattern;
            this.steps = MIN_STEPS + (long) STEPS_PER_CHARACTER * text.length();
        }

        @Override
        public char charAt(int index) {
            if (--steps < 0) {
                throw new IllegalArgumentException("the tokenizer's pattern " + pattern + " takes more than "
                        + STEPS_PER_CHARACTER + " steps a character on this text");
            }
            return text.charAt(index);
        }

        @Override
        public int length() {
            return text.length();
        }

        @Override
        public CharSequence subSequence(int start, int end) {
            return text.substring(start, end);
        }

        @Override
        public String toString() {
            return text;
        }
    }
}
