package org.gatun.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gatun.template.Expression.BinaryOperator;
import org.gatun.template.Value.Bool;
import org.gatun.template.Value.Dict;
import org.gatun.template.Value.Int;
import org.gatun.template.Value.None;
import org.gatun.template.Value.Real;
import org.gatun.template.Value.Sequence;
import org.gatun.template.Value.SequenceKind;
import org.gatun.template.Value.Stream;
import org.gatun.template.Value.Text;
import org.gatun.template.Value.Undefined;
import org.gatun.template.Value.View;
import org.gatun.template.Value.ViewKind;

/// The filters: `value | name(arguments)`.
final class Filters {
    static final Set<String> NAMES = Set.of("abs", "attr", "batch", "capitalize", "center", "count", "d", "default",
            "dictsort", "e", "escape", "filesizeformat", "first", "float", "forceescape", "format", "groupby", "indent", "int",
            "items", "join", "last", "length", "list", "lower", "map", "max", "min", "pprint", "random", "reject", "rejectattr",
            "replace", "reverse", "round", "safe", "select", "selectattr", "slice", "sort", "string", "striptags", "sum", "title",
            "tojson", "trim", "truncate", "unique", "upper", "urlencode", "urlize", "wordcount", "wordwrap", "xmlattr");

    private static final Pattern WORDS_AND_BETWEEN = Pattern.compile("[-" + Characters.SPACE + "({\\[<]++|[^-" + Characters.SPACE + "({\\[<]++");
    private static final String SIZE_PREFIXES = "kMGTPEZY";
    private static final int STANDARD_INDENT = 4;
    private static final int STANDARD_CENTER = 80;
    private static final int STANDARD_LINE = 79;
    private static final int STANDARD_TRUNCATE = 255;
    private static final int TRUNCATE_LEEWAY = 5;

    private final Operators operators;
    private final Budget budget;
    private final Attributes attributes;
    private final Tests tests;
    private final WebFilters web;

    Filters(Operators operators, Attributes attributes, Tests tests) {
        this.operators = operators;
        this.attributes = attributes;
        this.tests = tests;
        budget = operators.budget();
        web = attributes.textMethods().web();
    }

    static Refusal unknown(String name) {
        return new Refusal("there is no filter " + name);
    }

