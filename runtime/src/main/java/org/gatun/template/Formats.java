package org.gatun.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.List;
import java.util.Locale;
import org.gatun.template.Value.Bool;
import org.gatun.template.Value.Dict;
import org.gatun.template.Value.Int;
import org.gatun.template.Value.Real;
import org.gatun.template.Value.Sequence;
import org.gatun.template.Value.Text;

/// The two ways in which Python fills in texts: `'%s' % value` and `'{}'.format(value)`.
final class Formats {
    private static final int MAX_DIGITS = 500;
    private static final int STANDARD_PRECISION = 6;

    private final Budget budget;
    private final Operators operators;

    Formats(Budget budget, Operators operators) {
        this.budget = budget;
        this.operators = operators;
    }

    // '%s' % value

    /// How one value is written after `%`.
    private record Conversion(boolean left, boolean zero, boolean plus, boolean blank, boolean alternate, int width,
            int precision, char type) {}

    /// `format % arguments`
    Text percent(Text format, Value arguments) {
        return new Percent(format, arguments).fill();
    }

    private final class Percent {
        private final String format;
        private final boolean isMarkup;
        private final Value arguments;
        private final List<Value> values;
        private final StringBuilder text = new StringBuilder();
        private int at;
        private int used;

        Percent(Text format, Value arguments) {
            this.format = format.value();
            this.isMarkup = format.isMarkup();
            this.arguments = arguments;
            values = arguments instanceof Sequence sequence && !sequence.isList() ? sequence.elements() : List.of(arguments);
        }

        Text fill() {
            while (at < format.length()) {
                char c = format.charAt(at++);
                if (c != '%') {
                    text.append(c);
                } else {
                    String one = one();
                    budget.text(one.length());
                    text.append(one);
                }
            }
            boolean mayBeLeft = arguments instanceof Dict || arguments instanceof Sequence sequence && sequence.isList();
            if (used < values.size() && !mayBeLeft) {
                throw new Refusal("%: " + values.size() + " values for " + used + " places");
            }
            budget.text(text.length());
            return new Text(text.toString(), isMarkup);
        }

        private char peek() {
            if (at >= format.length()) {
                throw new Refusal("%: the format ends in the middle of a place");
            }
            return format.charAt(at);
        }

        private Value next() {
            if (used >= values.size()) {
                throw new Refusal("%: " + values.size() + " values are too few");
            }
            return values.get(used++);
        }

        private String one() {
            Value named = peek() == '(' ? named() : null;
            boolean left = false;
            boolean zero = false;
            boolean plus = false;
            boolean blank = false;
            boolean alternate = false;
            for (; "-0+ #".indexOf(peek()) >= 0; at++) {
                left |= peek() == '-';
                zero |= peek() == '0';
                plus |= peek() == '+';
                blank |= peek() == ' ';
                alternate |= peek() == '#';
            }
            int width = number();
            int precision = -1;
            if (peek() == '.') {
                at++;
                precision = number();
            }
            while ("hlL".indexOf(peek()) >= 0) {
                at++;
            }
            char type = peek();
            at++;
            if (type == '%') {
                return "%";
            }
            left |= width < 0;
            budget.text(Math.abs((long) width));
            return convert(named == null ? next() : named,
                    new Conversion(left, zero, plus, blank, alternate, Math.abs(width), Math.max(-1, precision), type));
        }

        private Value named() {
            int end = at + 1;
            int open = 1;
            for (; end < format.length() && open > 0; end++) {
                open += format.charAt(end) == '(' ? 1 : format.charAt(end) == ')' ? -1 : 0;
            }
            if (open > 0 || !(arguments instanceof Dict dict)) {
                throw new Refusal("%: a place with a name expects a map");
            }
            String name = format.substring(at + 1, end - 1);
            at = end;
            Value value = dict.get(name);
            if (value == null) {
                throw new Refusal("%: the map has no " + name);
            }
            return value;
        }

        private int number() {
            if (peek() == '*') {
                at++;
                return operators.clamped(next(), "%: a width");
            }
            long number = 0;
            for (; Character.isDigit(peek()); at++) {
                number = Math.min(Integer.MAX_VALUE, number * 10 + Character.digit(peek(), 10));
            }
            return (int) number;
        }

