package org.gatun.tokenizer;

import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// The methods of Python's `str`, `dict` and `list` that chat templates call.
final class PythonMethods {
    private PythonMethods() {}

    /// What the method gives; empty if there is none of this name and number of arguments.
    static Optional<Object> call(Object base, String name, List<Object> arguments) {
        return Optional.ofNullable(switch (base) {
            case String text -> onText(text, name, arguments);
            case Map<?, ?> map -> onMap(map, name, arguments);
            case List<?> list -> onList(list, name, arguments);
            default -> null;
        });
    }

    private static Object onText(String text, String name, List<Object> arguments) {
        String first = arguments.isEmpty() || arguments.getFirst() == null ? null : arguments.getFirst().toString();
        return switch (name) {
            case "strip" -> strip(text, first, true, true);
            case "lstrip" -> strip(text, first, true, false);
            case "rstrip" -> strip(text, first, false, true);
            case "upper" -> text.toUpperCase(Locale.ROOT);
            case "lower" -> text.toLowerCase(Locale.ROOT);
            case "capitalize" -> text.isEmpty() ? text
                    : text.substring(0, 1).toUpperCase(Locale.ROOT) + text.substring(1).toLowerCase(Locale.ROOT);
            case "title" -> title(text);
            case "split" -> split(text, first, arguments.size() > 1 ? ((Number) arguments.get(1)).intValue() : -1);
            case "splitlines" -> new ArrayList<Object>(text.lines().toList());
            case "startswith" -> first == null ? null : text.startsWith(first);
            case "endswith" -> first == null ? null : text.endsWith(first);
            case "find" -> first == null ? null : (long) text.indexOf(first);
            case "count" -> first == null || first.isEmpty() ? null : (long) split(text, first, -1).size() - 1;
            case "replace" -> first == null || arguments.size() < 2 ? null
                    : text.replace(first, String.valueOf(arguments.get(1)));
            case "removeprefix" -> first != null && text.startsWith(first) ? text.substring(first.length()) : text;
            case "removesuffix" -> first != null && text.endsWith(first)
                    ? text.substring(0, text.length() - first.length()) : text;
            case "isdigit" -> !text.isEmpty() && text.chars().allMatch(Character::isDigit);
            case "join" -> arguments.isEmpty() || !(arguments.getFirst() instanceof List<?> parts) ? null
                    : String.join(text, parts.stream().map(String::valueOf).toList());
            default -> null;
        };
    }

    private static Object onMap(Map<?, ?> map, String name, List<Object> arguments) {
        return switch (name) {
            case "items" -> new ArrayList<Object>(map.entrySet());
            case "keys" -> new ArrayList<Object>(map.keySet());
            case "values" -> new ArrayList<Object>(map.values());
            default -> null;
        };
    }

    @SuppressWarnings("unchecked")
    private static Object onList(List<?> list, String name, List<Object> arguments) {
        return switch (name) {
            case "append" -> arguments.isEmpty() ? null : ((List<Object>) list).add(arguments.getFirst());
            case "pop" -> list.isEmpty() ? null : list.removeLast();
            case "index" -> arguments.isEmpty() ? null : (long) list.indexOf(arguments.getFirst());
            case "count" -> arguments.isEmpty() ? null
                    : list.stream().filter(element -> element.equals(arguments.getFirst())).count();
            default -> null;
        };
    }

    private static String strip(String text, String characters, boolean left, boolean right) {
        int from = 0;
        int to = text.length();
        while (left && from < to && isStripped(text.charAt(from), characters)) {
            from++;
        }
        while (right && to > from && isStripped(text.charAt(to - 1), characters)) {
            to--;
        }
        return text.substring(from, to);
    }

    private static boolean isStripped(char c, String characters) {
        return characters == null ? Character.isWhitespace(c) || Character.isSpaceChar(c) : characters.indexOf(c) >= 0;
    }

    /// @param limit the most cuts, or -1
    private static List<Object> split(String text, String separator, int limit) {
        List<Object> parts = new ArrayList<>();
        if (separator == null) {
            for (String part : text.strip().split("\\s+", limit < 0 ? 0 : limit + 1)) {
                if (!part.isEmpty()) {
                    parts.add(part);
                }
            }
            return parts;
        }
        int from = 0;
        for (int at; !separator.isEmpty() && parts.size() != limit && (at = text.indexOf(separator, from)) >= 0;) {
            parts.add(text.substring(from, at));
            from = at + separator.length();
        }
        parts.add(text.substring(from));
        return parts;
    }

    private static String title(String text) {
        StringBuilder result = new StringBuilder(text.toLowerCase(Locale.ROOT));
        for (int i = 0; i < result.length(); i++) {
            if (i == 0 || !Character.isLetter(result.charAt(i - 1))) {
                result.setCharAt(i, Character.toUpperCase(result.charAt(i)));
            }
        }
        return result.toString();
    }

    /// As `datetime.strftime`, for the codes of dates and times; other codes stay as they are.
    static String strftime(LocalDateTime time, String format) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%' || i + 1 == format.length()) {
                text.append(c);
            } else {
                char code = format.charAt(++i);
                String pattern = switch (code) {
                    case 'Y' -> "yyyy";
                    case 'y' -> "yy";
                    case 'm' -> "MM";
                    case 'B' -> "MMMM";
                    case 'b' -> "MMM";
                    case 'd' -> "dd";
                    case 'j' -> "DDD";
                    case 'A' -> "EEEE";
                    case 'a' -> "EEE";
                    case 'H' -> "HH";
                    case 'I' -> "hh";
                    case 'p' -> "a";
                    case 'M' -> "mm";
                    case 'S' -> "ss";
                    default -> "";
                };
                text.append(pattern.isEmpty() ? code == '%' ? "%" : "%" + code
                        : time.format(DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH)));
            }
        }
        return text.toString();
    }

    /// As `json.dumps` with `ensure_ascii=False`.
    static String json(Object value) {
        return switch (value) {
            case null -> "null";
            case Boolean flag -> flag.toString();
            case Number number -> number.toString();
            case Map<?, ?> map -> {
                List<String> entries = new ArrayList<>();
                map.forEach((key, element) -> entries.add(quoted(String.valueOf(key)) + ": " + json(element)));
                yield "{" + String.join(", ", entries) + "}";
            }
            case Iterable<?> list -> {
                List<String> elements = new ArrayList<>();
                list.forEach(element -> elements.add(json(element)));
                yield "[" + String.join(", ", elements) + "]";
            }
            default -> quoted(value.toString());
        };
    }

    private static String quoted(String text) {
        StringBuilder json = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> json.append("\\\"");
                case '\\' -> json.append("\\\\");
                case '\n' -> json.append("\\n");
                case '\r' -> json.append("\\r");
                case '\t' -> json.append("\\t");
                default -> {
                    if (c < ' ') {
                        json.append("\\u%04x".formatted((int) c));
                    } else {
                        json.append(c);
                    }
                }
            }
        }
        return json.append('"').toString();
    }
}
