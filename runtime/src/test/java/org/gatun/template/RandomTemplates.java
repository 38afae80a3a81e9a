package org.gatun.template;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/// Makes templates at random by the grammar, with all that templates can name, and now and then breaks them.
final class RandomTemplates {
    private static final List<String> NAMES = List.of("s", "e", "n", "f", "t", "no", "l", "d", "u", "w", "m", "ns", "x", "y", "g", "loop",
            "missing", "caller", "varargs", "range", "dict", "namespace", "cycler", "joiner");
    private static final List<String> LITERALS = List.of("1", "0", "-1", "2", "7", "1.5", "1e300", "9223372036854775807", "99999", "true", "none",
            "''", "'a'", "'abc 🙂'", "'<b>'", "'%s %d'", "'{} {0}'", "'{:>9}'", "' x\\ny '", "'role'", "'n'", "'\\u2581'", "[]", "{}", "()", "(1,)",
            "[1, 'a', none]", "{'a': 1, 'b': [2]}", "range(9)", "'ab' * 500", "[l] * 99");
    private static final List<String> OPERATORS = List.of("+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in",
            "not in", "and", "or");
    private static final List<String> ATTRIBUTES = List.of("a", "items", "get", "role", "content", "index", "index0", "last", "length", "name",
            "previtem", "nextitem", "cycle", "changed", "append", "update", "next", "count", "keys", "values", "copy", "__class__", "x");

    private static final String BROKEN = "{}%#()[]'\"|.,:-+~\\\n 0x";

    private final Random random;
    private final List<String> filters = Filters.NAMES.stream().sorted().toList();
    private final List<String> tests = Tests.NAMES.stream().sorted().toList();
    private final List<String> methods = TextMethods.NAMES.stream().sorted().toList();

    RandomTemplates(Random random) {
        this.random = random;
    }

    String next() {
        String template = "{% set ns = namespace(x=1, s='a') %}{% macro g(x, y=2) %}{{ x }}{{ y }}{{ caller(1) if caller }}{% endmacro %}" + body(3);
        return random.nextInt(12) == 0 ? broken(template) : template;
    }

    private String broken(String template) {
        StringBuilder text = new StringBuilder(template);
        for (int i = random.nextInt(3); i >= 0 && text.length() > 0; i--) {
            int at = random.nextInt(text.length());
            if (random.nextBoolean()) {
                text.deleteCharAt(at);
            } else {
                text.insert(at, BROKEN.charAt(random.nextInt(BROKEN.length())));
            }
        }
        return text.toString();
    }

    private <T> T any(List<T> list) {
        return list.get(random.nextInt(list.size()));
    }

