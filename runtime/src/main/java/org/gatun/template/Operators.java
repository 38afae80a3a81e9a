package org.gatun.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Supplier;
import org.gatun.template.Expression.BinaryOperator;
import org.gatun.template.Expression.Comparator;
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
import org.gatun.template.Value.ViewKind;

/// What Python does with values: truth, equality, order, arithmetic, elements.
final class Operators {
    private final Budget budget;
    private final Printer printer;
    private final Formats formats;
    private final Integers integers;

    Operators(Budget budget) {
        this.budget = budget;
        printer = new Printer(budget);
        formats = new Formats(budget, this);
        integers = new Integers(budget);
    }

    Budget budget() {
        return budget;
    }

    Printer printer() {
        return printer;
    }

    Formats formats() {
        return formats;
    }

    // Kinds

    /// What Python calls the type, for messages.
    static String type(Value value) {
        return switch (value) {
            case None _ -> "none";
            case Undefined _ -> "undefined";
            case Bool _ -> "a boolean";
            case Int _ -> "an integer";
            case Real _ -> "a number with a point";
            case Text _ -> "a string";
            case Sequence sequence -> sequence.isList() ? "a list" : "a tuple";
            case Range _ -> "a range";
            case Dict _ -> "a map";
            case View _ -> "a view of a map";
            case Stream _ -> "an iterator";
            case Namespace _ -> "a namespace";
            case Callable _ -> "a function";
            case Macro _ -> "a macro";
            case Cycler _ -> "a cycler";
            case Joiner _ -> "a joiner";
            case Loop _ -> "a loop";
            case Blocks _ -> "the template";
        };
    }

    /// Refuses what is undefined, with the reason why it is.
    static void demandDefined(Value value) {
        if (value instanceof Undefined undefined) {
            throw new Refusal(undefined.why());
        }
    }

    static boolean isCallable(Value value) {
        return value instanceof Callable || value instanceof Macro || value instanceof Joiner || value instanceof Loop
                || value instanceof Undefined;
    }

    /// The integer that this is, booleans included.
    BigInteger anyInteger(Value value, String what) {
        demandDefined(value);
        if (!isIntegral(value)) {
            throw new Refusal(what + " is " + type(value) + ": expected an integer");
        }
        return integral(value);
    }

    /// As [#anyInteger], for what Python wants in 64 bits.
    long integer(Value value, String what) {
        BigInteger integer = anyInteger(value, what);
        if (integer.bitLength() >= Long.SIZE) {
            throw new Refusal(what + " does not fit 64 bits");
        }
        return integer.longValue();
    }

    /// As [#anyInteger], for sizes and positions: what does not fit is cut to what does.
    int clamped(Value value, String what) {
        return clamped(anyInteger(value, what));
    }

    private static int clamped(BigInteger integer) {
        return integer.bitLength() < Integer.SIZE ? integer.intValue()
                : integer.signum() < 0 ? Integer.MIN_VALUE : Integer.MAX_VALUE;
    }

    String string(Value value, String what) {
        demandDefined(value);
        if (value instanceof Text text) {
            return text.value();
        }
        throw new Refusal(what + " is " + type(value) + ": expected a string");
    }

    static boolean isNumber(Value value) {
        return value instanceof Int || value instanceof Real || value instanceof Bool;
    }

    private static boolean isIntegral(Value value) {
        return value instanceof Int || value instanceof Bool;
    }

    static double real(Value value) {
        return switch (value) {
            case Int integer -> Integers.real(integer.value());
            case Bool flag -> flag.ordinal();
            case Real real -> real.value();
            default -> throw new Refusal("found " + type(value) + ": expected a number");
        };
    }

    /// @param value an integer or a boolean
    static BigInteger integral(Value value) {
        return value instanceof Bool flag ? BigInteger.valueOf(flag.ordinal()) : ((Int) value).value();
    }

    // Truth, equality, order

