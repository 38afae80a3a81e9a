package org.gatun.template;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Breaks texts into lines that are no longer than a width, as Python's `textwrap` does, for the filter `wordwrap`.
///
/// @param width in code points, at least 1
/// @param breaksWords whether words that are longer are broken
/// @param breaksAtHyphens whether a line may end with a hyphen within a word
record WordWrap(Budget budget, int width, boolean breaksWords, boolean breaksAtHyphens) {
    private static final String BLANKS = "\\t\\n\\x0b\\f\\r ";
    private static final String LETTER = "[\\p{L}\\p{Nl}\\p{No}_]";
    private static final String WORD = "[" + Characters.WORD + "]";
    private static final String WORD_OR_MARK = "[" + Characters.WORD + "!\"'&.,?]";

    private static final Pattern WORDS = Pattern.compile("[" + BLANKS + "]+|[^" + BLANKS + "]+");
    /// Blanks; dashes between words; and words, up to a hyphen between letters, to their end, or to dashes.
    private static final Pattern PARTS = Pattern.compile("[" + BLANKS + "]+"
            + "|(?<=" + WORD_OR_MARK + ")-{2,}(?=" + WORD + ")"
            + "|[^" + BLANKS + "]+?(?:"
            + "-(?:(?<=" + LETTER + "{2}-)|(?<=" + LETTER + "-" + WORD_OR_MARK + "-))(?=" + LETTER + "-?" + LETTER + ")"
            + "|(?=[" + BLANKS + "]|\\z)"
            + "|(?<=" + WORD_OR_MARK + ")(?=-{2,}" + WORD + "))");

    WordWrap {
        if (width < 1) {
            throw new Refusal("wordwrap to " + width + ": expected at least 1");
        }
    }

    /// The lines of a text in which no line ends.
    List<String> lines(String text) {
        List<String> lines = new ArrayList<>();
        for (Rest rest = new Rest(parts(text)); !rest.isEmpty();) {
            if (!lines.isEmpty() && rest.firstIsBlank()) {
                rest.take(rest.firstLength());
            }
            List<String> line = new ArrayList<>();
            int room = width;
            while (!rest.isEmpty() && rest.firstLength() <= room) {
                room -= rest.firstLength();
                line.add(rest.take(rest.firstLength()));
            }
            if (!rest.isEmpty() && rest.firstLength() > width && (breaksWords || line.isEmpty())) {
                line.add(rest.take(!breaksWords ? rest.firstLength() : breaksAtHyphens ? rest.upToHyphen(room) : room));
            }
            if (!line.isEmpty() && Characters.isBlank(line.getLast())) {
                line.removeLast();
            }
            if (!line.isEmpty()) {
                lines.add(String.join("", line));
                budget.text(lines.getLast().length());
            }
        }
        return lines;
    }

    private List<String> parts(String text) {
        budget.bytes(2L * text.length());
        List<String> parts = new ArrayList<>();
        for (Matcher part = (breaksAtHyphens ? PARTS : WORDS).matcher(text); part.find();) {
            budget.text(part.group().length());
            parts.add(part.group());
        }
        return parts;
    }

    /// The parts that are on no line yet. The first may have lost its beginning. Lengths are in code points.
    private static final class Rest {
        private final List<String> parts;
        private int at;
        private int from;
        private int firstLength;

        Rest(List<String> parts) {
            this.parts = parts;
            begin();
        }

        private void begin() {
            from = 0;
            firstLength = isEmpty() ? 0 : parts.get(at).codePointCount(0, parts.get(at).length());
        }

        boolean isEmpty() {
            return at == parts.size();
        }

        int firstLength() {
            return firstLength;
        }

        boolean firstIsBlank() {
            String first = parts.get(at);
            int end = from;
            while (end < first.length() && Characters.isSpace(first.charAt(end))) {
                end++;
            }
            return end == first.length();
        }

        /// The beginning of the first part.
        String take(int length) {
            String first = parts.get(at);
            int to = first.offsetByCodePoints(from, length);
            String taken = first.substring(from, to);
            from = to;
            firstLength -= length;
            if (from == first.length()) {
                at++;
                begin();
            }
            return taken;
        }

        /// How much of the first part there is up to its last hyphen that leaves something before it, at most so much.
        int upToHyphen(int max) {
            String first = parts.get(at);
            int hyphen = first.lastIndexOf('-', first.offsetByCodePoints(from, max) - 1);
            for (int i = from; i < hyphen; i++) {
                if (first.charAt(i) != '-') {
                    return first.codePointCount(from, hyphen) + 1;
                }
            }
            return max;
        }
    }
}