    Value apply(String name, Value value, Arguments arguments) {
        budget.work(1);
        return switch (name) {
            case "abs" -> abs(value, arguments);
            case "attr" -> {
                String attribute = operators.string(arguments.only("name"), "attr");
                Operators.demandDefined(value);
                Value own = attributes.own(value, attribute);
                yield own != null ? own : new Undefined(Operators.type(value) + " has no attribute '" + attribute + "'");
            }
            case "batch" -> later(() -> batch(value, arguments));
            case "capitalize", "lower", "upper" -> method(value, name, arguments);
            case "center" -> center(value, arguments);
            case "count", "length" -> {
                arguments.bind(0);
                yield new Int(operators.length(value));
            }
            case "d", "default" -> {
                Value[] bound = arguments.bind(0, "default_value", "boolean");
                boolean byTruth = bound[1] != null && Operators.isTrue(bound[1]);
                boolean isMissing = value instanceof Undefined || byTruth && !Operators.isTrue(value);
                yield !isMissing ? value : bound[0] != null ? bound[0] : Text.EMPTY;
            }
            case "dictsort" -> dictSort(value, arguments);
            case "e", "escape" -> {
                arguments.bind(0);
                yield operators.escaped(value);
            }
            case "filesizeformat" -> fileSize(value, arguments);
            case "forceescape" -> {
                arguments.bind(0);
                yield new Text(operators.escape(operators.str(value).value()), true);
            }
            case "first" -> {
                arguments.bind(0);
                Iterator<Value> elements = operators.iterate(value);
                yield elements.hasNext() ? elements.next() : new Undefined("first of nothing");
            }
            case "last" -> last(value, arguments);
            case "float" -> {
                Value standard = arguments.bind(0, "default")[0];
                Optional<Value> number = toReal(value);
                yield number.orElse(standard == null ? new Real(0) : standard);
            }
            case "int" -> toInt(value, arguments);
            case "format" -> format(value, arguments);
            case "groupby" -> groupBy(value, arguments);
            case "indent" -> indent(value, arguments);
            case "items" -> later(() -> items(value, arguments));
            case "join" -> join(value, arguments);
            case "list" -> {
                arguments.bind(0);
                yield Sequence.list(copy(value));
            }
            case "map" -> later(() -> map(value, arguments));
            case "pprint" -> {
                arguments.bind(0);
                yield new Text(PrettyPrinter.write(operators, value));
            }
            case "random" -> throw new Refusal("the filter random is not supported: a template gives the same text each time");
            case "max" -> extreme(value, arguments, 1);
            case "min" -> extreme(value, arguments, -1);
            case "select" -> later(() -> choose(value, arguments, false, true));
            case "reject" -> later(() -> choose(value, arguments, false, false));
            case "selectattr" -> later(() -> choose(value, arguments, true, true));
            case "rejectattr" -> later(() -> choose(value, arguments, true, false));
            case "replace" -> replace(value, arguments);
            case "reverse" -> reverse(value, arguments);
            case "round" -> round(value, arguments);
            case "safe" -> {
                arguments.bind(0);
                yield new Text(operators.str(value).value(), true);
            }
            case "slice" -> later(() -> slice(value, arguments));
            case "sort" -> sort(value, arguments);
            case "string" -> {
                arguments.bind(0);
                yield operators.str(value);
            }
            case "striptags" -> {
                arguments.bind(0);
                yield web.stripTags(operators.str(value));
            }
            case "sum" -> sum(value, arguments);
            case "title" -> title(value, arguments);
            case "tojson" -> toJson(value, arguments);
            case "trim" -> {
                Value characters = arguments.bind(0, "chars")[0];
                yield method(value, "strip", characters == null ? Arguments.none(name)
                        : new Arguments(name, List.of(characters), Map.of()));
            }
            case "truncate" -> truncate(value, arguments);
            case "unique" -> later(() -> unique(value, arguments));
            case "urlencode" -> web.urlEncode(value, arguments);
            case "urlize" -> web.urlize(value, arguments);
            case "wordcount" -> wordCount(value, arguments);
            case "wordwrap" -> wordWrap(value, arguments);
            case "xmlattr" -> web.xmlAttributes(value, arguments);
            default -> throw unknown(name);
        };
    }

    // What many filters need

    private Value method(Value value, String method, Arguments arguments) {
        return attributes.textMethods().call(operators.str(value), method, arguments);
    }

    /// A stream that does nothing, and refuses nothing, before it is read, as Python's generators.
    private Stream later(Supplier<Stream> stream) {
        AtomicReference<Stream> started = new AtomicReference<>();
        return Stream.of(budget, () -> {
            if (started.get() == null) {
                started.set(stream.get());
            }
            return started.get().hasNext() ? started.get().next() : null;
        });
    }

    private List<Value> copy(Value value) {
        List<Value> elements = operators.elements(value);
        budget.list(elements.size());
        return new ArrayList<>(elements);
    }

    private boolean isGiven(Value value) {
        return value != null && value != None.NONE;
    }

    private static boolean flag(Value value) {
        return value != null && Operators.isTrue(value);
    }

    /// The parts of a path such as `function.name` or `0`.
    private List<Value> path(Value attribute) {
        if (attribute == null || attribute == None.NONE) {
            return List.of();
        }
        if (!(attribute instanceof Text text)) {
            return List.of(attribute);
        }
        budget.bytes(100L * text.value().length());
        List<Value> parts = new ArrayList<>();
        for (String part : text.value().split("\\.", -1)) {
            boolean isIndex = !part.isEmpty() && part.length() < 10 && part.chars().allMatch(c -> c >= '0' && c <= '9');
            parts.add(isIndex ? new Int(Long.parseLong(part)) : new Text(part));
        }
        return parts;
    }

    /// How an element is looked at: the attribute of this path, in small letters if case does not count.
    private Function<Value, Value> look(Value attribute, boolean ignoresCase, Value standard) {
        List<Value> parts = path(attribute);
        return element -> {
            Value found = element;
            for (Value part : parts) {
                found = attributes.element(found, part);
                if (found instanceof Undefined && isGiven(standard)) {
                    found = standard;
                }
            }
            return ignoresCase ? lowered(found) : found;
        };
    }