        private String convert(Value value, Conversion conversion) {
            String sign = "";
            String body;
            switch (conversion.type()) {
                case 's', 'r', 'a' -> {
                    body = conversion.type() == 's' ? operators.str(value).value() : operators.printer().repr(value);
                    boolean isSafe = value instanceof Text inner && inner.isMarkup();
                    if (isMarkup && !isSafe) {
                        body = operators.escape(body);
                    }
                    if (conversion.precision() >= 0) {
                        body = beginning(body, conversion.precision());
                    }
                }
                case 'c' -> body = value instanceof Text one && one.value().codePointCount(0, one.value().length()) == 1
                        ? one.value() : codePoint(operators.clamped(value, "%c"));
                case 'd', 'i', 'u', 'x', 'X', 'o' -> {
                    BigInteger integer = value instanceof Real real && "diu".indexOf(conversion.type()) >= 0
                            ? Integers.truncated(real.value()) : operators.anyInteger(value, "%" + conversion.type());
                    sign = sign(integer.signum() < 0, conversion.plus(), conversion.blank());
                    body = digits(integer, conversion.type());
                    body = "0".repeat(Math.max(0, digitsWanted(conversion.precision()) - body.length())) + body;
                    if (conversion.alternate() && "xXo".indexOf(conversion.type()) >= 0) {
                        sign += "0" + conversion.type();
                    }
                }
                case 'f', 'F', 'e', 'E', 'g', 'G' -> {
                    Operators.demandDefined(value);
                    double real = Operators.real(value);
                    sign = sign(real < 0 || 1 / real < 0, conversion.plus(), conversion.blank());
                    body = real(Math.abs(real), conversion.type(),
                            conversion.precision() < 0 ? STANDARD_PRECISION : conversion.precision(), conversion.alternate());
                }
                default -> throw new Refusal("%: there is no %" + conversion.type());
            }
            int missing = conversion.width() - sign.length() - body.codePointCount(0, body.length());
            String fill = (conversion.zero() && !conversion.left() && "srac".indexOf(conversion.type()) < 0 ? "0" : " ")
                    .repeat(Math.max(0, missing));
            return conversion.left() ? sign + body + fill : fill.startsWith("0") ? sign + fill + body : fill + sign + body;
        }
    }

    private static int digitsWanted(int precision) {
        if (precision > MAX_DIGITS) {
            throw new Refusal(precision + " digits: expected at most " + MAX_DIGITS);
        }
        return precision;
    }

    private static String beginning(String text, int characters) {
        return characters >= text.codePointCount(0, text.length()) ? text
                : text.substring(0, text.offsetByCodePoints(0, characters));
    }

    private static String codePoint(int value) {
        if (value < 0 || value > Character.MAX_CODE_POINT) {
            throw new Refusal(value + " is no character");
        }
        return Character.toString(value);
    }

    private static String sign(boolean isNegative, boolean plus, boolean blank) {
        return isNegative ? "-" : plus ? "+" : blank ? " " : "";
    }

    /// The digits of an integer, without its sign.
    private static String digits(BigInteger value, char type) {
        String digits = value.abs().toString(switch (type) {
            case 'x', 'X' -> 16;
            case 'o' -> 8;
            case 'b' -> 2;
            default -> 10;
        });
        return type == 'X' ? digits.toUpperCase(Locale.ROOT) : digits;
    }

    /// A number that is not negative, as C's `printf` writes it.
    private static String real(double value, char type, int precision, boolean alternate) {
        char kind = Character.toLowerCase(type);
        String text = Double.isNaN(value) ? "nan" : Double.isInfinite(value) ? "inf" : switch (kind) {
            case 'f' -> fixed(value, precision, alternate);
            case 'e' -> scientific(value, precision, alternate);
            default -> general(value, precision, alternate);
        };
        return kind == type ? text : text.toUpperCase(Locale.ROOT);
    }

    private static String fixed(double value, int precision, boolean point) {
        String text = new BigDecimal(value).setScale(digitsWanted(precision), RoundingMode.HALF_EVEN).toPlainString();
        return precision == 0 && point ? text + "." : text;
    }