    static boolean isTrue(Value value) {
        return switch (value) {
            case None _, Undefined _ -> false;
            case Bool flag -> flag == Bool.TRUE;
            case Int integer -> integer.value().signum() != 0;
            case Real real -> real.value() != 0;
            case Text text -> !text.value().isEmpty();
            case Sequence sequence -> !sequence.elements().isEmpty();
            case Range range -> range.length() > 0;
            case Dict dict -> dict.size() > 0;
            case View view -> view.dict().size() > 0;
            case Stream _, Namespace _, Callable _, Blocks _, Macro _, Cycler _, Joiner _, Loop _ -> true;
        };
    }

    boolean areEqual(Value left, Value right) {
        if (left == right) {
            return !(left instanceof Real real && Double.isNaN(real.value()));
        }
        if (isNumber(left) && isNumber(right)) {
            return compareNumbers(left, right) == 0;
        }
        return switch (left) {
            case Text text -> {
                budget.work(1 + text.value().length() / 16);
                yield right instanceof Text other && text.value().equals(other.value());
            }
            case Sequence sequence -> right instanceof Sequence other && sequence.isList() == other.isList()
                    && areEqual(sequence.elements(), other.elements());
            case Dict dict -> right instanceof Dict other && areEqual(dict, other);
            case Range range -> right instanceof Range other && areEqual(elements(range), elements(other));
            case Undefined _ -> right instanceof Undefined;
            case View view -> right instanceof View other && view.kind() == other.kind() && view.kind() != ViewKind.VALUES
                    && (view.kind() == ViewKind.KEYS ? view.dict().entries().keySet().equals(other.dict().entries().keySet())
                            : areEqual(view.dict(), other.dict()));
            case None _, Bool _, Int _, Real _, Stream _, Namespace _, Callable _, Blocks _, Macro _, Cycler _, Joiner _, Loop _ -> false;
        };
    }

    private boolean areEqual(List<Value> left, List<Value> right) {
        if (left.size() != right.size()) {
            return false;
        }
        budget.enter();
        for (int i = 0; i < left.size(); i++) {
            budget.work(1);
            if (!(left.get(i) == right.get(i) || areEqual(left.get(i), right.get(i)))) {
                return false;
            }
        }
        budget.leave();
        return true;
    }

    private boolean areEqual(Dict left, Dict right) {
        if (left.size() != right.size()) {
            return false;
        }
        budget.enter();
        for (var entry : left.entries().entrySet()) {
            budget.work(1);
            Value other = right.get(entry.getKey());
            if (other == null || !areEqual(entry.getValue().value(), other)) {
                return false;
            }
        }
        budget.leave();
        return true;
    }

    /// Not a number is not equal to anything, nor before or after: the result is then 2.
    private static int compareNumbers(Value left, Value right) {
        if (isIntegral(left) && isIntegral(right)) {
            return integral(left).compareTo(integral(right));
        }
        if (isIntegral(left)) {
            int other = compareNumbers(right, left);
            return other == 2 ? 2 : -other;
        }
        double real = ((Real) left).value();
        if (Double.isNaN(real) || right instanceof Real other && Double.isNaN(other.value())) {
            return 2;
        }
        if (right instanceof Real other) {
            return real < other.value() ? -1 : real > other.value() ? 1 : 0;
        }
        if (Double.isInfinite(real)) {
            return real > 0 ? 1 : -1;
        }
        return new BigDecimal(real).compareTo(new BigDecimal(integral(right))); // which may have more digits than a double
    }

    boolean compare(Comparator operator, Value left, Value right) {
        return switch (operator) {
            case EQUAL -> areEqual(left, right);
            case NOT_EQUAL -> !areEqual(left, right);
            case IN -> contains(right, left);
            case NOT_IN -> !contains(right, left);
            case LESS, LESS_OR_EQUAL, GREATER, GREATER_OR_EQUAL -> isInOrder(operator, left, right);
        };
    }

    private boolean isInOrder(Comparator operator, Value left, Value right) {
        int order = order(left, right, operator.sign());
        return order != 2 && switch (operator) {
            case LESS -> order < 0;
            case LESS_OR_EQUAL -> order <= 0;
            case GREATER -> order > 0;
            case GREATER_OR_EQUAL -> order >= 0;
            case EQUAL, NOT_EQUAL, IN, NOT_IN -> throw new AssertionError(operator);
        };
    }