    private Value lowered(Value value) {
        if (!(value instanceof Text text)) {
            return value;
        }
        budget.text(text.value().length());
        return new Text(Casing.lower(text.value()));
    }

    private Comparator<Value> order() {
        return (one, two) -> {
            budget.work(1);
            int order = operators.order(one, two, "<");
            return order == 2 ? 0 : order;
        };
    }

    // Numbers

    private Value abs(Value value, Arguments arguments) {
        arguments.bind(0);
        Operators.demandDefined(value);
        return switch (value) {
            case Real real -> new Real(Math.abs(real.value()));
            case Int integer -> new Int(integer.value().abs());
            case Bool bool -> new Int(bool.ordinal());
            default -> throw new Refusal("abs of " + Operators.type(value));
        };
    }

    private Value round(Value value, Arguments arguments) {
        Value[] bound = arguments.bind(0, "precision", "method");
        int precision = bound[0] == null ? 0 : operators.clamped(bound[0], "round: precision");
        String method = bound[1] == null ? "common" : operators.string(bound[1], "round: method");
        Operators.demandDefined(value);
        double real = Operators.real(value);
        if (Math.abs((long) precision) > 300) {
            throw new Refusal("round to " + precision + " digits");
        }
        if (!Set.of("common", "ceil", "floor").contains(method)) {
            throw new Refusal("round: expected common, ceil or floor");
        }
        if (!method.equals("common")) {
            /* With a power that is an integer if the precision is not negative, as Python's. */
            double power = Math.pow(10, precision);
            double scaled = real * power;
            double rounded = method.equals("ceil") ? Math.ceil(scaled) : Math.floor(scaled);
            return new Real(rounded / power);
        }
        if (!(value instanceof Real)) {
            return precision >= 0 ? operators.plus(value) : new Int(new BigDecimal(Operators.integral(value))
                    .setScale(precision, RoundingMode.HALF_EVEN).toBigInteger());
        }
        if (Double.isNaN(real) || Double.isInfinite(real)) {
            return value;
        }
        double rounded = new BigDecimal(real).setScale(precision, RoundingMode.HALF_EVEN).doubleValue();
        return new Real(rounded == 0 ? Math.copySign(0, real) : rounded);
    }

    private Value fileSize(Value value, Arguments arguments) {
        Value binary = arguments.bind(0, "binary")[0];
        boolean isBinary = flag(binary);
        int base = isBinary ? 1024 : 1000;
        double bytes = Operators.real(toReal(value).orElseThrow(() -> new Refusal("filesizeformat of " + Operators.type(value))));
        if (bytes == 1) {
            return new Text("1 Byte");
        }
        if (bytes < base) {
            return new Text(Integers.truncated(bytes) + " Bytes");
        }
        int prefix = 0;
        BigInteger unit = BigInteger.valueOf(base).pow(2);
        for (; operators.order(new Real(bytes), new Int(unit), "<") >= 0 && prefix < SIZE_PREFIXES.length() - 1; prefix++) {
            unit = unit.multiply(BigInteger.valueOf(base));
        }
        String first = SIZE_PREFIXES.substring(prefix, prefix + 1);
        return new Text(operators.formats().format(new Real(base * bytes / unit.doubleValue()), ".1f") + " "
                + (isBinary ? first.toUpperCase(Locale.ROOT) + "iB" : first + "B"));
    }

    private Optional<Value> toReal(Value value) {
        return switch (value) {
            case Int _, Bool _ -> Optional.of(new Real(Operators.real(value)));
            case Real _ -> Optional.of(value);
            case Text text -> parseReal(text.value());
            case Undefined undefined -> throw new Refusal(undefined.why());
            default -> Optional.empty();
        };
    }

