package org.gatun.format;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/// Reads the values of a GGUF file's metadata into the types that [Metadata] lists.
final class GgufValue {
    static final int UINT8 = 0;
    static final int INT8 = 1;
    static final int UINT16 = 2;
    static final int INT16 = 3;
    static final int UINT32 = 4;
    static final int INT32 = 5;
    static final int FLOAT32 = 6;
    static final int BOOL = 7;
    static final int STRING = 8;
    static final int ARRAY = 9;
    static final int UINT64 = 10;
    static final int INT64 = 11;
    static final int FLOAT64 = 12;

    private static final int MAX_ARRAY_DEPTH = 4;

    private GgufValue() {}

    /// Reads a type's number and a value of that type.
    static Object read(HeaderReader in, String key) throws FormatException {
        return read(in, in.intValue(key), key, 0);
    }

    private static Object read(HeaderReader in, int type, String key, int depth) throws FormatException {
        return switch (type) {
            case UINT8 -> (long) Byte.toUnsignedInt(in.byteValue(key));
            case INT8 -> (long) in.byteValue(key);
            case UINT16 -> (long) Short.toUnsignedInt(in.shortValue(key));
            case INT16 -> (long) in.shortValue(key);
            case UINT32 -> Integer.toUnsignedLong(in.intValue(key));
            case INT32 -> (long) in.intValue(key);
            case UINT64 -> unsigned(in.longValue(key));
            case INT64 -> in.longValue(key);
            case FLOAT32 -> (double) in.floatValue(key);
            case FLOAT64 -> in.doubleValue(key);
            case BOOL -> readBoolean(in, key);
            case STRING -> readString(in, key);
            case ARRAY -> readArray(in, key, depth);
            default -> throw unknownValueType(in, type, key);
        };
    }

    private static Object readArray(HeaderReader in, String key, int depth) throws FormatException {
        if (depth == MAX_ARRAY_DEPTH) {
            throw in.failure(key + " has arrays in arrays more than " + MAX_ARRAY_DEPTH + " deep");
        }
        int type = in.intValue(key);
        int elementBytes = switch (type) {
            case UINT8, INT8, BOOL -> 1;
            case UINT16, INT16 -> 2;
            case UINT32, INT32, FLOAT32 -> 4;
            case UINT64, INT64, FLOAT64, STRING -> 8;
            case ARRAY -> 12;
            default -> throw unknownValueType(in, type, key);
        };
        int count = in.count(elementBytes, key);
        return switch (type) {
            case INT32 -> in.ints(count, key);
            case FLOAT32 -> in.floats(count, key);
            case UINT8, INT8, UINT16, INT16 -> {
                int[] array = new int[count];
                for (int i = 0; i < count; i++) {
                    array[i] = (int) (long) read(in, type, key, depth);
                }
                yield array;
            }
            case UINT64 -> readUnsignedLongs(in, count, key);
            case UINT32, INT64 -> {
                long[] array = new long[count];
                for (int i = 0; i < count; i++) {
                    array[i] = (long) read(in, type, key, depth);
                }
                yield array;
            }
            case FLOAT64 -> {
                double[] array = new double[count];
                for (int i = 0; i < count; i++) {
                    array[i] = in.doubleValue(key);
                }
                yield array;
            }
            case BOOL -> {
                boolean[] array = new boolean[count];
                for (int i = 0; i < count; i++) {
                    array[i] = readBoolean(in, key);
                }
                yield array;
            }
            default -> {
                List<Object> list = new ArrayList<>(count);
                for (int i = 0; i < count; i++) {
                    list.add(read(in, type, key, depth + 1));
                }
                yield Collections.unmodifiableList(list);
            }
        };
    }

    /// A number that may be beyond a `long`.
    private static Number unsigned(long bits) {
        if (bits < 0) {
            return new BigInteger(Long.toUnsignedString(bits));
        }
        return bits;
    }

    private static Object readUnsignedLongs(HeaderReader in, int count, String key) throws FormatException {
        long[] array = new long[count];
        boolean wide = false;
        for (int i = 0; i < count; i++) {
            array[i] = in.longValue(key);
            wide |= array[i] < 0;
        }
        return wide ? Arrays.stream(array).mapToObj(GgufValue::unsigned).toList() : array;
    }

    private static boolean readBoolean(HeaderReader in, String key) throws FormatException {
        byte value = in.byteValue(key);
        if (value != 0 && value != 1) {
            throw in.failure(key + " is a boolean of value " + value + ": expected 0 or 1");
        }
        return value == 1;
    }

    private static FormatException unknownValueType(HeaderReader in, int type, String key) {
        return in.failure(key + " has value type " + Integer.toUnsignedString(type) + ": expected 0 to " + FLOAT64);
    }

    private static String readString(HeaderReader in, String field) throws FormatException {
        return in.string(in.longValue(field), field);
    }
}