    private String body(int depth) {
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(4); i >= 0; i--) {
            text.append(statement(depth));
        }
        return text.toString();
    }

    private String tag(String inside) {
        return any(List.of("{% ", "{%- ", "{%+ ", "\n  {% ")) + inside + any(List.of(" %}", " -%}", " +%}", " %}\n"));
    }

    private String statement(int depth) {
        return switch (depth == 0 ? random.nextInt(3) : random.nextInt(14)) {
            case 0 -> any(List.of("text", " ", "\n", "a\n  ", "{# note #}", "{%- raw %} {{ {% endraw %}"));
            case 1, 2 -> any(List.of("{{ ", "{{- ")) + expression(3) + any(List.of(" }}", " -}}"));
            case 3 -> tag("if " + expression(2)) + body(depth - 1) + (random.nextBoolean() ? tag("else") + body(depth - 1) : "") + tag("endif");
            case 4, 5 -> tag("for " + (random.nextInt(9) > 0 ? any(List.of("x", "y")) + " in " + sequence(2, "") : "x, y in d.items()") + (random.nextInt(4) == 0 ? " if " + expression(1) : "")
                    + (random.nextInt(6) == 0 ? " recursive" : "")) + body(depth - 1)
                    + (random.nextInt(4) == 0 ? tag(any(List.of("break", "continue", "else"))) : "") + tag("endfor");
            case 6, 7 -> tag("set " + any(random.nextInt(20) > 0 ? List.of("x", "y", "ns.x", "ns.s") : List.of("x, y", "d.x")) + " = " + expression(3));
            case 8 -> tag("set ns = namespace(x=" + expression(2) + ", s='a')");
            case 9 -> tag("set x" + (random.nextBoolean() ? " | " + any(List.of("upper", "trim", "indent", "length")) : "")) + body(depth - 1) + tag("endset");
            case 10 -> tag("macro g(x, y=" + expression(1) + ")") + body(depth - 1) + tag("endmacro");
            case 11 -> tag("call(x) g(" + expression(1) + ")") + body(depth - 1) + tag("endcall");
            case 12 -> tag("filter " + any(List.of("upper", "trim", "e", "title | replace('a', 'bb')", "indent(2)"))) + body(depth - 1) + tag("endfilter");
            default -> random.nextBoolean() ? tag("generation") + body(depth - 1) + tag("endgeneration")
                    : tag("with x = " + expression(1)) + body(depth - 1) + tag("endwith");
        };
    }

    /// Mostly one whose parts fit, so that what comes after it is reached too.
    private String expression(int depth) {
        return switch (random.nextInt(40)) {
            case 0 -> wild(depth);
            case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 -> text(depth);
            case 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 -> number(depth);
            case 21, 22, 23, 24, 25, 26, 27 -> truth(depth);
            default -> sequence(depth, "");
        };
    }

    private String text(int depth) {
        if (depth == 0) {
            return any(List.of("s", "e", "u", "w", "'a'", "'<b> %'", "m[0].role", "'b\\n\\u00e9'", "'x' * 9"));
        }
        return switch (random.nextInt(9)) {
            case 0 -> "(" + text(depth - 1) + " + " + text(depth - 1) + ")";
            case 1 -> "(" + text(depth - 1) + " ~ " + expression(depth - 1) + ")";
            case 2 -> "(" + text(depth - 1) + " | " + any(List.of("upper", "lower", "title", "trim", "e", "safe", "indent", "tojson", "capitalize",
                    "replace('a', 'bb')", "truncate(9)", "center(20)", "urlencode", "string", "reverse", "default('x', true)")) + ")";
            case 3 -> text(depth - 1) + "." + any(List.of("strip()", "upper()", "swapcase()", "replace(" + text(0) + ", " + text(0) + ")",
                    "join(['p', 'q'])", "removeprefix('a')", "zfill(9)", "split('a')[0]", "rsplit(none, 1) | join", "partition('b')[2]", "expandtabs()"));
            case 4 -> text(depth - 1) + "[" + any(List.of(":2", "1:", "::-1", "-3:", "::2")) + "]";
            case 5 -> "('%s-%r' % (" + expression(depth - 1) + ", " + expression(depth - 1) + "))";
            case 6 -> "'{:>5}{}'.format(" + text(depth - 1) + ", " + expression(depth - 1) + ")";
            case 7 -> "(" + sequence(depth - 1, "") + " | join('-'))";
            default -> "(" + text(depth - 1) + " if " + truth(depth - 1) + " else " + text(depth - 1) + ")";
        };
    }

    private String number(int depth) {
        if (depth == 0) {
            return any(List.of("n", "f", "1", "2", "3.5", "10", "0.1", "true"));
        }
        return switch (random.nextInt(5)) {
            case 0 -> "(" + number(depth - 1) + " " + any(List.of("+", "-", "*")) + " " + number(depth - 1) + ")";
            case 1 -> "(" + number(depth - 1) + " " + any(List.of("/", "//", "%", "**")) + " " + any(List.of("2", "3", "-2", "0.5")) + ")";
            case 2 -> "(" + sequence(depth - 1, "") + " | length)";
            case 3 -> "(" + number(depth - 1) + " | " + any(List.of("abs", "round", "int", "float", "round(2)")) + ")";
            default -> text(depth - 1) + "." + any(List.of("find('a')", "count('b')", "rfind('x')"));
        };
    }

    private String truth(int depth) {
        if (depth == 0) {
            return any(List.of("t", "not no", "missing", "x is defined", "l", "e"));
        }
        return switch (random.nextInt(5)) {
            case 0 -> "(" + number(depth - 1) + " " + any(List.of("<", "<=", ">", "==", "!=")) + " " + number(depth - 1) + ")";
            case 1 -> "(" + text(depth - 1) + any(List.of(" in ", " not in ", " == ", " < ")) + text(depth - 1) + ")";
            case 2 -> "(" + expression(depth - 1) + " is " + any(List.of("defined", "none", "string", "mapping", "iterable", "number", "true",
                    "sequence", "not boolean", "eq 1", "in [1, 'a']")) + ")";
            case 3 -> "(" + truth(depth - 1) + any(List.of(" and ", " or ")) + truth(depth - 1) + ")";
            default -> "(not " + expression(depth - 1) + ")";
        };
    }

    /// @param after what follows the list
    private String sequence(int depth, String after) {
        if (depth == 0) {
            return any(List.of("l", "[]", "[1, 'a', none]", "(3, 4)", "m", "[l, l]")) + after;
        }
        return switch (random.nextInt(7)) {
            case 0 -> "[" + expression(depth - 1) + ", " + expression(depth - 1) + "]" + after;
            case 1 -> "(" + sequence(depth - 1, "") + " | " + any(List.of("list", "reverse | list", "map('string') | list", "select | list",
                    "reject('string') | list", "batch(2) | list", "slice(2) | list", "selectattr('role', 'defined') | list",
                    "map('tojson') | unique | list")) + ")" + after;
            case 2 -> sequence(depth - 1, "[" + any(List.of("1:", "::-1", ":-1", "::2")) + "]") + after;
            case 3 -> "(" + text(depth - 1) + ").split()" + after;
            case 4 -> "(d." + any(List.of("items()", "keys()", "values()")) + " | list)" + after;
            case 5 -> "(" + any(List.of("m | map(attribute='role')", "m | sort(attribute='n')", "d | dictsort", "m | groupby('n')", "range(" + any(
                    List.of("3", "5, 1, -2", "n")) + ")")) + " | list)" + after;
            default -> "([" + number(depth - 1) + "] * 3)" + after;
        };
    }

    private String wild(int depth) {
        if (depth == 0) {
            return random.nextBoolean() ? any(NAMES) : any(LITERALS);
        }
        return switch (random.nextInt(13)) {
            case 0, 1 -> expression(depth - 1) + " " + any(OPERATORS) + " " + expression(depth - 1);
            case 2, 3 -> "(" + expression(depth - 1) + ") | " + any(filters) + arguments(depth - 1);
            case 4 -> "(" + expression(depth - 1) + ") is " + (random.nextBoolean() ? "not " : "") + any(tests) + arguments(depth - 1);
            case 5 -> "(" + expression(depth - 1) + ")." + any(methods) + "(" + list(depth - 1) + ")";
            case 6 -> expression(depth - 1) + "." + any(ATTRIBUTES) + (random.nextBoolean() ? arguments(depth - 1) : "");
            case 7 -> "(" + expression(depth - 1) + ")[" + expression(depth - 1) + "]";
            case 8 -> "(" + expression(depth - 1) + ")[" + expression(0) + ":" + (random.nextBoolean() ? expression(0) : "")
                    + (random.nextBoolean() ? ":" + any(List.of("-1", "2", "-3", "0")) : "") + "]";
            case 9 -> expression(depth - 1) + " if " + expression(depth - 1) + (random.nextBoolean() ? " else " + expression(depth - 1) : "");
            case 10 -> any(List.of("not ", "-", "+")) + expression(depth - 1);
            case 11 -> "[" + list(depth - 1) + "]";
            default -> any(NAMES) + "(" + list(depth - 1) + ")";
        };
    }

    private String arguments(int depth) {
        return random.nextInt(3) == 0 ? "" : "(" + list(depth) + (random.nextInt(5) == 0 ? any(List.of("attribute='n'", "*l", "**d", "x=1")) : "") + ")";
    }

    private String list(int depth) {
        List<String> elements = new ArrayList<>();
        for (int i = random.nextInt(3); i > 0; i--) {
            elements.add(expression(depth));
        }
        return String.join(", ", elements);
    }
}
