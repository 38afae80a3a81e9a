package org.gatun.template;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntPredicate;
import org.gatun.template.Value.Bool;
import org.gatun.template.Value.Dict;
import org.gatun.template.Value.Int;
import org.gatun.template.Value.None;
import org.gatun.template.Value.Range;
import org.gatun.template.Value.Sequence;
import org.gatun.template.Value.Text;

/// The methods of Python's `str`. Positions count code points. What is markup stays markup, and what is put into it is
/// escaped.
final class TextMethods {
    static final Set<String> NAMES = Set.of("capitalize", "casefold", "center", "count", "encode", "endswith", "expandtabs",
            "find", "format", "format_map", "index", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier",
            "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper", "join", "ljust", "lower", "lstrip",
            "maketrans", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust", "rpartition",
            "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title", "translate", "upper", "zfill");
    /// What markup has beside.
    private static final Set<String> NAMES_OF_MARKUP = Set.of("escape", "striptags", "unescape");

    private static final int STANDARD_TAB = 8;

    private final Operators operators;
    private final Budget budget;
    private final Formats.Access access;
    private final WebFilters web;

    /// @param access how places of a format look into values
    TextMethods(Operators operators, Formats.Access access) {
        this.operators = operators;
        this.access = access;
        budget = operators.budget();
        web = new WebFilters(operators);
    }

    WebFilters web() {
        return web;
    }

    static boolean has(Text self, String name) {
        return NAMES.contains(name) || self.isMarkup() && NAMES_OF_MARKUP.contains(name);
    }

    /// @param name one that it [#has]
    Value call(Text self, String name, Arguments arguments) {
        String text = self.value();
        budget.work(1 + text.length() / 16);
        return switch (name) {
            case "strip" -> strip(self, arguments, true, true);
            case "lstrip" -> strip(self, arguments, true, false);
            case "rstrip" -> strip(self, arguments, false, true);
            case "upper", "lower", "capitalize", "title", "swapcase", "casefold" -> {
                budget.text(text.length());
                yield like(self, switch (name) {
                    case "upper" -> Casing.upper(text);
                    case "lower" -> Casing.lower(text);
                    case "capitalize" -> Casing.capitalize(text);
                    case "title" -> Casing.title(text);
                    case "casefold" -> Casing.fold(text);
                    default -> Casing.swap(text);
                }, arguments);
            }
            case "split" -> split(self, arguments, false);
            case "rsplit" -> split(self, arguments, true);
            case "splitlines" -> splitLines(self, arguments);
            case "partition" -> partition(self, arguments, false);
            case "rpartition" -> partition(self, arguments, true);
            case "startswith" -> begins(self, arguments, false);
            case "endswith" -> begins(self, arguments, true);
            case "find" -> find(self, arguments, false, false);
            case "rfind" -> find(self, arguments, true, false);
            case "index" -> find(self, arguments, false, true);
            case "rindex" -> find(self, arguments, true, true);
            case "count" -> count(self, arguments);
            case "replace" -> {
                Value[] bound = arguments.bind(2, "old", "new", "count");
                String old = operators.string(bound[0], "replace: old");
                long max = bound[2] == null ? -1 : operators.integer(bound[2], "replace: count");
                yield new Text(replace(text, old, inserted(self, bound[1]), max), self.isMarkup());
            }
            case "removeprefix" -> {
                String prefix = operators.string(arguments.only("prefix"), "removeprefix");
                yield copy(self, text.startsWith(prefix) ? text.substring(prefix.length()) : text);
            }
            case "removesuffix" -> {
                String suffix = operators.string(arguments.only("suffix"), "removesuffix");
                yield copy(self, text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text);
            }
            case "join" -> join(self, arguments.only("elements"));
            case "format" -> operators.formats().braces(self, arguments, access);
            case "format_map" -> operators.formats().braces(self, named(arguments.only("map")), access);
            case "isdigit" -> are(text, arguments, Characters::isDigit);
            case "isdecimal" -> are(text, arguments, Character::isDigit);
            case "isnumeric" -> are(text, arguments, Characters::isNumeric);
            case "isalpha" -> are(text, arguments, Character::isLetter);
            case "isalnum" -> are(text, arguments, c -> Character.isLetter(c) || Characters.isNumeric(c));
            case "isspace" -> are(text, arguments, Characters::isSpace);
            case "isascii" -> Bool.of(text.isEmpty() || are(text, arguments, c -> c < 0x80) == Bool.TRUE);
            case "isprintable" -> Bool.of(text.isEmpty() || are(text, arguments, Characters::isPrintable) == Bool.TRUE);
            case "islower" -> Bool.of(Casing.isLower(text));
            case "isupper" -> Bool.of(Casing.isUpper(text));
            case "istitle" -> Bool.of(Casing.isTitle(text));
            case "center" -> pad(self, arguments, true, true);
            case "ljust" -> pad(self, arguments, false, true);
            case "rjust" -> pad(self, arguments, true, false);
            case "zfill" -> zeros(self, arguments);
            case "expandtabs" -> expandTabs(self, arguments);
            case "isidentifier" -> {
                arguments.bind(0);
                yield Bool.of(Characters.isIdentifier(text));
            }
            case "maketrans" -> makeTranslation(arguments);
            case "translate" -> translate(self, arguments.only("table"));
            case "encode" -> throw new Refusal("encode is not supported: templates have no bytes");
            case "escape" -> operators.escaped(arguments.only("value"));
            case "striptags" -> web.stripTags(like(self, text, arguments));
            case "unescape" -> new Text(web.unescape(like(self, text, arguments).value()));
            default -> throw new AssertionError(name);
        };
    }