    private static String scientific(double value, int precision, boolean point) {
        BigDecimal rounded = new BigDecimal(value).round(new MathContext(digitsWanted(precision) + 1, RoundingMode.HALF_EVEN));
        String digits = rounded.unscaledValue().toString();
        int exponent = value == 0 ? 0 : digits.length() - rounded.scale() - 1;
        digits += "0".repeat(Math.max(0, precision + 1 - digits.length()));
        digits = digits.substring(0, precision + 1);
        return digits.charAt(0) + (precision > 0 || point ? "." : "") + digits.substring(1)
                + (exponent < 0 ? "e-" : "e+") + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
    }

    private static String general(double value, int precision, boolean alternate) {
        int digits = Math.max(1, precision);
        String scientific = scientific(value, digits - 1, alternate);
        int exponent = Integer.parseInt(scientific.substring(scientific.indexOf('e') + 1));
        if (exponent >= -4 && exponent < digits) {
            String fixed = fixed(value, digits - 1 - exponent, alternate);
            return alternate ? fixed : withoutNoughts(fixed);
        }
        int end = scientific.indexOf('e');
        return alternate ? scientific : withoutNoughts(scientific.substring(0, end)) + scientific.substring(end);
    }

    private static String withoutNoughts(String text) {
        if (text.indexOf('.') < 0) {
            return text;
        }
        int end = text.length();
        while (text.charAt(end - 1) == '0') {
            end--;
        }
        return text.substring(0, text.charAt(end - 1) == '.' ? end - 1 : end);
    }

    // '{}'.format(value)

    /// `format.format(arguments)`
    ///
    /// @param access how attributes and elements are looked up
    Text braces(Text format, Arguments arguments, Access access) {
        return new Text(new Braces(format.isMarkup(), arguments, access).fill(format.value(), 2), format.isMarkup());
    }

    /// How a template gets at what is in a value.
    interface Access {
        Value attribute(Value base, String name);

        Value element(Value base, Value index);
    }

    private final class Braces {
        private final boolean isMarkup;
        private final Arguments arguments;
        private final Access access;
        private int automatic;
        private boolean isNumbered;

        Braces(boolean isMarkup, Arguments arguments, Access access) {
            this.isMarkup = isMarkup;
            this.arguments = arguments;
            this.access = access;
        }

        /// @param levels how often places may stand in places
        String fill(String format, int levels) {
            if (levels == 0) {
                throw new Refusal("format: places are nested too deeply");
            }
            StringBuilder text = new StringBuilder();
            for (int i = 0; i < format.length(); i++) {
                char c = format.charAt(i);
                if (c != '{' && c != '}') {
                    text.append(c);
                } else if (format.startsWith(String.valueOf(c), i + 1)) {
                    text.append(c);
                    i++;
                } else if (c == '}') {
                    throw new Refusal("format: a single '}'");
                } else {
                    int end = end(format, i);
                    String one = place(format.substring(i + 1, end), levels);
                    budget.text(one.length());
                    text.append(one);
                    i = end;
                }
            }
            budget.text(text.length());
            return text.toString();
        }

        private static int end(String format, int from) {
            int open = 0;
            for (int i = from; i < format.length(); i++) {
                open += format.charAt(i) == '{' ? 1 : format.charAt(i) == '}' ? -1 : 0;
                if (open == 0) {
                    return i;
                }
            }
            throw new Refusal("format: a single '{'");
        }

        private String place(String place, int levels) {
            int brackets = 0;
            int end = 0;
            while (end < place.length() && (brackets > 0 || ":!".indexOf(place.charAt(end)) < 0)) {
                brackets += place.charAt(end) == '[' ? 1 : place.charAt(end) == ']' ? -1 : 0;
                end++;
            }
            Value value = field(place.substring(0, end));
            if (place.startsWith("!", end)) {
                char conversion = end + 1 < place.length() ? place.charAt(end + 1) : ' ';
                value = new Text(switch (conversion) {
                    case 's' -> operators.printer().str(value);
                    case 'r', 'a' -> operators.printer().repr(value);
                    default -> throw new Refusal("format: !" + conversion + ", expected !s, !r or !a");
                });
                end += 2;
                if (end < place.length() && place.charAt(end) != ':') {
                    throw new Refusal("format: expected ':' after the conversion");
                }
            }
            String specification = end < place.length() ? fill(place.substring(end + 1), levels - 1) : "";
            String text = format(value, specification);
            return isMarkup && !(value instanceof Text inner && inner.isMarkup()) ? operators.escape(text) : text;
        }