    /// Negative if the first comes before the second, 0 if they are equal, 2 if nothing is true of them.
    int order(Value left, Value right, String sign) {
        demandDefined(left);
        demandDefined(right);
        if (isNumber(left) && isNumber(right)) {
            return compareNumbers(left, right);
        }
        if (left instanceof Text text && right instanceof Text other) {
            return compareTexts(text.value(), other.value());
        }
        if (left instanceof Sequence sequence && right instanceof Sequence other && sequence.isList() == other.isList()) {
            budget.enter();
            int common = Math.min(sequence.elements().size(), other.elements().size());
            for (int i = 0; i < common; i++) {
                budget.work(1);
                Value one = sequence.elements().get(i);
                Value two = other.elements().get(i);
                if (one != two && !areEqual(one, two)) {
                    int order = order(one, two, sign);
                    budget.leave();
                    return order;
                }
            }
            budget.leave();
            return Integer.signum(Integer.compare(sequence.elements().size(), other.elements().size()));
        }
        throw new Refusal(sign + " between " + type(left) + " and " + type(right));
    }

    /// By code points, where Java compares halves of surrogate pairs.
    private int compareTexts(String left, String right) {
        int common = Math.min(left.length(), right.length());
        for (int i = 0; i < common; i++) {
            char one = left.charAt(i);
            char two = right.charAt(i);
            if (one != two) {
                budget.work(1 + i / 16);
                boolean isSurrogate = Character.isSurrogate(one);
                return isSurrogate != Character.isSurrogate(two) ? isSurrogate ? 1 : -1 : one < two ? -1 : 1;
            }
        }
        budget.work(1 + common / 16);
        return Integer.signum(Integer.compare(left.length(), right.length()));
    }

    boolean contains(Value container, Value element) {
        if (container instanceof Text text) {
            demandDefined(element);
            if (element instanceof Text part) {
                return new Search(budget, part.value()).find(text.value(), 0) >= 0;
            }
            throw new Refusal("in: is " + type(element) + " in a string? Expected a string");
        }
        if (container instanceof Dict dict) {
            return dict.get(hash(element)) != null;
        }
        if (container instanceof View view && view.kind() == ViewKind.KEYS) {
            return view.dict().get(hash(element)) != null;
        }
        for (Iterator<Value> elements = iterate(container); elements.hasNext();) {
            budget.work(1);
            Value candidate = elements.next();
            if (candidate == element || areEqual(candidate, element)) {
                return true;
            }
        }
        return false;
    }

    /// What equal values have in common, and others do not, with Java's equality: for keys of maps.
    Object hash(Value value) {
        return switch (value) {
            case Text text -> text.value();
            case Int integer -> integer.value();
            case Bool _ -> integral(value);
            case Real real -> real.value() == Math.rint(real.value()) && !Double.isInfinite(real.value())
                    ? Integers.truncated(real.value()) : (Object) real.value();
            case None none -> none;
            case Undefined _ -> Undefined.class;
            case Sequence sequence when !sequence.isList() -> {
                budget.enter();
                budget.list(sequence.elements().size());
                List<Object> hashes = new ArrayList<>();
                for (Value element : sequence.elements()) {
                    hashes.add(hash(element));
                }
                budget.leave();
                yield hashes;
            }
            case Sequence _, Dict _, View _, Namespace _, Range _ ->
                    throw new Refusal(type(value) + " cannot be the key of a map");
            case Stream _, Callable _, Blocks _, Macro _, Cycler _, Joiner _, Loop _ -> value;
        };
    }

    // Elements

    boolean isIterable(Value value) {
        return switch (value) {
            case Undefined _, Text _, Sequence _, Range _, Dict _, View _, Stream _, Loop _ -> true;
            case None _, Bool _, Int _, Real _, Namespace _, Callable _, Blocks _, Macro _, Cycler _, Joiner _ -> false;
        };
    }

