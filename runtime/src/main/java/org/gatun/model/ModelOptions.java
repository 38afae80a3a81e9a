package org.gatun.model;

import org.gatun.tensor.DType;

/// How sessions of a model are set up.
///
/// @param contextLength tokens a session can hold; 0 for what the model was trained for, within [#LEAST_CONTEXT] and
///        [#MOST_CONTEXT]
/// @param kvType stored type of keys and values, [DType#F16] or [DType#F32]
public record ModelOptions(int contextLength, DType kvType) {
    /// The smallest context that is taken without being asked for: models run beyond what they were trained for, and files
    /// converted from other formats often state less than that.
    public static final int LEAST_CONTEXT = 2048;

    /// The largest context that is taken without being asked for, so that a model trained for 128 thousand tokens does not
    /// take gigabytes by surprise.
    public static final int MOST_CONTEXT = 8192;

    /// The model's own context, keys and values in F16.
    public static final ModelOptions STANDARD = new ModelOptions(0, DType.F16);

    /// @throws IllegalArgumentException if the context is negative or the type neither F16 nor F32
    public ModelOptions {
        if (contextLength < 0) {
            throw new IllegalArgumentException("context length " + contextLength + ": expected a positive number, or 0");
        }
        if (kvType != DType.F16 && kvType != DType.F32) {
            throw new IllegalArgumentException("KV cache of " + kvType + ": expected F16 or F32");
        }
    }
}
