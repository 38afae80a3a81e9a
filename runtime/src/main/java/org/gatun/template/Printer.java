package org.gatun.template;

import java.math.BigDecimal;
import java.util.List;
import org.gatun.template.Value.Blocks;
import org.gatun.template.Value.Bool;
import org.gatun.template.Value.Callable;
import org.gatun.template.Value.Cycler;
import org.gatun.template.Value.Dict;
import org.gatun.template.Value.Int;
import org.gatun.template.Value.Joiner;
import org.gatun.template.Value.Loop;
import org.gatun.template.Value.Macro;
import org.gatun.template.Value.Namespace;
import org.gatun.template.Value.None;
import org.gatun.template.Value.Range;
import org.gatun.template.Value.Real;
import org.gatun.template.Value.Sequence;
import org.gatun.template.Value.Stream;
import org.gatun.template.Value.Text;
import org.gatun.template.Value.Undefined;
import org.gatun.template.Value.View;

/// Writes values as Python prints them.
final class Printer {
    private final Budget budget;

    Printer(Budget budget) {
        this.budget = budget;
    }

    /// As `str(value)`.
    String str(Value value) {
        return switch (value) {
            case Text text -> text.value();
            case Undefined _ -> "";
            default -> repr(value);
        };
    }

    /// As `repr(value)`.
    String repr(Value value) {
        StringBuilder text = new StringBuilder();
        repr(value, text);
        return text.toString();
    }

    private void append(StringBuilder text, String more) {
        budget.bytes(4L * more.length() + 1);
        text.append(more);
    }

    private void repr(Value value, StringBuilder text) {
        budget.enter();
        switch (value) {
            case Text string -> append(text, string.isMarkup() ? "Markup(" + quoted(string.value()) + ")" : quoted(string.value()));
            case None _ -> append(text, "None");
            case Undefined _ -> append(text, "Undefined");
            case Bool flag -> append(text, flag == Bool.TRUE ? "True" : "False");
            case Int integer -> append(text, integer.value().toString());
            case Real real -> append(text, real(real.value()));
            case Sequence sequence -> sequence(sequence, text);
            case Range range -> append(text, "range(" + range.start() + ", " + range.stop()
                    + (range.step() == 1 ? ")" : ", " + range.step() + ")"));
            case Dict dict -> dict(dict, text);
            case View view -> view(view, text);
            case Namespace namespace -> {
                append(text, "<Namespace {");
                String between = "";
                for (var attribute : namespace.attributes().entrySet()) {
                    append(text, between + quoted(attribute.getKey()) + ": ");
                    repr(attribute.getValue(), text);
                    between = ", ";
                }
                append(text, "}>");
            }
            case Macro macro -> append(text, macro.name().isEmpty() ? "<Macro anonymous>" : "<Macro " + quoted(macro.name()) + ">");
            case Loop loop -> append(text, "<LoopContext " + (loop.index0() + 1) + "/" + loop.length(budget) + ">");
            case Blocks _ -> append(text, "<TemplateReference None>");
            case Stream _, Callable _, Cycler _, Joiner _ -> throw new Refusal("prints " + Operators.type(value)
                    + (value instanceof Stream ? ": make it a list" : ": is it meant to be called?"));
        }
        budget.leave();
    }

    private void sequence(Sequence sequence, StringBuilder text) {
        append(text, sequence.isList() ? "[" : "(");
        elements(sequence.elements(), text);
        append(text, sequence.isList() ? "]" : sequence.elements().size() == 1 ? ",)" : ")");
    }

    private void elements(List<Value> elements, StringBuilder text) {
        String between = "";
        for (Value element : elements) {
            append(text, between);
            repr(element, text);
            between = ", ";
        }
    }

    private void dict(Dict dict, StringBuilder text) {
        append(text, "{");
        String between = "";
        for (Dict.Entry entry : dict.entries().values()) {
            append(text, between);
            repr(entry.key(), text);
            append(text, ": ");
            repr(entry.value(), text);
            between = ", ";
        }
        append(text, "}");
    }

    private void view(View view, StringBuilder text) {
        append(text, switch (view.kind()) {
            case ITEMS -> "dict_items([";
            case KEYS -> "dict_keys([";
            case VALUES -> "dict_values([";
        });
        String between = "";
        for (Dict.Entry entry : view.dict().entries().values()) {
            append(text, between);
            switch (view.kind()) {
                case ITEMS -> repr(Sequence.tuple(entry.key(), entry.value()), text);
                case KEYS -> repr(entry.key(), text);
                case VALUES -> repr(entry.value(), text);
            }
            between = ", ";
        }
        append(text, "])");
    }

    /// A string as Python writes it in a program.
    String quoted(String string) {
        budget.text(string.length());
        char quote = string.indexOf('\'') >= 0 && string.indexOf('"') < 0 ? '"' : '\'';
        StringBuilder text = new StringBuilder().append(quote);
        string.codePoints().forEach(c -> {
            switch (c) {
                case '\\' -> text.append("\\\\");
                case '\n' -> text.append("\\n");
                case '\r' -> text.append("\\r");
                case '\t' -> text.append("\\t");
                default -> {
                    if (c == quote) {
                        text.append('\\').append(quote);
                    } else if (c >= ' ' && c < 0x7f || c > 0x7f && Characters.isPrintable(c)) {
                        text.appendCodePoint(c);
                    } else {
                        budget.bytes(64);
                        text.append((c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x").formatted(c));
                    }
                }
            }
        });
        return text.append(quote).toString();
    }

    /// The shortest digits that are read as the same number, as Python writes them.
    static String real(double value) {
        if (Double.isNaN(value)) {
            return "nan";
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "inf" : "-inf";
        }
        if (value == 0) {
            return 1 / value < 0 ? "-0.0" : "0.0";
        }
        BigDecimal exact = new BigDecimal(Double.toString(value)).stripTrailingZeros();
        String digits = exact.unscaledValue().abs().toString();
        int exponent = digits.length() - exact.scale() - 1;
        String sign = value < 0 ? "-" : "";
        if (exponent < -4 || exponent >= 16) {
            String rest = digits.length() > 1 ? "." + digits.substring(1) : "";
            return sign + digits.charAt(0) + rest + (exponent < 0 ? "e-" : "e+") + (Math.abs(exponent) < 10 ? "0" : "")
                    + Math.abs(exponent);
        }
        String plain = exact.abs().toPlainString();
        return sign + (plain.indexOf('.') < 0 ? plain + ".0" : plain);
    }
}