        private Value field(String name) {
            int end = 0;
            while (end < name.length() && name.charAt(end) != '.' && name.charAt(end) != '[') {
                end++;
            }
            Value value = first(name.substring(0, end), name.isEmpty());
            while (end < name.length()) {
                if (name.charAt(end) == '[') {
                    int close = name.indexOf(']', end);
                    if (close < 0) {
                        throw new Refusal("format: '[' without ']'");
                    }
                    String index = name.substring(end + 1, close);
                    value = access.element(value, isInteger(index) ? new Int(Integer.parseInt(index)) : new Text(index));
                    end = close + 1;
                } else {
                    int next = end + 1;
                    while (next < name.length() && name.charAt(next) != '.' && name.charAt(next) != '[') {
                        next++;
                    }
                    value = access.attribute(value, name.substring(end + 1, next));
                    end = next;
                }
            }
            return value;
        }

        private Value first(String name, boolean isEmpty) {
            if (isEmpty || isInteger(name)) {
                isNumbered |= !isEmpty;
                int index = isEmpty ? automatic++ : Integer.parseInt(name);
                if (isNumbered && automatic > 0) {
                    throw new Refusal("format: places with numbers and without");
                }
                if (index >= arguments.positional().size()) {
                    throw new Refusal("format: " + arguments.positional().size() + " values are too few");
                }
                return arguments.positional().get(index);
            }
            Value value = arguments.named().get(name);
            if (value == null) {
                throw new Refusal("format: there is no value " + name);
            }
            return value;
        }

        private static boolean isInteger(String text) {
            return !text.isEmpty() && text.length() < 9 && text.chars().allMatch(c -> c >= '0' && c <= '9');
        }
    }

    /// How a value is written in braces, after the colon.
    private record Specification(String fill, char align, char sign, boolean alternate, boolean zero, int width, char grouping,
            int precision, char type) {

        static Specification parse(String text) {
            int at = 0;
            String fill = "";
            char align = ' ';
            int first = text.isEmpty() ? 0 : Character.charCount(text.codePointAt(0));
            if (text.length() > first && "<>=^".indexOf(text.charAt(first)) >= 0) {
                fill = text.substring(0, first);
                align = text.charAt(first);
                at = first + 1;
            } else if (!text.isEmpty() && "<>=^".indexOf(text.charAt(0)) >= 0) {
                align = text.charAt(0);
                at = 1;
            }
            char sign = at < text.length() && "+- ".indexOf(text.charAt(at)) >= 0 ? text.charAt(at++) : '-';
            boolean alternate = text.startsWith("#", at);
            at += alternate ? 1 : 0;
            boolean zero = text.startsWith("0", at);
            at += zero ? 1 : 0;
            int digits = at;
            while (at < text.length() && Character.isDigit(text.charAt(at))) {
                at++;
            }
            int width = number(text.substring(digits, at));
            char grouping = at < text.length() && ",_".indexOf(text.charAt(at)) >= 0 ? text.charAt(at++) : ' ';
            int precision = -1;
            if (text.startsWith(".", at)) {
                digits = ++at;
                while (at < text.length() && Character.isDigit(text.charAt(at))) {
                    at++;
                }
                if (at == digits) {
                    throw new Refusal("format: '.' without a number");
                }
                precision = number(text.substring(digits, at));
            }
            char type = at < text.length() ? text.charAt(at++) : ' ';
            if (at < text.length()) {
                throw new Refusal("format: '" + text + "' is no way to write a value");
            }
            return new Specification(fill, align, sign, alternate, zero, width, grouping, precision, type);
        }

        private static int number(String digits) {
            if (digits.length() > 9) {
                throw new Refusal("format: a width of " + digits.length() + " digits");
            }
            return digits.isEmpty() ? 0 : Integer.parseInt(digits);
        }
    }

