package org.gatun.model.convert;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gatun.model.architecture.WeightNames;
import org.gatun.tensor.DType;
import org.gatun.tensor.DType.Block;
import org.gatun.tensor.DType.Plain;
import org.gatun.tensor.DType.Sparse;

/// Which type each weight of a model is to be written in: what the first rule says whose pattern its name matches; where none does, the
/// standard type for the matrices of the blocks, and the type it has for embedding, head, norms and biases.
///
/// @param standard type of the matrices of the blocks
/// @param rules in order
/// @param nestsMagnitudes whether the largest magnitudes of NF4 and FP4 are quantized too: double quantization, for safetensors only
public record WeightTypes(DType standard, List<Rule> rules, boolean nestsMagnitudes) {
    /// A type for some weights.
    ///
    /// @param pattern of their GGUF names, `*` for any text
    /// @param dtype their type; empty for that which they have
    public record Rule(String pattern, Optional<DType> dtype) {
        private boolean matches(String name) {
            return name.matches(Arrays.stream(pattern.split("\\*", -1)).map(Pattern::quote).collect(Collectors.joining(".*")));
        }
    }

    /// All matrices of the blocks in one type.
    public WeightTypes(DType standard) {
        this(standard, List.of(), false);
    }

    public WeightTypes {
        rules = List.copyOf(rules);
    }

    /// These with the rules of a text, one a line, as `blk.*.ffn_down.weight = q6_k`; `same` leaves a type as it is; a line that begins
    /// with `#` is a remark.
    ///
    /// @throws IllegalArgumentException if a line is something else, its number said
    public WeightTypes withRules(String text) {
        List<Rule> parsed = new ArrayList<>(rules);
        int number = 0;
        for (String line : text.lines().map(String::strip).toList()) {
            number++;
            if (!line.isEmpty() && !line.startsWith("#")) {
                String[] parts = line.split("=", -1);
                if (parts.length != 2 || parts[0].isBlank()) {
                    throw new IllegalArgumentException("line " + number + " is '" + line + "': expected 'pattern = type'");
                }
                String type = parts[1].strip();
                try {
                    parsed.add(new Rule(parts[0].strip(), type.equals("same") ? Optional.empty() : Optional.of(parse(type))));
                } catch (IllegalArgumentException e) {
                    throw new IllegalArgumentException("line " + number + ": " + e.getMessage(), e);
                }
            }
        }
        return new WeightTypes(standard, parsed, nestsMagnitudes);
    }

    /// These with double quantization.
    ///
    /// @throws IllegalArgumentException if none is NF4 or FP4
    public WeightTypes withNestedMagnitudes() {
        if (Stream.concat(Stream.of(standard), rules.stream().flatMap(rule -> rule.dtype.stream())).noneMatch(WeightTypes::hasMagnitudes)) {
            throw new IllegalArgumentException("double quantization of " + standard + ": expected nf4 or fp4, or a rule with one of them");
        }
        return new WeightTypes(standard, rules, true);
    }

    /// The type of a name, in letters of either case.
    ///
    /// @throws IllegalArgumentException if there is none that weights are written in
    public static DType parse(String name) {
        List<DType> types = DType.all().stream().filter(WeightTypes::isWritten).toList();
        return types.stream().filter(type -> type.name().equalsIgnoreCase(name)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("type '" + name + "': expected one of "
                        + types.stream().map(type -> type.name().toLowerCase(Locale.ROOT)).collect(Collectors.joining(", "))));
    }

    private static boolean isWritten(DType type) {
        return switch (type) {
            case Plain.F32, Plain.F16, Plain.BF16 -> true;
            case Block.NVFP4_BLOCKS -> false;
            case Plain _ -> false;
            case Block _, Sparse _ -> true;
        };
    }

    /// Whether blocks of a type have a largest magnitude that can be quantized too.
    static boolean hasMagnitudes(DType type) {
        return type == DType.NF4 || type == DType.FP4;
    }

    /// The type that a weight is to have; empty for that which it has.
    Optional<DType> of(String name) {
        return rules.stream().filter(rule -> rule.matches(name)).findFirst().map(Rule::dtype)
                .orElseGet(() -> WeightNames.isBlockMatrix(name) ? Optional.of(standard) : Optional.empty());
    }
}
