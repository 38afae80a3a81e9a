package org.gatun.template;

import java.util.Set;
import org.gatun.template.Expression.BinaryOperator;
import org.gatun.template.Expression.Comparator;
import org.gatun.template.Value.Bool;
import org.gatun.template.Value.Dict;
import org.gatun.template.Value.Int;
import org.gatun.template.Value.None;
import org.gatun.template.Value.Range;
import org.gatun.template.Value.Real;
import org.gatun.template.Value.Sequence;
import org.gatun.template.Value.Text;
import org.gatun.template.Value.Undefined;

/// The tests: `value is name(arguments)`.
final class Tests {
    static final Set<String> NAMES = Set.of("!=", "<", "<=", "==", ">", ">=", "boolean", "callable", "defined", "divisibleby",
            "eq", "equalto", "escaped", "even", "false", "filter", "float", "ge", "greaterthan", "gt", "in", "integer",
            "iterable", "le", "lessthan", "lower", "lt", "mapping", "ne", "none", "number", "odd", "sameas", "sequence",
            "string", "test", "true", "undefined", "upper");

    private final Operators operators;

    Tests(Operators operators) {
        this.operators = operators;
    }

    static Refusal unknown(String name) {
        return new Refusal("there is no test " + name);
    }

    boolean isTrue(String name, Value value, Arguments arguments) {
        return switch (name) {
            case "defined" -> !(lone(value, arguments) instanceof Undefined);
            case "undefined" -> lone(value, arguments) instanceof Undefined;
            case "none" -> lone(value, arguments) == None.NONE;
            case "true" -> lone(value, arguments) == Bool.TRUE;
            case "false" -> lone(value, arguments) == Bool.FALSE;
            case "boolean" -> lone(value, arguments) instanceof Bool;
            case "string" -> lone(value, arguments) instanceof Text;
            case "mapping" -> lone(value, arguments) instanceof Dict;
            case "number" -> lone(value, arguments) instanceof Int || value instanceof Real || value instanceof Bool;
            case "integer" -> lone(value, arguments) instanceof Int;
            case "float" -> lone(value, arguments) instanceof Real;
            case "iterable" -> operators.isIterable(lone(value, arguments));
            case "sequence" -> lone(value, arguments) instanceof Text || value instanceof Sequence || value instanceof Dict
                    || value instanceof Range || value instanceof Undefined;
            case "callable" -> Operators.isCallable(lone(value, arguments));
            case "escaped" -> lone(value, arguments) instanceof Text text && text.isMarkup();
            case "lower" -> Casing.isLower(operators.str(lone(value, arguments)).value());
            case "upper" -> Casing.isUpper(operators.str(lone(value, arguments)).value());
            case "odd" -> isRest(lone(value, arguments), new Int(2), 1);
            case "even" -> isRest(lone(value, arguments), new Int(2), 0);
            case "divisibleby" -> isRest(value, arguments.only("num"), 0);
            case "filter" -> lone(value, arguments) instanceof Text text && Filters.NAMES.contains(text.value());
            case "test" -> lone(value, arguments) instanceof Text text && NAMES.contains(text.value());
            case "sameas" -> isSame(value, arguments.only("other"));
            case "in" -> operators.contains(arguments.only("seq"), value);
            case "==", "eq", "equalto" -> operators.areEqual(value, arguments.only("other"));
            case "!=", "ne" -> !operators.areEqual(value, arguments.only("other"));
            case ">", "gt", "greaterthan" -> operators.compare(Comparator.GREATER, value, arguments.only("other"));
            case ">=", "ge" -> operators.compare(Comparator.GREATER_OR_EQUAL, value, arguments.only("other"));
            case "<", "lt", "lessthan" -> operators.compare(Comparator.LESS, value, arguments.only("other"));
            case "<=", "le" -> operators.compare(Comparator.LESS_OR_EQUAL, value, arguments.only("other"));
            default -> throw unknown(name);
        };
    }

    private static Value lone(Value value, Arguments arguments) {
        arguments.bind(0);
        return value;
    }

    private boolean isRest(Value value, Value divisor, long rest) {
        return operators.areEqual(operators.binary(BinaryOperator.MODULO, value, divisor), new Int(rest));
    }

    /// Whether it is the very same, where one can tell: equal numbers and strings of one kind are.
    private boolean isSame(Value value, Value other) {
        return switch (value) {
            case Int _, Real _, Text _ -> value.equals(other);
            default -> value == other;
        };
    }
}
