package org.gatun.tokenizer;

/// Applies Jinja's rules of white space to a template, and leaves one that needs none: `-` at the edge of a tag strips all
/// on that side; a line break after a block goes (`trim_blocks`), and so do blanks before a block that begins a line
/// (`lstrip_blocks`), unless `+` says otherwise. Comments and a line break at the very end go too.
///
/// This is here because jinjava also strips blanks before blocks in the middle of a line.
final class JinjaWhitespace {
    /// Far above real templates; jinjava parses brackets in more than quadratic time.
    private static final int MAX_BRACKETS = 100;

    private final String template;
    private final StringBuilder result = new StringBuilder();
    private int at;

    private JinjaWhitespace(String template) {
        this.template = template.endsWith("\n") ? template.substring(0, template.length() - 1) : template;
    }

    /// @throws IllegalArgumentException if a tag is not closed, or nests brackets too deeply
    static String apply(String template) {
        return new JinjaWhitespace(template.replace("\r\n", "\n")).apply();
    }

    private String apply() {
        boolean strip = false; // all white space that follows
        boolean lineStart = true;
        boolean afterBlock = false;
        while (true) {
            int tag = nextTag();
            String text = template.substring(at, tag);
            if (strip) {
                text = text.stripLeading();
            } else if (afterBlock && text.startsWith("\n")) {
                text = text.substring(1);
                lineStart = true;
            }
            if (tag == template.length()) {
                return result.append(text).toString();
            }
            char kind = template.charAt(tag + 1);
            char sign = tag + 2 < template.length() ? template.charAt(tag + 2) : ' ';
            if (sign == '-') {
                text = text.stripTrailing();
            } else if (sign != '+' && kind != '{') {
                text = withoutIndent(text, lineStart);
            }
            result.append(text);
            int from = tag + (sign == '-' || sign == '+' ? 3 : 2);
            int end = kind == '#' ? commentEnd(from) : tagEnd(from, kind == '%' ? '%' : '}');
            char last = end > from ? template.charAt(end - 1) : ' ';
            if (kind != '#') {
                int to = last == '-' || last == '+' ? end - 1 : end;
                result.append('{').append(kind).append(' ').append(template, from, to).append(' ')
                        .append(template, end, end + 2);
            }
            strip = last == '-';
            afterBlock = kind != '{' && last != '+';
            lineStart = false;
            at = end + 2;
        }
    }

    /// Where the next tag begins, or the end of the template.
    private int nextTag() {
        for (int i = at; i + 1 < template.length(); i++) {
            if (template.charAt(i) == '{' && "{%#".indexOf(template.charAt(i + 1)) >= 0) {
                return i;
            }
        }
        return template.length();
    }

    private static String withoutIndent(String text, boolean lineStart) {
        int from = text.length();
        while (from > 0 && (text.charAt(from - 1) == ' ' || text.charAt(from - 1) == '\t')) {
            from--;
        }
        boolean startsLine = from > 0 ? text.charAt(from - 1) == '\n' : lineStart;
        return startsLine ? text.substring(0, from) : text;
    }

    private int commentEnd(int from) {
        int end = template.indexOf("#}", from);
        if (end < 0) {
            throw problem(from, "comment is not closed");
        }
        return end;
    }

    /// Where the tag ends, at `%}` or `}}`, past strings and brackets.
    private int tagEnd(int from, char first) {
        int depth = 0;
        for (int i = from; i + 1 < template.length(); i++) {
            char c = template.charAt(i);
            switch (c) {
                case '\'', '"' -> i = stringEnd(i);
                case '(', '[', '{' -> {
                    if (++depth > MAX_BRACKETS) {
                        throw problem(i, "brackets are nested more than " + MAX_BRACKETS + " deep");
                    }
                }
                default -> {
                    if (c == first && template.charAt(i + 1) == '}' && (depth == 0 || c == '%')) {
                        return i;
                    }
                    depth -= c == ')' || c == ']' || c == '}' ? 1 : 0;
                }
            }
        }
        throw problem(from, "tag is not closed");
    }

    private int stringEnd(int from) {
        for (int i = from + 1; i < template.length(); i++) {
            if (template.charAt(i) == '\\') {
                i++;
            } else if (template.charAt(i) == template.charAt(from)) {
                return i;
            }
        }
        throw problem(from, "string is not closed");
    }

    private IllegalArgumentException problem(int position, String what) {
        return new IllegalArgumentException("chat template, line "
                + (1 + template.substring(0, Math.min(position, template.length())).lines().count()) + ": " + what);
    }
}
