package org.gatun.format;

import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The keys and values of a model file's header, with typed access. A value is a `Long` (any integer type), `Double`
/// (any floating type), `Boolean`, `String`, `int[]`, `long[]`, `float[]`, `double[]`, `boolean[]`, a list of strings,
/// or a list of such arrays.
///
/// @param source file it was read from, for messages
/// @param values in file order
public record Metadata(Path source, Map<String, Object> values) {

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
        Optional<Long> value = value(key, Long.class);
        if (value.isPresent() && value.get().intValue() != value.get()) {
            throw new FormatException(source, -1, key + " is " + value.get() + ": expected an integer of 32 bits");
        }
        return value.map(Long::intValue);
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
        return value(key, Boolean.class);
    }

    /// The list of strings under `key`.
    ///
    /// @throws FormatException if the value is of another type
    public Optional<List<String>> strings(String key) throws FormatException {
        Optional<List<?>> list = value(key, List.class).map(value -> (List<?>) value);
        if (list.isPresent() && list.get().stream().anyMatch(element -> !(element instanceof String))) {
            throw new FormatException(source, -1, key + ": expected an array of strings");
        }
        return list.map(elements -> elements.stream().map(String.class::cast).toList());
    }

    /// The array of integers under `key`; not a copy if it is stored as an `int[]`.
    ///
    /// @throws FormatException if the value is of another type or an element does not fit an `int`
    public Optional<int[]> integers(String key) throws FormatException {
        if (!(values.get(key) instanceof long[] wide)) {
            return value(key, int[].class);
        }
        int[] narrow = new int[wide.length];
        for (int i = 0; i < narrow.length; i++) {
            narrow[i] = (int) wide[i];
            if (narrow[i] != wide[i]) {
                throw new FormatException(source, -1, key + " holds " + wide[i] + ": expected integers of 32 bits");
            }
        }
        return Optional.of(narrow);
    }

    /// The array of floats under `key`; not a copy.
    ///
    /// @throws FormatException if the value is of another type
    public Optional<float[]> floats(String key) throws FormatException {
        return value(key, float[].class);
    }

    private <T> Optional<T> value(String key, Class<T> type) throws FormatException {
        Object value = values.get(key);
        if (value != null && !type.isInstance(value)) {
            throw new FormatException(source, -1, key + " is a " + value.getClass().getSimpleName() + ": expected a "
                    + type.getSimpleName());
        }
        return Optional.ofNullable(value).map(type::cast);
    }
}
