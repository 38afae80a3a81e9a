package org.gatun.format;

import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.gatun.tensor.DType;

/// The numbers by which GGUF files call tensor types.
public final class GgufType {
    private static final Map<Integer, DType> SUPPORTED = new TreeMap<>(Map.ofEntries(
            Map.entry(0, DType.F32), Map.entry(1, DType.F16), Map.entry(2, DType.Q4_0), Map.entry(3, DType.Q4_1),
            Map.entry(6, DType.Q5_0), Map.entry(7, DType.Q5_1), Map.entry(8, DType.Q8_0), Map.entry(12, DType.Q4_K),
            Map.entry(13, DType.Q5_K), Map.entry(14, DType.Q6_K), Map.entry(24, DType.I8), Map.entry(25, DType.I16),
            Map.entry(26, DType.I32), Map.entry(27, DType.I64), Map.entry(28, DType.F64), Map.entry(30, DType.BF16),
            Map.entry(39, DType.MXFP4), Map.entry(40, DType.NVFP4_BLOCKS)));

    private static final Map<Integer, String> UNSUPPORTED = Map.ofEntries(
            Map.entry(4, "Q4_2"), Map.entry(5, "Q4_3"), Map.entry(9, "Q8_1"), Map.entry(10, "Q2_K"),
            Map.entry(11, "Q3_K"), Map.entry(15, "Q8_K"), Map.entry(16, "IQ2_XXS"), Map.entry(17, "IQ2_XS"),
            Map.entry(18, "IQ3_XXS"), Map.entry(19, "IQ1_S"), Map.entry(20, "IQ4_NL"), Map.entry(21, "IQ3_S"),
            Map.entry(22, "IQ2_S"), Map.entry(23, "IQ4_XS"), Map.entry(29, "IQ1_M"), Map.entry(31, "Q4_0_4_4"),
            Map.entry(32, "Q4_0_4_8"), Map.entry(33, "Q4_0_8_8"), Map.entry(34, "TQ1_0"), Map.entry(35, "TQ2_0"),
            Map.entry(41, "Q1_0"));

    private GgufType() {}

    static Optional<DType> dtype(int number) {
        return Optional.ofNullable(SUPPORTED.get(number));
    }

    /// @throws IllegalArgumentException if GGUF has no such type
    static int number(DType dtype) {
        return SUPPORTED.entrySet().stream().filter(entry -> entry.getValue() == dtype).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("GGUF has no type " + dtype + ": expected one of "
                        + supported())).getKey();
    }

    /// The field's name for a type that Gatun does not read.
    static String unsupportedName(int number) {
        return UNSUPPORTED.getOrDefault(number, "number " + Integer.toUnsignedString(number));
    }

    /// The types that are read, for messages.
    public static String supported() {
        return DType.all().stream().filter(SUPPORTED::containsValue).map(DType::name)
                .collect(Collectors.joining(", "));
    }
}
