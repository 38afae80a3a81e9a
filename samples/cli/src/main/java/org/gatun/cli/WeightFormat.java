package org.gatun.cli;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gatun.model.ModelOptions;
import org.gatun.plan.ActivationQuantization;
import org.gatun.tensor.DType;

/// What a model's weights are brought to, and how products with them take activations: `q4_0`, or `int8/int8-outliers`.
///
/// @param type empty for that of the file
record WeightFormat(Optional<DType> type, ActivationQuantization activations) {
    /// As the file has it.
    static final WeightFormat AS_STORED = new WeightFormat(Optional.empty(), ActivationQuantization.NONE);

    /// Every one that can be asked for.
    static List<WeightFormat> all() {
        return ModelOptions.WEIGHT_TYPES.stream().flatMap(type -> Stream.of(ActivationQuantization.values())
                .filter(activations -> type == DType.INT8 || !activations.isQuantized())
                .map(activations -> new WeightFormat(Optional.of(type), activations))).toList();
    }

    /// The one of a name, which an option gave.
    static WeightFormat parse(String option, String name) {
        int slash = name.indexOf('/');
        DType type = type(option, slash < 0 ? name : name.substring(0, slash));
        try {
            ActivationQuantization activations = slash < 0 ? ActivationQuantization.NONE
                    : ActivationQuantization.parse(name.substring(slash + 1));
            if (activations.isQuantized() && type != DType.INT8) {
                throw new IllegalArgumentException("activations " + activations + " are for weights of int8");
            }
            return new WeightFormat(Optional.of(type), activations);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(option + " " + name + ": " + e.getMessage(), e);
        }
    }

    /// The type of a name that weights can be brought to.
    static DType type(String option, String name) {
        return type(option, name, ModelOptions.WEIGHT_TYPES);
    }

    /// The one of these types that has a name.
    static DType type(String option, String name, List<DType> types) {
        return types.stream().filter(type -> type.name().equalsIgnoreCase(name)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException(option + " " + name + ": expected one of "
                        + types.stream().map(type -> type.name().toLowerCase(Locale.ROOT)).collect(Collectors.joining(", "))));
    }

    /// As users write it.
    @Override
    public String toString() {
        String name = type.map(one -> one.name().toLowerCase(Locale.ROOT)).orElse("as stored");
        return activations.isQuantized() ? name + "/" + activations : name;
    }
}
