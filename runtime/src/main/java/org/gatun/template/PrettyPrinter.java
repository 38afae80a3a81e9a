package org.gatun.template;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gatun.template.Value.Bool;
import org.gatun.template.Value.Dict;
import org.gatun.template.Value.Int;
import org.gatun.template.Value.None;
import org.gatun.template.Value.Real;
import org.gatun.template.Value.Sequence;
import org.gatun.template.Value.SequenceKind;
import org.gatun.template.Value.Text;

/// Writes values on lines of at most 80 characters, as Python's `pprint` does, for the filter of that name: what does not
/// fit is broken after the elements of lists and maps, and strings after words. Keys are sorted.
final class PrettyPrinter {
    private static final int WIDTH = 80;
    private static final Pattern WORDS = Pattern.compile("[^" + Characters.SPACE + "]*+[" + Characters.SPACE + "]*+");

    private final Operators operators;
    private final Printer printer;
    private final Budget budget;
    private final StringBuilder text = new StringBuilder();

    private PrettyPrinter(Operators operators) {
        this.operators = operators;
        printer = operators.printer();
        budget = operators.budget();
    }

    static String write(Operators operators, Value value) {
        PrettyPrinter pretty = new PrettyPrinter(operators);
        pretty.write(pretty.sorted(value), 0, 0, true);
        return pretty.text.toString();
    }

    // Keys in order

    private Value sorted(Value value) {
        budget.enter();
        Value result = switch (value) {
            case Sequence sequence when sequence.kind() != SequenceKind.GROUP -> {
                budget.list(sequence.elements().size());
                yield new Sequence(sequence.kind(), sequence.elements().stream().map(this::sorted).toList());
            }
            case Dict dict -> {
                budget.map(dict.size());
                List<Dict.Entry> entries = new ArrayList<>(dict.entries().values());
                Sorting.sort(entries, Comparator.comparing(Dict.Entry::key, this::order));
                Dict.Builder sorted = new Dict.Builder();
                entries.forEach(entry -> sorted.put(operators.hash(entry.key()), entry.key(), sorted(entry.value())));
                yield sorted.build();
            }
            default -> value;
        };
        budget.leave();
        return result;
    }

    /// Keys of kinds that have no order among them are in that of the kinds' names.
    private int order(Value one, Value two) {
        budget.work(1);
        boolean haveOrder = Operators.isNumber(one) && Operators.isNumber(two) || one instanceof Text && two instanceof Text
                || one instanceof Sequence && two instanceof Sequence;
        int order = haveOrder ? operators.order(one, two, "<") : kind(one).compareTo(kind(two));
        return haveOrder && order == 2 ? 0 : order;
    }

    private static String kind(Value key) {
        return switch (key) {
            case Bool _ -> "bool";
            case Real _ -> "float";
            case Int _ -> "int";
            case Text text -> text.isMarkup() ? "markupsafe.Markup" : "str";
            case Sequence _ -> "tuple";
            case None _ -> "NoneType";
            default -> "other";
        };
    }

    // Lines

    private void append(String more) {
        budget.bytes(4L * more.length() + 1);
        text.append(more);
    }

    private void newLine(int indent) {
        append("\n" + " ".repeat(indent));
    }

    /// @param indent how many characters stand before it on its line
    /// @param after how many come behind it on its last line
    private void write(Value value, int indent, int after, boolean isOutermost) {
        budget.enter();
        String flat = printer.repr(value);
        if (flat.codePointCount(0, flat.length()) <= WIDTH - indent - after) {
            append(flat);
        } else {
            switch (value) {
                case Dict dict -> writeEntries(dict, indent + 1, after + 1);
                case Sequence sequence when sequence.isList() -> writeElements("[", sequence.elements(), "]", indent + 1, after);
                case Sequence sequence when sequence.kind() == SequenceKind.TUPLE -> writeElements("(", sequence.elements(),
                        sequence.elements().size() == 1 ? ",)" : ")", indent + 1, after);
                case Text string when !string.isMarkup() && !string.value().isEmpty() -> writeText(string, indent, after, isOutermost);
                default -> append(flat);
            }
        }
        budget.leave();
    }

    private void writeElements(String open, List<Value> elements, String close, int indent, int after) {
        append(open);
        for (Iterator<Value> more = elements.iterator(); more.hasNext();) {
            Value element = more.next();
            write(element, indent, more.hasNext() ? 1 : after + close.length(), false);
            if (more.hasNext()) {
                append(",");
                newLine(indent);
            }
        }
        append(close);
    }

    private void writeEntries(Dict dict, int indent, int after) {
        append("{");
        for (Iterator<Dict.Entry> more = dict.entries().values().iterator(); more.hasNext();) {
            Dict.Entry entry = more.next();
            String key = printer.repr(entry.key()) + ": ";
            append(key);
            write(entry.value(), indent + key.codePointCount(0, key.length()), more.hasNext() ? 1 : after, false);
            if (more.hasNext()) {
                append(",");
                newLine(indent);
            }
        }
        append("}");
    }

    /// A string as several that Python joins; in brackets if nothing else is around it.
    private void writeText(Text string, int indent, int after, boolean isOutermost) {
        int bracket = isOutermost ? 1 : 0;
        int room = WIDTH - indent - bracket;
        int lastRoom = room - after - bracket;
        List<String> pieces = new ArrayList<>();
        List<String> lines = TextMethods.lines(budget, string.value(), true);
        for (int i = 0; i < lines.size(); i++) {
            boolean isLast = i == lines.size() - 1;
            String quoted = printer.quoted(lines.get(i));
            if (length(quoted) <= (isLast ? lastRoom : room)) {
                pieces.add(quoted);
            } else {
                addWords(lines.get(i), room, isLast ? lastRoom : room, pieces);
            }
        }
        if (pieces.size() == 1) {
            append(printer.quoted(lines.getLast()));
            return;
        }
        append(isOutermost ? "(" : "");
        for (int i = 0; i < pieces.size(); i++) {
            if (i > 0) {
                newLine(indent + bracket);
            }
            append(pieces.get(i));
        }
        append(isOutermost ? ")" : "");
    }

    private void addWords(String line, int room, int lastRoom, List<String> pieces) {
        String piece = "";
        Matcher words = WORDS.matcher(line);
        while (words.find() && !words.group().isEmpty()) {
            String longer = piece + words.group();
            if (length(printer.quoted(longer)) > (words.end() == line.length() ? lastRoom : room)) {
                if (!piece.isEmpty()) {
                    pieces.add(printer.quoted(piece));
                }
                piece = words.group();
            } else {
                piece = longer;
            }
        }
        if (!piece.isEmpty()) {
            pieces.add(printer.quoted(piece));
        }
    }

    private static int length(String text) {
        return text.codePointCount(0, text.length());
    }
}
