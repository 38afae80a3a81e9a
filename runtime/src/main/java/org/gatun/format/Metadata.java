package org.gatun.format;

import java.lang.reflect.Array;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// The keys and values of a model file's header, with typed access. A value is a `Long` (any integer type; a `BigInteger` if it is beyond
/// a `long`), `Double` (any floating type), `Boolean`, `String`, `int[]`, `long[]`, `float[]`, `double[]`, `boolean[]`, a list of strings
/// or of integers beyond a `long`, or a list of such arrays. Writers disagree about widths and kinds of numbers, so that an integer may
/// be written as a floating-point number, and a boolean as 0 or 1.
///
/// @param source file it was read from, for messages
/// @param values in file order
public record Metadata(Path source, Map<String, Object> values) {

    private static final int MAX_SAID = 80;

    public Metadata {
        values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
    }

    /// Whether the key is present.
    public boolean has(String key) {
        return values.containsKey(key);
    }

    /// The string under `key`.
    ///
    /// @throws FormatException if the value is of another type
    public Optional<String> string(String key) throws FormatException {
        return value(key, String.class);
    }

    /// The integer under `key`.
    ///
    /// @throws FormatException if the value is of another type or does not fit an `int`
    public Optional<Integer> integer(String key) throws FormatException {
        Optional<Number> value = value(key, Number.class);
        if (value.isPresent() && value.get().intValue() != value.get().doubleValue()) {
            throw new FormatException(source, -1, key + " is " + value.get() + ": expected an integer of 32 bits");
        }
        return value.map(Number::intValue);
    }

    /// The number under `key`, integers included.
    ///
    /// @throws FormatException if the value is of another type
    public Optional<Double> number(String key) throws FormatException {
        return value(key, Number.class).map(Number::doubleValue);
    }

    /// The boolean under `key`.
    ///
    /// @throws FormatException if the value is of another type
    public Optional<Boolean> bool(String key) throws FormatException {
        if (values.get(key) instanceof Long number && (number == 0 || number == 1)) {
            return Optional.of(number == 1);
        }
        return value(key, Boolean.class);
    }

    /// The list of strings under `key`.
    ///
    /// @throws FormatException if the value is of another type
    public Optional<List<String>> strings(String key) throws FormatException {
        Optional<List<?>> list = value(key, List.class).map(value -> (List<?>) value);
        if (list.isPresent() && list.get().stream().anyMatch(element -> !(element instanceof String))) {
            throw new FormatException(source, -1, key + " is " + text(list.get()) + ": expected an array of strings");
        }
        return list.map(elements -> elements.stream().map(String.class::cast).toList());
    }

    /// The array of integers under `key`; not a copy if it is stored as an `int[]`.
    ///
    /// @throws FormatException if the value is of another type or an element does not fit an `int`
    public Optional<int[]> integers(String key) throws FormatException {
        Optional<double[]> elements = switch (values.get(key)) {
            case long[] wide -> Optional.of(Arrays.stream(wide).asDoubleStream().toArray());
            case float[] narrow -> Optional.of(widened(narrow));
            case double[] wide -> Optional.of(wide);
            case null, default -> Optional.empty();
        };
        if (elements.isEmpty()) {
            return value(key, int[].class);
        }
        int[] integers = new int[elements.get().length];
        for (int i = 0; i < integers.length; i++) {
            double element = elements.get()[i];
            integers[i] = (int) element;
            if (integers[i] != element) {
                throw new FormatException(source, -1, key + " holds " + element + ": expected integers of 32 bits");
            }
        }
        return Optional.of(integers);
    }

    private static double[] widened(float[] narrow) {
        return IntStream.range(0, narrow.length).mapToDouble(i -> narrow[i]).toArray();
    }

    /// The array of floats under `key`; not a copy if it is stored as a `float[]`.
    ///
    /// @throws FormatException if the value is of another type
    public Optional<float[]> floats(String key) throws FormatException {
        double[] elements = switch (values.get(key)) {
            case int[] integers -> Arrays.stream(integers).asDoubleStream().toArray();
            case long[] integers -> Arrays.stream(integers).asDoubleStream().toArray();
            case double[] wide -> wide;
            case null, default -> null;
        };
        if (elements == null) {
            return value(key, float[].class);
        }
        float[] floats = new float[elements.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = (float) elements[i];
        }
        return Optional.of(floats);
    }

    /// The elements of a value that is an array or a list.
    public static List<Object> elements(Object value) {
        return value instanceof List<?> list ? List.copyOf(list)
                : IntStream.range(0, Array.getLength(value)).mapToObj(i -> Array.get(value, i)).toList();
    }

    /// A value as messages say it: an array by its elements, cut short if there are many.
    public static String text(Object value) {
        boolean several = value instanceof List<?> || value.getClass().isArray();
        String text = several ? elements(value).stream().limit(MAX_SAID).map(Metadata::text).collect(Collectors.joining(", ", "[", "]"))
                : value.toString();
        return text.length() <= MAX_SAID ? text : text.substring(0, text.offsetByCodePoints(0, MAX_SAID / 2)) + "...";
    }

    private <T> Optional<T> value(String key, Class<T> type) throws FormatException {
        Object value = values.get(key);
        if (value != null && !type.isInstance(value)) {
            throw new FormatException(source, -1, key + " is " + text(value) + ": expected " + name(type));
        }
        return Optional.ofNullable(value).map(type::cast);
    }

    /// What GGUF calls the values of a class.
    private static String name(Class<?> type) {
        if (type.isArray()) {
            return "an array of numbers";
        }
        return type == List.class ? "an array of strings" : type == String.class ? "a string" : type == Boolean.class ? "a boolean" : "a number";
    }
}