    Iterator<Value> iterate(Value value) {
        return switch (value) {
            case Stream stream -> stream;
            case Text text -> {
                String string = text.value();
                yield Stream.of(budget, new Supplier<>() {
                    private int at;

                    @Override
                    public Value get() {
                        if (at >= string.length()) {
                            return null;
                        }
                        int from = at;
                        at += Character.charCount(string.codePointAt(at));
                        budget.text(at - from);
                        return new Text(string.substring(from, at));
                    }
                });
            }
            case Range range -> {
                int length = range.length();
                yield Stream.of(budget, new Supplier<>() {
                    private int at;

                    @Override
                    public Value get() {
                        budget.bytes(80);
                        return at < length ? range.at(at++) : null;
                    }
                });
            }
            case Undefined _, Sequence _, Dict _, View _ -> elements(value).iterator();
            case Loop loop -> Stream.of(budget, () -> {
                Value next = loop.advance();
                return next == null ? null : Sequence.tuple(next, loop);
            });
            case None _, Bool _, Int _, Real _, Namespace _, Callable _, Blocks _, Macro _, Cycler _, Joiner _ ->
                    throw new Refusal(type(value) + " has no elements to go through");
        };
    }

    /// All elements; those of a stream are read.
    List<Value> elements(Value value) {
        return switch (value) {
            case Sequence sequence -> sequence.elements();
            case Undefined _ -> List.of();
            case Dict dict -> keys(dict);
            case View view -> switch (view.kind()) {
                case KEYS -> keys(view.dict());
                case VALUES -> {
                    budget.list(view.dict().size());
                    yield view.dict().entries().values().stream().map(Dict.Entry::value).toList();
                }
                case ITEMS -> {
                    budget.bytes(100L * view.dict().size());
                    yield view.dict().entries().values().stream()
                            .map(entry -> (Value) Sequence.tuple(entry.key(), entry.value())).toList();
                }
            };
            default -> {
                List<Value> elements = new ArrayList<>();
                for (Iterator<Value> more = iterate(value); more.hasNext();) {
                    budget.list(1);
                    elements.add(more.next());
                }
                yield elements;
            }
        };
    }

    private List<Value> keys(Dict dict) {
        budget.list(dict.size());
        return dict.entries().values().stream().map(Dict.Entry::key).toList();
    }

    /// How many elements or characters there are, -1 if nobody knows.
    int knownLength(Value value) {
        return switch (value) {
            case Undefined _ -> 0;
            case Text text -> {
                budget.work(1 + text.value().length() / 16);
                yield text.value().codePointCount(0, text.value().length());
            }
            case Sequence sequence -> sequence.elements().size();
            case Range range -> range.length();
            case Dict dict -> dict.size();
            case View view -> view.dict().size();
            case Loop loop -> loop.length(budget);
            case None _, Bool _, Int _, Real _, Stream _, Namespace _, Callable _, Blocks _, Macro _, Cycler _, Joiner _ -> -1;
        };
    }

    int length(Value value) {
        int length = knownLength(value);
        if (length < 0) {
            throw new Refusal(type(value) + " has no length" + (value instanceof Stream ? ": make it a list" : ""));
        }
        return length;
    }

    /// The element with this index or key, null if there is none.
    Value element(Value base, Value index) {
        demandDefined(base);
        switch (base) {
            case Dict dict -> {
                return switch (index) {
                    case Sequence sequence when sequence.isList() -> null;
                    case Dict _, View _, Namespace _, Range _ -> null;
                    default -> dict.get(hash(index));
                };
            }
            case Sequence sequence -> {
                int at = position(index, sequence.elements().size());
                return at < 0 ? null : sequence.elements().get(at);
            }
            case Range range -> {
                int at = position(index, range.length());
                return at < 0 ? null : range.at(at);
            }
            case Text text -> {
                if (!isIntegral(index)) {
                    return null;
                }
                int at = position(index, length(text));
                if (at < 0) {
                    return null;
                }
                String string = text.value();
                int from = string.offsetByCodePoints(0, at);
                return new Text(Character.toString(string.codePointAt(from)), text.isMarkup());
            }
            default -> {
                return null;
            }
        }
    }

    /// Where an index is in so many elements, -1 if it is not.
    private static int position(Value index, int length) {
        if (!isIntegral(index)) {
            return -1;
        }
        long at = clamped(integral(index));
        at += at < 0 ? length : 0;
        return at >= 0 && at < length ? (int) at : -1;
    }