    private Text copy(Text self, String text) {
        budget.text(text.length());
        return new Text(text, self.isMarkup());
    }

    private Text like(Text self, String text, Arguments arguments) {
        arguments.bind(0);
        return copy(self, text);
    }

    /// What is put into a text, escaped if that is markup.
    private String inserted(Text self, Value value) {
        String text = operators.string(value, "what is put into a string");
        return self.isMarkup() && !((Text) value).isMarkup() ? operators.escape(text) : text;
    }

    private static Arguments named(Value map) {
        if (!(map instanceof Dict dict)) {
            throw new Refusal("format_map: expected a map");
        }
        var named = new LinkedHashMap<String, Value>();
        dict.entries().forEach((hash, entry) -> {
            if (hash instanceof String name) {
                named.put(name, entry.value());
            }
        });
        return new Arguments("format_map", List.of(), named);
    }

    private Text strip(Text self, Arguments arguments, boolean left, boolean right) {
        Value characters = arguments.bind(0, "characters")[0];
        IntPredicate goes = Characters::isSpace;
        if (characters != null && characters != None.NONE) {
            Set<Integer> set = new HashSet<>();
            operators.string(characters, "strip").codePoints().forEach(c -> {
                if (set.add(c)) {
                    budget.bytes(64);
                }
            });
            goes = set::contains;
        }
        String text = self.value();
        int from = 0;
        int to = text.length();
        while (left && from < to && goes.test(text.codePointAt(from))) {
            from += Character.charCount(text.codePointAt(from));
        }
        while (right && to > from && goes.test(text.codePointBefore(to))) {
            to -= Character.charCount(text.codePointBefore(to));
        }
        return copy(self, text.substring(from, to));
    }

    // Characters for characters

    private Dict makeTranslation(Arguments arguments) {
        Value[] bound = arguments.bind(1, "x", "y", "z");
        Dict.Builder table = new Dict.Builder();
        if (bound[1] == null) {
            if (!(bound[0] instanceof Dict dict)) {
                throw new Refusal("maketrans: expected a map, or two strings");
            }
            budget.map(dict.size());
            for (Dict.Entry entry : dict.entries().values()) {
                put(table, entry.key() instanceof Text one ? new Int(codePoint(one.value())) : entry.key(), entry.value());
            }
            return table.build();
        }
        int[] from = codePoints(bound[0]);
        int[] to = codePoints(bound[1]);
        if (from.length != to.length) {
            throw new Refusal("maketrans: the strings have " + from.length + " and " + to.length + " characters, expected as many");
        }
        for (int i = 0; i < from.length; i++) {
            put(table, new Int(from[i]), new Int(to[i]));
        }
        for (int gone : bound[2] == null ? new int[0] : codePoints(bound[2])) {
            put(table, new Int(gone), None.NONE);
        }
        return table.build();
    }

    private void put(Dict.Builder table, Value key, Value value) {
        table.put(operators.anyInteger(key, "maketrans: a key"), key, value);
    }

    private int[] codePoints(Value value) {
        String text = operators.string(value, "maketrans: what to replace");
        budget.map(text.length());
        return text.codePoints().toArray();
    }