    /// As `format(value, specification)`.
    String format(Value value, String text) {
        if (text.isEmpty()) {
            return operators.printer().str(value);
        }
        Specification specification = Specification.parse(text);
        budget.text(specification.width());
        return switch (value) {
            case Text string -> string(string.value(), specification);
            case Int _, Bool _ -> number(value, specification);
            case Real _ -> number(value, specification);
            default -> throw new Refusal("format: " + Operators.type(value) + " is written as it is, not as '" + text + "'");
        };
    }

    private static String string(String text, Specification specification) {
        if (specification.type() != ' ' && specification.type() != 's' || specification.align() == '='
                || specification.sign() != '-') {
            throw new Refusal("format: a string cannot be written as a number");
        }
        String shown = specification.precision() >= 0 ? beginning(text, specification.precision()) : text;
        return pad("", shown, specification, '<');
    }

    private String number(Value value, Specification specification) {
        char type = specification.type();
        boolean isReal = value instanceof Real || "eEfFgG%".indexOf(type) >= 0;
        String sign;
        String body;
        if (isReal) {
            double real = Operators.real(value);
            sign = sign(real < 0 || 1 / real < 0, specification.sign() == '+', specification.sign() == ' ');
            body = body(Math.abs(real), specification);
        } else {
            BigInteger integer = operators.anyInteger(value, "format");
            sign = sign(integer.signum() < 0, specification.sign() == '+', specification.sign() == ' ');
            if (type == 'c') {
                return pad("", codePoint(operators.clamped(value, "format")), specification, '<');
            }
            if (specification.precision() >= 0 || "dboxXn ".indexOf(type) < 0) {
                throw new Refusal("format: an integer cannot be written as '" + type + "'");
            }
            body = digits(integer, type);
            sign += specification.alternate() && "boxX".indexOf(type) >= 0 ? "0" + type : "";
        }
        if (specification.grouping() != ' ') {
            body = grouped(body, specification.grouping());
        }
        return pad(sign, body, specification, '>');
    }

    private static String body(double value, Specification specification) {
        int precision = specification.precision();
        return switch (specification.type()) {
            case ' ' -> {
                if (precision < 0) {
                    yield Printer.real(value);
                }
                String general = real(value, 'g', precision, specification.alternate());
                yield general.indexOf('.') < 0 && general.indexOf('e') < 0 ? general + ".0" : general;
            }
            case '%' -> fixed(value * 100, precision < 0 ? STANDARD_PRECISION : precision, specification.alternate()) + "%";
            case 'e', 'E', 'f', 'F', 'g', 'G' -> real(value, specification.type(),
                    precision < 0 ? STANDARD_PRECISION : precision, specification.alternate());
            default -> throw new Refusal("format: a number cannot be written as '" + specification.type() + "'");
        };
    }

    private static String grouped(String body, char separator) {
        int end = 0;
        while (end < body.length() && Character.isLetterOrDigit(body.charAt(end)) && body.charAt(end) != 'e') {
            end++;
        }
        StringBuilder text = new StringBuilder(body);
        for (int i = end - 3; i > 0; i -= 3) {
            text.insert(i, separator);
        }
        return text.toString();
    }

    private static String pad(String sign, String body, Specification specification, char standard) {
        int missing = Math.max(0, specification.width() - sign.length() - body.codePointCount(0, body.length()));
        boolean isNumber = standard == '>';
        String fill = !specification.fill().isEmpty() ? specification.fill() : specification.zero() ? "0" : " ";
        char align = specification.align() != ' ' ? specification.align() : specification.zero() && isNumber ? '=' : standard;
        return switch (align) {
            case '<' -> sign + body + fill.repeat(missing);
            case '^' -> fill.repeat(missing / 2) + sign + body + fill.repeat(missing - missing / 2);
            case '=' -> sign + fill.repeat(missing) + body;
            default -> fill.repeat(missing) + sign + body;
        };
    }
}