    Value slice(Value base, Value from, Value to, Value step) {
        demandDefined(base);
        long stride = step == None.NONE ? 1 : clamped(step, "the step of a slice");
        if (stride == 0) {
            throw new Refusal("the step of a slice is 0");
        }
        if (!(base instanceof Text || base instanceof Sequence || base instanceof Range)) {
            throw new Refusal(type(base) + " has no slices");
        }
        int length = length(base);
        long start = bound(from, length, stride, stride > 0 ? 0 : length - 1);
        long stop = bound(to, length, stride, stride > 0 ? length : -1);
        long count = stride > 0 ? start >= stop ? 0 : (stop - start - 1) / stride + 1
                : stop >= start ? 0 : (start - stop - 1) / -stride + 1;
        return switch (base) {
            case Text text -> new Text(slice(text.value(), (int) start, stride, (int) count), text.isMarkup());
            case Range range -> new Range(range.start() + start * range.step(), range.start() + stop * range.step(),
                    bounded(range.step(), stride));
            case Sequence sequence -> {
                budget.list(count);
                List<Value> elements = new ArrayList<>((int) count);
                for (long i = 0; i < count; i++) {
                    elements.add(sequence.elements().get((int) (start + i * stride)));
                }
                yield sequence.isList() ? Sequence.list(elements) : Sequence.tuple(elements);
            }
            default -> throw new AssertionError(base);
        };
    }

    private static long bounded(long step, long stride) {
        if (Math.abs(step) > Range.MAX_BOUND / Math.abs(stride)) {
            throw new Refusal("the step of a slice is too large for a range");
        }
        return step * stride;
    }

    private long bound(Value given, int length, long stride, long standard) {
        if (given == None.NONE) {
            return standard;
        }
        long at = clamped(given, "the bound of a slice");
        at += at < 0 ? length : 0;
        return Math.clamp(at, stride > 0 ? 0 : -1, stride > 0 ? length : length - 1);
    }

    private String slice(String text, int start, long stride, int count) {
        budget.text(2L * count);
        if (count == 0) {
            return "";
        }
        if (stride == 1) {
            int from = text.offsetByCodePoints(0, start);
            return text.substring(from, text.offsetByCodePoints(from, count));
        }
        budget.bytes(4L * text.length());
        int[] codePoints = text.codePoints().toArray();
        StringBuilder slice = new StringBuilder();
        for (int i = 0; i < count; i++) {
            slice.appendCodePoint(codePoints[(int) (start + i * stride)]);
        }
        return slice.toString();
    }

    // Arithmetic

    Value negate(Value value) {
        demandDefined(value);
        return switch (value) {
            case Int _, Bool _ -> new Int(integral(value).negate());
            case Real real -> new Real(-real.value());
            default -> throw new Refusal("- before " + type(value));
        };
    }

    Value plus(Value value) {
        demandDefined(value);
        return switch (value) {
            case Int _, Real _ -> value;
            case Bool _ -> new Int(integral(value));
            default -> throw new Refusal("+ before " + type(value));
        };
    }

    Value binary(BinaryOperator operator, Value left, Value right) {
        if (operator == BinaryOperator.MODULO && left instanceof Text text) {
            return formats.percent(text, right);
        }
        demandDefined(left);
        demandDefined(right);
        boolean isReciprocal = operator == BinaryOperator.POWER && isIntegral(right) && integral(right).signum() < 0;
        if (isIntegral(left) && isIntegral(right) && !isReciprocal) {
            return integers.binary(operator, integral(left), integral(right));
        }
        if (isNumber(left) && isNumber(right)) {
            return new Real(reals(operator, real(left), real(right)));
        }
        if (operator == BinaryOperator.ADD) {
            if (left instanceof Text text && right instanceof Text other) {
                return add(text, other);
            }
            if (left instanceof Sequence sequence && right instanceof Sequence other && sequence.isList() == other.isList()) {
                budget.list((long) sequence.elements().size() + other.elements().size());
                List<Value> elements = new ArrayList<>(sequence.elements());
                elements.addAll(other.elements());
                return sequence.isList() ? Sequence.list(elements) : Sequence.tuple(elements);
            }
        }
        if (operator == BinaryOperator.MULTIPLY) {
            if (isIntegral(right) && (left instanceof Text || left instanceof Sequence)) {
                return repeat(left, clamped(integral(right)));
            }
            if (isIntegral(left) && (right instanceof Text || right instanceof Sequence)) {
                return repeat(right, clamped(integral(left)));
            }
        }
        throw new Refusal(operator.sign() + " between " + type(left) + " and " + type(right));
    }

