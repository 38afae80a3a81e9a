package org.gatun.model;

import java.util.List;
import java.util.Optional;
import org.gatun.backend.KvLayout;
import org.gatun.format.FileAccess;
import org.gatun.plan.ActivationQuantization;
import org.gatun.tensor.DType;

/// How sessions of a model are set up.
///
/// @param contextLength tokens a session can hold; 0 for what the model was trained for, within [#MIN_CONTEXT] and
///        [#MAX_CONTEXT]
/// @param kvType stored type of keys and values, one of [KvLayout#TYPES]
/// @param weightType type that the matrices of the blocks are brought to when the model is loaded; empty for that of the file
/// @param activations how products with weights of INT8 take their activations
/// @param fileAccess how the model's files are read
public record ModelOptions(int contextLength, DType kvType, Optional<DType> weightType, ActivationQuantization activations,
        FileAccess fileAccess) {
    /// The types that weights can be brought to.
    public static final List<DType> WEIGHT_TYPES = List.of(DType.F32, DType.F16, DType.BF16, DType.Q8_0, DType.Q5_1, DType.Q5_0,
            DType.Q4_1, DType.Q4_0, DType.NF4, DType.FP4, DType.MXFP4, DType.NVFP4, DType.INT8, DType.SPARSE_2_4_F16,
            DType.SPARSE_2_4_INT8, DType.SPARSE_2_4_NF4, DType.SPARSE_1_4_F16, DType.SPARSE_2_8_F16, DType.SPARSE_4_8_F16, DType.SPARSE_1_16_F16,
            DType.SPARSE_2_16_F16);

    /// The smallest context that is taken without being asked for: models run beyond what they were trained for, and files
    /// converted from other formats often state less than that.
    public static final int MIN_CONTEXT = 2048;

    /// The largest context that is taken without being asked for, so that a model trained for 128 thousand tokens does not
    /// take gigabytes by surprise.
    public static final int MAX_CONTEXT = 8192;

    /// The model's own context, keys and values in F16.
    public static final ModelOptions STANDARD = new ModelOptions(0, DType.F16);

    /// Weights and activations as they are.
    public ModelOptions(int contextLength, DType kvType) {
        this(contextLength, kvType, Optional.empty(), ActivationQuantization.NONE);
    }

    /// The files mapped.
    public ModelOptions(int contextLength, DType kvType, Optional<DType> weightType, ActivationQuantization activations) {
        this(contextLength, kvType, weightType, activations, FileAccess.MAPPED);
    }

    /// These options with keys and values of a type.
    public ModelOptions withKvType(DType type) {
        return new ModelOptions(contextLength, type, weightType, activations, fileAccess);
    }

    /// These options with the weights brought to a type.
    public ModelOptions withWeightType(DType type) {
        return new ModelOptions(contextLength, kvType, Optional.of(type), activations, fileAccess);
    }

    /// These options with activations taken so.
    ///
    /// @param choice for products with weights of INT8; a model without any is refused if it is not [ActivationQuantization#NONE]
    public ModelOptions withActivations(ActivationQuantization choice) {
        return new ModelOptions(contextLength, kvType, weightType, choice, fileAccess);
    }

    /// These options with the files read so.
    public ModelOptions withFileAccess(FileAccess access) {
        return new ModelOptions(contextLength, kvType, weightType, activations, access);
    }

    /// @throws IllegalArgumentException if the context is negative or longer than [KvLayout#MAX_SLOTS], keys and values cannot be stored in
    ///         their type, or weights not be brought to theirs
    public ModelOptions {
        if (contextLength < 0) {
            throw new IllegalArgumentException("context length " + contextLength + ": expected a positive number, or 0");
        }
        KvLayout.requireSlots(contextLength);
        KvLayout.requireType(kvType);
        if (weightType.isPresent() && !WEIGHT_TYPES.contains(weightType.get())) {
            throw new IllegalArgumentException("weights of " + weightType.get() + ": expected one of " + WEIGHT_TYPES);
        }
    }
}