    private static int codePoint(String one) {
        if (one.isEmpty() || one.codePointCount(0, one.length()) != 1) {
            throw new Refusal("maketrans: a key has " + one.codePointCount(0, one.length()) + " characters, expected one");
        }
        return one.codePointAt(0);
    }

    /// @param table what each code point becomes: another one, a text, or none
    private Text translate(Text self, Value table) {
        Operators.demandDefined(table);
        if (!(table instanceof Dict || table instanceof Sequence || table instanceof Text || table instanceof Range)) {
            throw new Refusal("translate: the table is " + Operators.type(table) + ": expected a map");
        }
        StringBuilder text = new StringBuilder();
        self.value().codePoints().forEach(c -> {
            budget.work(2);
            Value to = operators.element(table, new Int(c));
            if (to == null) {
                text.appendCodePoint(c);
            } else if (to instanceof Text more) {
                budget.bytes(6L * more.value().length());
                text.append(more.value());
            } else if (to != None.NONE) {
                int code = operators.clamped(to, "translate: what a character becomes");
                if (!Character.isValidCodePoint(code)) {
                    throw new Refusal("translate: " + code + " is no character");
                }
                text.appendCodePoint(code);
            }
        });
        return copy(self, text.toString());
    }

    // Kinds of characters

    private static Bool are(String text, Arguments arguments, IntPredicate kind) {
        arguments.bind(0);
        return Bool.of(!text.isEmpty() && text.codePoints().allMatch(kind));
    }

    // Parts

    private Text part(Text self, int from, int to) {
        return copy(self, self.value().substring(from, to));
    }

    private Value split(Text self, Arguments arguments, boolean fromRight) {
        Value[] bound = arguments.bind(0, "sep", "maxsplit");
        long max = bound[1] == null ? -1 : operators.integer(bound[1], "split: maxsplit");
        long cuts = max < 0 ? Long.MAX_VALUE : max;
        List<Value> parts = new ArrayList<>();
        if (bound[0] != null && bound[0] != None.NONE) {
            String separator = separator(bound[0], "split");
            if (fromRight) {
                splitFromRight(self, separator, cuts, parts);
            } else {
                splitFromLeft(self, separator, cuts, parts);
            }
        } else if (fromRight) {
            wordsFromRight(self, cuts, parts);
        } else {
            wordsFromLeft(self, cuts, parts);
        }
        budget.list(parts.size());
        return Sequence.list(parts);
    }

    private String separator(Value value, String method) {
        String separator = operators.string(value, method + ": the separator");
        if (separator.isEmpty()) {
            throw new Refusal(method + ": the separator is empty");
        }
        return separator;
    }

    private void splitFromLeft(Text self, String separator, long cuts, List<Value> parts) {
        Search search = new Search(budget, separator);
        int from = 0;
        for (int at = 0; parts.size() < cuts && (at = search.find(self.value(), from)) >= 0;) {
            parts.add(part(self, from, at));
            from = at + separator.length();
        }
        parts.add(part(self, from, self.value().length()));
    }

    private void splitFromRight(Text self, String separator, long cuts, List<Value> parts) {
        budget.text(self.value().length());
        String mirrored = new StringBuilder(self.value()).reverse().toString();
        Search search = new Search(budget, new StringBuilder(separator).reverse().toString());
        int length = mirrored.length();
        int from = 0;
        for (int at = 0; parts.size() < cuts && (at = search.find(mirrored, from)) >= 0;) {
            parts.add(part(self, length - at, length - from));
            from = at + separator.length();
        }
        parts.add(part(self, 0, length - from));
        Collections.reverse(parts);
    }

    private void wordsFromLeft(Text self, long cuts, List<Value> parts) {
        String text = self.value();
        int at = skip(text, 0, true);
        while (at < text.length()) {
            int end = parts.size() < cuts ? skip(text, at, false) : text.length();
            parts.add(part(self, at, end));
            at = skip(text, end, true);
        }
    }

    private static int skip(String text, int from, boolean space) {
        int at = from;
        while (at < text.length() && Characters.isSpace(text.charAt(at)) == space) {
            at++;
        }
        return at;
    }

    private void wordsFromRight(Text self, long cuts, List<Value> parts) {
        String text = self.value();
        int end = skipBack(text, text.length(), true);
        while (end > 0) {
            int at = parts.size() < cuts ? skipBack(text, end, false) : 0;
            parts.add(part(self, at, end));
            end = skipBack(text, at, true);
        }
        Collections.reverse(parts);
    }