    private Optional<Value> parseReal(String text) {
        budget.work(1 + text.length() / 8);
        String number = Characters.stripLeft(Characters.stripRight(text)).toLowerCase(Locale.ROOT);
        String unsigned = number.startsWith("+") || number.startsWith("-") ? number.substring(1) : number;
        double sign = number.startsWith("-") ? -1 : 1;
        if (unsigned.equals("inf") || unsigned.equals("infinity")) {
            return Optional.of(new Real(sign * Double.POSITIVE_INFINITY));
        }
        if (unsigned.equals("nan")) {
            return Optional.of(new Real(Double.NaN));
        }
        /* What Java reads beside: hexadecimal numbers, and a letter for the type at the end. */
        boolean isPlain = !unsigned.isEmpty() && unsigned.length() <= 1_000
                && unsigned.chars().allMatch(c -> c >= '0' && c <= '9' || "._e+-".indexOf(c) >= 0)
                && hasUnderscoresBetweenDigits(unsigned);
        try {
            return isPlain ? Optional.of(new Real(sign * Double.parseDouble(unsigned.replace("_", "")))) : Optional.empty();
        } catch (NumberFormatException _) {
            return Optional.empty();
        }
    }

    private static boolean hasUnderscoresBetweenDigits(String text) {
        for (int i = 0; i < text.length(); i++) {
            boolean isBetween = i > 0 && i + 1 < text.length() && Character.isDigit(text.charAt(i - 1))
                    && Character.isDigit(text.charAt(i + 1));
            if (text.charAt(i) == '_' && !isBetween) {
                return false;
            }
        }
        return true;
    }

    private Value toInt(Value value, Arguments arguments) {
        Value[] bound = arguments.bind(0, "default", "base");
        Value standard = bound[0] == null ? new Int(0) : bound[0];
        int base = bound[1] == null ? 10 : operators.clamped(bound[1], "int: base");
        return switch (value) {
            case Int _, Bool _ -> new Int(Operators.integral(value));
            case Real real -> Double.isNaN(real.value()) ? standard : new Int(Integers.truncated(real.value()));
            case Text text -> parseInt(text.value(), base).or(() -> parseReal(text.value())
                    .filter(real -> Double.isFinite(((Real) real).value()))
                    .map(real -> new Int(Integers.truncated(((Real) real).value())))).orElse(standard);
            case Undefined undefined -> throw new Refusal(undefined.why());
            default -> standard;
        };
    }

    private Optional<Value> parseInt(String text, int base) {
        budget.work(1 + text.length() / 8);
        String number = Characters.stripLeft(Characters.stripRight(text)).toLowerCase(Locale.ROOT);
        boolean isNegative = number.startsWith("-");
        String digits = isNegative || number.startsWith("+") ? number.substring(1) : number;
        int radix = base;
        String prefix = digits.length() > 2 && digits.charAt(0) == '0' ? digits.substring(0, 2) : "";
        int meant = switch (prefix) {
            case "0x" -> 16;
            case "0o" -> 8;
            case "0b" -> 2;
            default -> 0;
        };
        if (meant != 0 && (base == 0 || base == meant)) {
            radix = meant;
            digits = digits.substring(digits.charAt(2) == '_' ? 3 : 2);
        } else if (base == 0) {
            radix = 10;
        }
        if (radix < 2 || radix > 36) {
            return Optional.empty();
        }
        boolean isNumber = !digits.isEmpty() && !digits.startsWith("_") && !digits.endsWith("_") && !digits.contains("__")
                && !digits.startsWith("+") && !digits.startsWith("-");
        String plain = digits.replace("_", "");
        int max = radix;
        if (!isNumber || !plain.chars().allMatch(c -> Character.digit(c, max) >= 0)) {
            return Optional.empty();
        }
        if (plain.length() > Integers.MAX_DIGITS) {
            return Optional.empty();
        }
        BigInteger parsed = new BigInteger(plain, radix);
        return Optional.of(new Int(Integers.bounded(isNegative ? parsed.negate() : parsed)));
    }

    private Value sum(Value value, Arguments arguments) {
        Value[] bound = arguments.bind(0, "attribute", "start");
        Function<Value, Value> look = look(bound[0], false, null);
        Value sum = bound[1] == null ? new Int(0) : bound[1];
        if (sum instanceof Text) {
            throw new Refusal("sum of strings: join them");
        }
        for (Iterator<Value> more = operators.iterate(value); more.hasNext();) {
            sum = operators.binary(BinaryOperator.ADD, sum, look.apply(more.next()));
        }
        return sum;
    }

