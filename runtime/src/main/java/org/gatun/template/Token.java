package org.gatun.template;

/// A piece of a template, as [Lexer] cuts it.
///
/// @param text as written; what is meant, for strings and for text outside of tags
/// @param line from 1
record Token(Kind kind, String text, int line) {

    enum Kind {
        DATA("text"), VARIABLE_BEGIN("{{"), VARIABLE_END("}}"), BLOCK_BEGIN("{%"), BLOCK_END("%}"), NAME("a name"),
        STRING("a string"), INTEGER("an integer"), FLOAT("a number"), OPERATOR("an operator"), END("the end of the template");

        private final String shown;

        Kind(String shown) {
            this.shown = shown;
        }
    }

    boolean is(Kind expected) {
        return kind == expected;
    }

    boolean isOperator(String expected) {
        return kind == Kind.OPERATOR && text.equals(expected);
    }

    boolean isName(String expected) {
        return kind == Kind.NAME && text.equals(expected);
    }

    /// For messages.
    String shown() {
        return switch (kind) {
            case NAME, INTEGER, FLOAT, OPERATOR -> "'" + text + "'";
            case DATA, VARIABLE_BEGIN, VARIABLE_END, BLOCK_BEGIN, BLOCK_END, STRING, END -> kind.shown;
        };
    }
}