    private static int skipBack(String text, int from, boolean space) {
        int at = from;
        while (at > 0 && Characters.isSpace(text.charAt(at - 1)) == space) {
            at--;
        }
        return at;
    }

    private Value splitLines(Text self, Arguments arguments) {
        Value keep = arguments.bind(0, "keepends")[0];
        List<String> lines = lines(budget, self.value(), keep != null && Operators.isTrue(keep));
        budget.list(lines.size());
        return Sequence.list(lines.stream().map(line -> (Value) new Text(line, self.isMarkup())).toList());
    }

    /// The lines of a text. What is behind the last line end is a line, unless it is empty.
    ///
    /// @param keepsEnds whether line ends belong to lines
    static List<String> lines(Budget budget, String text, boolean keepsEnds) {
        List<String> lines = new ArrayList<>();
        for (int from = 0; from < text.length();) {
            int end = from;
            while (end < text.length() && !Characters.isLineEnd(text.charAt(end))) {
                end++;
            }
            int next = Math.min(text.length(), text.startsWith("\r\n", end) ? end + 2 : end + 1);
            budget.text(next - from);
            lines.add(text.substring(from, keepsEnds ? next : end));
            from = next;
        }
        return lines;
    }

    private Value partition(Text self, Arguments arguments, boolean last) {
        String separator = separator(arguments.only("sep"), "partition");
        int at = last ? findLast(self.value(), separator) : new Search(budget, separator).find(self.value(), 0);
        if (at < 0) {
            Text empty = copy(self, "");
            return last ? Sequence.tuple(empty, empty, self) : Sequence.tuple(self, empty, empty);
        }
        return Sequence.tuple(part(self, 0, at), copy(self, separator),
                part(self, at + separator.length(), self.value().length()));
    }

    private int findLast(String text, String wanted) {
        budget.text(text.length());
        int found = new Search(budget, new StringBuilder(wanted).reverse().toString())
                .find(new StringBuilder(text).reverse().toString(), 0);
        return found < 0 ? -1 : text.length() - found - wanted.length();
    }

    // Looking

    /// The part of a text that `start` and `end` bound.
    private record Window(int from, int to, int codePointsBefore) {}

    /// Empty where the bounds leave no part, not even an empty one.
    private Optional<Window> window(String text, Value start, Value end) {
        int length = start == null && end == null ? 0 : text.codePointCount(0, text.length());
        long from = position(start, 0, length);
        long to = start == null && end == null ? 0 : position(end, length, length);
        if (start == null && end == null) {
            return Optional.of(new Window(0, text.length(), 0));
        }
        if (from > to || from > length) {
            return Optional.empty();
        }
        int first = text.offsetByCodePoints(0, (int) from);
        return Optional.of(new Window(first, text.offsetByCodePoints(first, (int) (to - from)), (int) from));
    }

    private long position(Value given, long standard, int length) {
        if (given == null || given == None.NONE) {
            return standard;
        }
        long at = operators.clamped(given, "a position");
        return at < 0 ? Math.max(0, at + length) : given != null && standard == length ? Math.min(at, length) : at;
    }

    private Bool begins(Text self, Arguments arguments, boolean atEnd) {
        Value[] bound = arguments.bind(1, "prefix", "start", "end");
        List<Value> wanted = bound[0] instanceof Sequence sequence && !sequence.isList() ? sequence.elements() : List.of(bound[0]);
        var window = window(self.value(), bound[1], bound[2]);
        boolean found = false;
        for (Value value : wanted) {
            String part = operators.string(value, arguments.function());
            budget.work(1 + part.length() / 16);
            found |= window.isPresent() && window.get().to() - window.get().from() >= part.length()
                    && self.value().startsWith(part, atEnd ? window.get().to() - part.length() : window.get().from());
        }
        return Bool.of(found);
    }

    private Int find(Text self, Arguments arguments, boolean last, boolean demanded) {
        Value[] bound = arguments.bind(1, "sub", "start", "end");
        String wanted = operators.string(bound[0], arguments.function());
        long found = -1;
        var window = window(self.value(), bound[1], bound[2]);
        if (window.isPresent()) {
            budget.text(window.get().to() - window.get().from());
            String text = self.value().substring(window.get().from(), window.get().to());
            int at = last ? findLast(text, wanted) : new Search(budget, wanted).find(text, 0);
            found = at < 0 ? -1 : window.get().codePointsBefore() + text.codePointCount(0, at);
        }
        if (demanded && found < 0) {
            throw new Refusal(arguments.function() + ": not found");
        }
        return new Int(found);
    }