    private static double reals(BinaryOperator operator, double left, double right) {
        if (right == 0 && (operator == BinaryOperator.DIVIDE || operator == BinaryOperator.FLOOR_DIVIDE
                || operator == BinaryOperator.MODULO)) {
            throw new Refusal("division by zero");
        }
        return switch (operator) {
            case ADD -> left + right;
            case SUBTRACT -> left - right;
            case MULTIPLY -> left * right;
            case DIVIDE -> left / right;
            case FLOOR_DIVIDE -> {
                double quotient = (left - modulo(left, right)) / right;
                if (quotient == 0) {
                    yield Math.copySign(0, left / right);
                }
                double floor = Math.floor(quotient);
                yield quotient - floor > 0.5 ? floor + 1 : floor;
            }
            case MODULO -> modulo(left, right);
            case POWER -> {
                if (left == 0 && right < 0) {
                    throw new Refusal("division by zero");
                }
                if (left < 0 && right != Math.rint(right)) {
                    throw new Refusal("** of a negative number and a fraction");
                }
                double power = Math.pow(left, right);
                if (Double.isInfinite(power) && !Double.isInfinite(left) && !Double.isInfinite(right)) {
                    throw new Refusal("** is too large");
                }
                yield left == 1 ? 1 : power;
            }
        };
    }

    /// With the sign of the divisor, as Python has it.
    private static double modulo(double left, double right) {
        double rest = left % right;
        if (rest == 0) {
            return Math.copySign(0, right);
        }
        return rest < 0 != right < 0 ? rest + right : rest;
    }

    private Text add(Text left, Text right) {
        if (left.isMarkup() || right.isMarkup()) {
            String first = left.isMarkup() ? left.value() : escape(left.value());
            String second = right.isMarkup() ? right.value() : escape(right.value());
            budget.text((long) first.length() + second.length());
            return new Text(first + second, true);
        }
        budget.text((long) left.value().length() + right.value().length());
        return new Text(left.value() + right.value());
    }

    private Value repeat(Value value, int times) {
        int count = Math.max(0, times);
        if (value instanceof Text text) {
            budget.text(product(count, text.value().length()));
            return new Text(text.value().isEmpty() ? "" : text.value().repeat(count), text.isMarkup());
        }
        Sequence sequence = (Sequence) value;
        budget.list(product(count, sequence.elements().size()));
        List<Value> elements = new ArrayList<>();
        for (long i = 0; !sequence.elements().isEmpty() && i < count; i++) {
            elements.addAll(sequence.elements());
        }
        return sequence.isList() ? Sequence.list(elements) : Sequence.tuple(elements);
    }

    /// The product, or more than any budget has.
    private static long product(long count, int size) {
        return size == 0 ? 0 : count > Integer.MAX_VALUE / size ? Budget.ABSURD : count * size;
    }

    /// As `str(value)`.
    Text str(Value value) {
        return value instanceof Text text ? text : new Text(printer.str(value));
    }

    /// The value as HTML: what is markup stays.
    Text escaped(Value value) {
        return value instanceof Text text && text.isMarkup() ? text : new Text(escape(str(value).value()), true);
    }

    /// The text with HTML's characters written out.
    String escape(String text) {
        budget.text(text.length());
        StringBuilder escaped = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            String written = switch (text.charAt(i)) {
                case '&' -> "&amp;";
                case '<' -> "&lt;";
                case '>' -> "&gt;";
                case '\'' -> "&#39;";
                case '"' -> "&#34;";
                default -> "";
            };
            if (written.isEmpty()) {
                escaped.append(text.charAt(i));
            } else {
                budget.bytes(16);
                escaped.append(written);
            }
        }
        return escaped.toString();
    }
}
