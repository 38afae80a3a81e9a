package org.gatun.template;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import org.gatun.template.Value.Bool;
import org.gatun.template.Value.Dict;
import org.gatun.template.Value.Int;
import org.gatun.template.Value.None;
import org.gatun.template.Value.Real;
import org.gatun.template.Value.Sequence;
import org.gatun.template.Value.Text;

/// Writes values as `json.dumps` of Python does, for the filter `tojson`.
///
/// @param indent what each level is moved in by; without it, all is on one line
/// @param between what stands between elements
/// @param afterKey what stands between a key and its value
record Json(Operators operators, Optional<String> indent, String between, String afterKey, boolean ensureAscii,
        boolean sortKeys) {

    String write(Value value) {
        StringBuilder text = new StringBuilder();
        write(value, 0, text);
        return text.toString();
    }

    private void append(StringBuilder text, String more) {
        operators.budget().bytes(4L * more.length() + 1);
        text.append(more);
    }

    private void write(Value value, int level, StringBuilder text) {
        operators.budget().enter();
        switch (value) {
            case None _ -> append(text, "null");
            case Bool flag -> append(text, flag == Bool.TRUE ? "true" : "false");
            case Int integer -> append(text, integer.value().toString());
            case Real real -> append(text, real(real.value()));
            case Text string -> append(text, quoted(string.value()));
            case Sequence sequence -> list(sequence.elements(), level, text);
            case Dict dict -> map(dict, level, text);
            default -> throw new Refusal("tojson of " + Operators.type(value));
        }
        operators.budget().leave();
    }

    private static String real(double value) {
        return Double.isNaN(value) ? "NaN" : Double.isInfinite(value) ? value > 0 ? "Infinity" : "-Infinity" : Printer.real(value);
    }

    private void list(List<Value> elements, int level, StringBuilder text) {
        append(text, "[");
        for (Iterator<Value> more = elements.iterator(); more.hasNext();) {
            newLine(level + 1, text);
            write(more.next(), level + 1, text);
            append(text, more.hasNext() ? between : "");
        }
        if (!elements.isEmpty()) {
            newLine(level, text);
        }
        append(text, "]");
    }

    private void map(Dict dict, int level, StringBuilder text) {
        append(text, "{");
        for (Iterator<Dict.Entry> more = entries(dict).iterator(); more.hasNext();) {
            Dict.Entry entry = more.next();
            newLine(level + 1, text);
            append(text, quoted(key(entry.key())) + afterKey);
            write(entry.value(), level + 1, text);
            append(text, more.hasNext() ? between : "");
        }
        if (dict.size() > 0) {
            newLine(level, text);
        }
        append(text, "}");
    }

    private List<Dict.Entry> entries(Dict dict) {
        List<Dict.Entry> entries = new ArrayList<>(dict.entries().values());
        operators.budget().list(entries.size());
        if (sortKeys) {
            Sorting.sort(entries, Comparator.comparing(Dict.Entry::key, (one, two) -> operators.order(one, two, "<")));
        }
        return entries;
    }

    private static String key(Value key) {
        return switch (key) {
            case Text text -> text.value();
            case None _ -> "null";
            case Bool flag -> flag == Bool.TRUE ? "true" : "false";
            case Int integer -> integer.value().toString();
            case Real real -> real(real.value());
            default -> throw new Refusal("tojson: a key is " + Operators.type(key));
        };
    }

    private void newLine(int level, StringBuilder text) {
        indent.ifPresent(step -> {
            operators.budget().text((long) level * step.length());
            text.append('\n').append(step.repeat(level));
        });
    }

    private String quoted(String string) {
        operators.budget().text(string.length());
        StringBuilder text = new StringBuilder("\"");
        for (int i = 0; i < string.length(); i++) {
            char c = string.charAt(i);
            switch (c) {
                case '"' -> text.append("\\\"");
                case '\\' -> text.append("\\\\");
                case '\n' -> text.append("\\n");
                case '\r' -> text.append("\\r");
                case '\t' -> text.append("\\t");
                case '\f' -> text.append("\\f");
                case '\b' -> text.append("\\b");
                default -> {
                    if (c < ' ' || ensureAscii && c > 0x7e) {
                        operators.budget().bytes(64);
                        text.append("\\u%04x".formatted((int) c));
                    } else {
                        text.append(c);
                    }
                }
            }
        }
        return text.append('"').toString();
    }
}
