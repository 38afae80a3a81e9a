package org.gatun.plan;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/// How a matrix product quantizes its activations. Those in 8 bits are for weights of INT8: an int8 matmul, whose sums are exact: `out = Σ
/// code · q · (scale of the row · scale of the weight's row) + Σ outlier · weight + bias`, with the codes of [org.gatun.quantize.RowCodes].
/// A row's codes depend on that row alone, so that it is computed alike in every pass.
public enum ActivationQuantization {
    /// As they are, up to what a backend rounds them to for the type of the weight.
    NONE(Float.POSITIVE_INFINITY),
    /// In 8 bits with a scale for each row (dynamic W8A8).
    INT8(Float.POSITIVE_INFINITY),
    /// In 8 bits, but for elements of a magnitude of 6 or more, which are multiplied as they are and do not count for the row's scale.
    /// (After Dettmers et al. 2022, arXiv 2208.07339, who set apart whole columns of a batch: for one row the same.)
    INT8_OUTLIERS(6);

    /// Most inputs of a product whose sums of whole numbers stay within 32 bits: codes are at most 127, those of weights 128.
    public static final int MAX_INPUTS = 1 << 17;

    private final float threshold;

    ActivationQuantization(float threshold) {
        this.threshold = threshold;
    }

    /// The magnitude from which on an element is an outlier.
    public float threshold() {
        return threshold;
    }

    /// Whether they are brought to 8 bits with a scale for each row.
    public boolean isQuantized() {
        return this != NONE;
    }

    /// The one of a name as [#toString] gives it; `as-is`, the former name of `none`, is taken for one release more.
    ///
    /// @throws IllegalArgumentException if there is none
    public static ActivationQuantization parse(String name) {
        return name.equals("as-is") ? NONE : Arrays.stream(values()).filter(one -> one.toString().equals(name)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("found '" + name + "', expected one of "
                        + Arrays.stream(values()).map(ActivationQuantization::toString).collect(Collectors.joining(", "))));
    }

    /// As users write it: `none`, `int8` or `int8-outliers`.
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