    // Texts

    private Value center(Value value, Arguments arguments) {
        Value width = arguments.bind(0, "width")[0];
        return method(value, "center",
                new Arguments("center", List.of(width == null ? new Int(STANDARD_CENTER) : width), Map.of()));
    }

    private Value format(Value value, Arguments arguments) {
        if (arguments.named().isEmpty()) {
            return operators.formats().percent(operators.str(value), Sequence.tuple(arguments.positional()));
        }
        if (!arguments.positional().isEmpty()) {
            throw new Refusal("format: expected arguments with names or without, not both");
        }
        Dict.Builder map = new Dict.Builder();
        arguments.named().forEach(map::put);
        return operators.formats().percent(operators.str(value), map.build());
    }

    private Value indent(Value value, Arguments arguments) {
        Value[] bound = arguments.bind(0, "width", "first", "blank");
        String indent = bound[0] instanceof Text text ? text.value()
                : operators.str(operators.binary(BinaryOperator.MULTIPLY, new Text(" "),
                        bound[0] == null ? new Int(STANDARD_INDENT) : bound[0])).value();
        if (!(value instanceof Text text)) {
            throw new Refusal("indent of " + Operators.type(value));
        }
        boolean blank = flag(bound[2]);
        StringBuilder indented = new StringBuilder();
        if (flag(bound[1])) {
            indented.append(indent);
        }
        List<String> lines = TextMethods.lines(budget, text.value() + "\n", false);
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i);
            budget.bytes(6L * (indent.length() + line.length()) + 48);
            if (i > 0) {
                indented.append('\n');
                if (blank || !line.isEmpty()) {
                    indented.append(indent);
                }
            }
            indented.append(line);
        }
        return new Text(indented.toString(), text.isMarkup());
    }

    private Value join(Value value, Arguments arguments) {
        Value[] bound = arguments.bind(0, "d", "attribute");
        String separator = bound[0] == null ? "" : operators.str(bound[0]).value();
        Function<Value, Value> look = look(bound[1], false, null);
        StringBuilder joined = new StringBuilder();
        String between = "";
        for (Iterator<Value> more = operators.iterate(value); more.hasNext();) {
            String element = operators.str(look.apply(more.next())).value();
            budget.bytes(6L * (between.length() + element.length()) + 1);
            joined.append(between).append(element);
            between = separator;
        }
        return new Text(joined.toString());
    }

    private Value replace(Value value, Arguments arguments) {
        Value[] bound = arguments.bind(2, "old", "new", "count");
        return new Text(attributes.textMethods().replace(operators.str(value).value(), operators.str(bound[0]).value(),
                operators.str(bound[1]).value(), isGiven(bound[2]) ? operators.integer(bound[2], "replace: count") : -1));
    }

    private Value title(Value value, Arguments arguments) {
        arguments.bind(0);
        String text = operators.str(value).value();
        budget.text(3L * text.length());
        StringBuilder title = new StringBuilder();
        for (Matcher word = WORDS_AND_BETWEEN.matcher(text); word.find();) {
            int rest = text.offsetByCodePoints(word.start(), 1);
            title.append(Casing.upper(text.substring(word.start(), rest)))
                    .append(Casing.lower(text.substring(rest, word.end())));
        }
        return new Text(title.toString());
    }

    private Value toJson(Value value, Arguments arguments) {
        Value[] bound = arguments.bind(0, "ensure_ascii", "indent", "separators", "sort_keys");
        Optional<String> indent = Optional.empty();
        if (isGiven(bound[1])) {
            int width = bound[1] instanceof Text ? 0 : Math.max(0, operators.clamped(bound[1], "tojson: indent"));
            budget.text(width);
            indent = Optional.of(bound[1] instanceof Text text ? text.value() : " ".repeat(width));
        }
        String between = indent.isPresent() ? "," : ", ";
        String afterKey = ": ";
        if (isGiven(bound[2])) {
            List<Value> separators = operators.elements(bound[2]);
            if (separators.size() != 2) {
                throw new Refusal("tojson: separators are " + separators.size() + ", expected 2");
            }
            between = operators.string(separators.get(0), "tojson: a separator");
            afterKey = operators.string(separators.get(1), "tojson: a separator");
        }
        String json = new Json(operators, indent, between, afterKey, flag(bound[0]), flag(bound[3])).write(value);
        budget.text(json.length());
        return new Text(json);
    }

    private Value truncate(Value value, Arguments arguments) {
        Value[] bound = arguments.bind(0, "length", "killwords", "end", "leeway");
        Text text = operators.str(value);
        int length = bound[0] == null ? STANDARD_TRUNCATE : operators.clamped(bound[0], "truncate: length");
        String end = bound[2] == null ? "..." : operators.string(bound[2], "truncate: end");
        int leeway = isGiven(bound[3]) ? operators.clamped(bound[3], "truncate: leeway") : TRUNCATE_LEEWAY;
        int endLength = end.codePointCount(0, end.length());
        if (length < endLength || leeway < 0) {
            throw new Refusal("truncate to " + length + ": expected at least " + endLength + ", and a leeway of at least 0");
        }
        if (operators.length(text) <= (long) length + leeway) {
            return text;
        }
        String kept = text.value().substring(0, text.value().offsetByCodePoints(0, length - endLength));
        int lastBlank = kept.lastIndexOf(' ');
        String cut = flag(bound[1]) || lastBlank < 0 ? kept : kept.substring(0, lastBlank);
        budget.text((long) cut.length() + end.length());
        return new Text(cut + end, text.isMarkup());
    }

    private Value wordWrap(Value value, Arguments arguments) {
        Value[] bound = arguments.bind(0, "width", "break_long_words", "wrapstring", "break_on_hyphens");
        WordWrap wrap = new WordWrap(budget, bound[0] == null ? STANDARD_LINE : operators.clamped(bound[0], "wordwrap: the width"),
                bound[1] == null || Operators.isTrue(bound[1]), bound[3] == null || Operators.isTrue(bound[3]));
        String lineEnd = isGiven(bound[2]) ? operators.string(bound[2], "wordwrap: the line end") : "\n";
        StringBuilder wrapped = new StringBuilder();
        String between = "";
        for (String paragraph : TextMethods.lines(budget, operators.string(value, "wordwrap"), false)) {
            wrapped.append(between);
            between = lineEnd;
            String inner = "";
            for (String line : wrap.lines(paragraph)) {
                budget.bytes(6L * (line.length() + lineEnd.length()));
                wrapped.append(inner).append(line);
                inner = lineEnd;
            }
            budget.bytes(6L * lineEnd.length());
        }
        budget.text(wrapped.length());
        return new Text(wrapped.toString());
    }

    private Value wordCount(Value value, Arguments arguments) {
        arguments.bind(0);
        String text = operators.str(value).value();
        budget.work(1 + text.length() / 4);
        long words = 0;
        boolean isInWord = false;
        for (int i = 0, c; i < text.length(); i += Character.charCount(c)) {
            c = text.codePointAt(i);
            boolean isPart = c == '_' || Character.isLetterOrDigit(c);
            words += isPart && !isInWord ? 1 : 0;
            isInWord = isPart;
        }
        return new Int(words);
    }

    // Lists

    private Value last(Value value, Arguments arguments) {
        arguments.bind(0);
        if (value instanceof Stream) {
            throw new Refusal("last of an iterator: make it a list");
        }
        List<Value> elements = operators.elements(value);
        return elements.isEmpty() ? new Undefined("last of nothing") : elements.getLast();
    }

    private Stream batch(Value value, Arguments arguments) {
        Value[] bound = arguments.bind(1, "linecount", "fill_with");
        int size = operators.clamped(bound[0], "batch: the size");
        Iterator<Value> elements = operators.iterate(value);
        return Stream.of(budget, () -> {
            if (!elements.hasNext()) {
                return null;
            }
            List<Value> batch = new ArrayList<>();
            do {
                budget.list(1);
                batch.add(elements.next());
            } while (elements.hasNext() && batch.size() != size);
            while (isGiven(bound[1]) && batch.size() < size) {
                budget.list(1);
                batch.add(bound[1]);
            }
            return Sequence.list(batch);
        });
    }

    private Stream slice(Value value, Arguments arguments) {
        Value[] bound = arguments.bind(1, "slices", "fill_with");
        List<Value> elements = operators.elements(value);
        int slices = operators.clamped(bound[0], "slice: how many");
        if (slices == 0) {
            throw new Refusal("division by zero");
        }
        List<Value> result = new ArrayList<>();
        int each = Math.floorDiv(elements.size(), slices);
        int longer = Math.floorMod(elements.size(), slices);
        int from = 0;
        for (int i = 0; i < slices; i++) {
            int to = from + each + (i < longer ? 1 : 0);
            budget.list(to - from + 1L);
            List<Value> slice = new ArrayList<>(elements.subList(from, to));
            if (isGiven(bound[1]) && i >= longer) {
                slice.add(bound[1]);
            }
            result.add(Sequence.list(slice));
            from = to;
        }
        return new Stream(result.iterator());
    }

    private Stream items(Value value, Arguments arguments) {
        arguments.bind(0);
        if (value instanceof Undefined) {
            return new Stream(Collections.emptyIterator());
        }
        if (!(value instanceof Dict dict)) {
            throw new Refusal("items of " + Operators.type(value) + ": expected a map");
        }
        return new Stream(operators.elements(new View(ViewKind.ITEMS, dict)).iterator());
    }

    private Value reverse(Value value, Arguments arguments) {
        arguments.bind(0);
        if (value instanceof Text) {
            return operators.slice(value, None.NONE, None.NONE, new Int(-1));
        }
        List<Value> elements = copy(value);
        Collections.reverse(elements);
        return new Stream(elements.iterator());
    }

    private Value dictSort(Value value, Arguments arguments) {
        Value[] bound = arguments.bind(0, "case_sensitive", "by", "reverse");
        boolean byValue = bound[1] != null && operators.string(bound[1], "dictsort: by").equals("value");
        if (bound[1] != null && !byValue && !operators.string(bound[1], "dictsort: by").equals("key")) {
            throw new Refusal("dictsort: expected by='key' or by='value'");
        }
        Operators.demandDefined(value);
        if (!(value instanceof Dict dict)) {
            throw new Refusal("dictsort of " + Operators.type(value) + ": expected a map");
        }
        return Sequence.list(sorted(copy(new View(ViewKind.ITEMS, dict)), flag(bound[2]),
                item -> {
                    Value side = ((Sequence) item).elements().get(byValue ? 1 : 0);
                    return flag(bound[0]) ? side : lowered(side);
                }));
    }

    /// Sorted by what a function sees in the elements, which it looks at once.
    private List<Value> sorted(List<Value> elements, boolean reverse, Function<Value, Value> look) {
        record Seen(Value key, Value element) {}
        List<Seen> seen = new ArrayList<>();
        for (Value element : elements) {
            budget.bytes(32);
            seen.add(new Seen(look.apply(element), element));
        }
        Comparator<Seen> order = Comparator.comparing(Seen::key, order());
        Sorting.sort(seen, reverse ? order.reversed() : order);
        return new ArrayList<>(seen.stream().map(Seen::element).toList());
    }

    private Value sort(Value value, Arguments arguments) {
        Value[] bound = arguments.bind(0, "reverse", "case_sensitive", "attribute");
        List<Function<Value, Value>> looks = new ArrayList<>();
        String[] attributes = new String[0];
        if (bound[2] instanceof Text text) {
            budget.bytes(100L * text.value().length());
            attributes = text.value().split(",", -1);
        }
        for (String attribute : attributes) {
            looks.add(look(new Text(attribute), !flag(bound[1]), null));
        }
        if (attributes.length == 0) {
            looks.add(look(bound[2], !flag(bound[1]), null));
        }
        return Sequence.list(sorted(copy(value), flag(bound[0]), element -> looks.size() == 1 ? looks.getFirst().apply(element)
                : Sequence.list(looks.stream().map(look -> look.apply(element)).toList())));
    }

    private Stream unique(Value value, Arguments arguments) {
        Value[] bound = arguments.bind(0, "case_sensitive", "attribute");
        Function<Value, Value> look = look(bound[1], !flag(bound[0]), null);
        Set<Object> seen = new HashSet<>();
        Iterator<Value> elements = operators.iterate(value);
        return Stream.of(budget, () -> {
            while (elements.hasNext()) {
                Value element = elements.next();
                budget.bytes(64);
                if (seen.add(operators.hash(look.apply(element)))) {
                    return element;
                }
            }
            return null;
        });
    }

    private Value extreme(Value value, Arguments arguments, int sign) {
        Value[] bound = arguments.bind(0, "case_sensitive", "attribute");
        Function<Value, Value> look = look(bound[1], !flag(bound[0]), null);
        Value best = null;
        Value bestKey = null;
        for (Iterator<Value> more = operators.iterate(value); more.hasNext();) {
            Value element = more.next();
            Value key = look.apply(element);
            if (best == null || sign * order().compare(key, bestKey) > 0) {
                best = element;
                bestKey = key;
            }
        }
        return best == null ? new Undefined((sign > 0 ? "max" : "min") + " of nothing") : best;
    }

    private Value groupBy(Value value, Arguments arguments) {
        Value[] bound = arguments.bind(1, "attribute", "default", "case_sensitive");
        boolean ignoresCase = !flag(bound[2]);
        Function<Value, Value> look = look(bound[0], ignoresCase, bound[1]);
        Function<Value, Value> lookAsWritten = look(bound[0], false, bound[1]);
        List<Value> groups = new ArrayList<>();
        List<Value> group = new ArrayList<>();
        Value key = null;
        for (Value element : sorted(copy(value), false, look)) {
            Value next = look.apply(element);
            budget.list(2);
            if (key == null || !operators.areEqual(key, next)) {
                group = new ArrayList<>();
                groups.add(new Sequence(SequenceKind.GROUP, List.of(lookAsWritten.apply(element), Sequence.list(group))));
                key = next;
            }
            group.add(element);
        }
        return Sequence.list(groups);
    }

    private Stream map(Value value, Arguments arguments) {
        if (!Operators.isTrue(value)) {
            return new Stream(Collections.emptyIterator());
        }
        Function<Value, Value> change;
        if (arguments.positional().isEmpty() && arguments.named().containsKey("attribute")) {
            Value[] bound = new Arguments("map", List.of(), arguments.named()).bind(1, "attribute", "default");
            change = look(bound[0], false, bound[1]);
        } else {
            if (arguments.positional().isEmpty()) {
                throw new Refusal("map: expected the name of a filter, or attribute");
            }
            String name = operators.string(arguments.positional().getFirst(), "map: the filter");
            Arguments rest = arguments.rest(name);
            change = element -> apply(name, element, rest);
        }
        Iterator<Value> elements = operators.iterate(value);
        return Stream.of(budget, () -> elements.hasNext() ? change.apply(elements.next()) : null);
    }

    private Stream choose(Value value, Arguments arguments, boolean byAttribute, boolean wanted) {
        if (!Operators.isTrue(value)) {
            return new Stream(Collections.emptyIterator());
        }
        int skipped = byAttribute ? 1 : 0;
        List<Value> given = arguments.positional();
        if (given.size() < skipped) {
            throw new Refusal(arguments.function() + ": expected the name of an attribute");
        }
        Function<Value, Value> look = byAttribute ? look(given.getFirst(), false, null) : Function.identity();
        Predicate<Value> test = Operators::isTrue;
        if (given.size() > skipped) {
            String name = operators.string(given.get(skipped), arguments.function() + ": the test");
            Arguments rest = new Arguments(name, given.subList(skipped + 1, given.size()), arguments.named());
            test = element -> tests.isTrue(name, element, rest);
        }
        Predicate<Value> chosen = test;
        Iterator<Value> elements = operators.iterate(value);
        return Stream.of(budget, () -> {
            while (elements.hasNext()) {
                Value element = elements.next();
                budget.work(1);
                if (chosen.test(look.apply(element)) == wanted) {
                    return element;
                }
            }
            return null;
        });
    }
}