    private Int count(Text self, Arguments arguments) {
        Value[] bound = arguments.bind(1, "sub", "start", "end");
        String wanted = operators.string(bound[0], "count");
        var window = window(self.value(), bound[1], bound[2]);
        if (window.isEmpty()) {
            return new Int(0);
        }
        budget.text(window.get().to() - window.get().from());
        String text = self.value().substring(window.get().from(), window.get().to());
        if (wanted.isEmpty()) {
            return new Int(text.codePointCount(0, text.length()) + 1L);
        }
        Search search = new Search(budget, wanted);
        long count = 0;
        for (int at = search.find(text, 0); at >= 0; at = search.find(text, at + wanted.length())) {
            count++;
        }
        return new Int(count);
    }

    /// @param max how many are replaced, all if negative
    String replace(String text, String old, String with, long max) {
        long left = max < 0 ? Long.MAX_VALUE : max;
        StringBuilder replaced = new StringBuilder();
        budget.text(2L * text.length());
        if (old.isEmpty()) {
            for (int i = 0; i <= text.length(); i += i < text.length() ? Character.charCount(text.codePointAt(i)) : 1) {
                if (left-- > 0) {
                    budget.bytes(4L * with.length() + 1);
                    replaced.append(with);
                }
                if (i < text.length()) {
                    replaced.appendCodePoint(text.codePointAt(i));
                }
            }
            return replaced.toString();
        }
        Search search = new Search(budget, old);
        int from = 0;
        for (int at = 0; left-- > 0 && (at = search.find(text, from)) >= 0;) {
            budget.bytes(4L * with.length() + 1);
            replaced.append(text, from, at).append(with);
            from = at + old.length();
        }
        return from == 0 ? text : replaced.append(text, from, text.length()).toString();
    }

    private Text join(Text self, Value elements) {
        StringBuilder joined = new StringBuilder();
        String between = "";
        for (Iterator<Value> more = operators.iterate(elements); more.hasNext();) {
            String element = inserted(self, more.next());
            budget.bytes(6L * (between.length() + element.length()) + 1);
            joined.append(between).append(element);
            between = self.value();
        }
        return new Text(joined.toString(), self.isMarkup());
    }

    // Width

    private Text pad(Text self, Arguments arguments, boolean before, boolean after) {
        Value[] bound = arguments.bind(1, "width", "fillchar");
        String fill = bound[1] == null ? " " : inserted(self, bound[1]);
        if (bound[1] instanceof Text text && text.value().codePointCount(0, text.value().length()) != 1) {
            throw new Refusal(arguments.function() + ": expected one character to fill with");
        }
        int width = operators.clamped(bound[0], arguments.function() + ": the width");
        int length = operators.length(self);
        int missing = Math.max(0, width - length);
        budget.text((long) missing * fill.length() + self.value().length());
        int left = !before ? 0 : !after ? missing : missing / 2 + (missing & width & 1);
        return new Text(fill.repeat(left) + self.value() + fill.repeat(missing - left), self.isMarkup());
    }

    private Text zeros(Text self, Arguments arguments) {
        int width = operators.clamped(arguments.only("width"), "zfill: the width");
        int missing = Math.max(0, width - operators.length(self));
        budget.text((long) missing + self.value().length());
        boolean isSigned = self.value().startsWith("+") || self.value().startsWith("-");
        return new Text((isSigned ? self.value().substring(0, 1) : "") + "0".repeat(missing)
                + self.value().substring(isSigned ? 1 : 0), self.isMarkup());
    }

    private Text expandTabs(Text self, Arguments arguments) {
        Value given = arguments.bind(0, "tabsize")[0];
        int tab = given == null ? STANDARD_TAB : operators.clamped(given, "expandtabs: the size");
        StringBuilder text = new StringBuilder();
        int column = 0;
        for (int i = 0, c; i < self.value().length(); i += Character.charCount(c)) {
            c = self.value().codePointAt(i);
            if (c == '\t') {
                int blanks = tab > 0 ? tab - column % tab : 0;
                budget.text(2L * blanks);
                text.append(" ".repeat(blanks));
                column += blanks;
            } else {
                text.appendCodePoint(c);
                column = c == '\n' || c == '\r' ? 0 : column + 1;
            }
        }
        return copy(self, text.toString());
    }
}
