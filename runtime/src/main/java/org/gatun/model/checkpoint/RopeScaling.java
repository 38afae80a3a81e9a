package org.gatun.model.checkpoint;

import org.gatun.model.architecture.ModelConfig;
import org.gatun.plan.RopeTable;

/// How a model stretches rotary positions beyond what it was trained for. Each kind only changes the table of inverse
/// frequencies, and YaRN one factor.
public sealed interface RopeScaling {

    /// Positions as trained.
    record None() implements RopeScaling {}

    /// Every frequency divided by `factor`. (Chen et al. 2023, arXiv 2306.15595.)
    record Linear(double factor) implements RopeScaling {}

    /// Long wavelengths divided by `factor`, short ones kept, smooth between. (Llama 3.1.)
    record Llama3(double factor, double lowFrequency, double highFrequency, int originalContext) implements RopeScaling {}

    /// Interpolation of slow and extrapolation of fast frequencies. (Peng et al. 2023, arXiv 2309.00071.)
    ///
    /// @param attentionFactor factor on sine and cosine
    /// @param wholePairs whether what is between begins and ends at a whole pair
    record Yarn(double factor, int originalContext, double betaFast, double betaSlow, double attentionFactor, boolean wholePairs)
            implements RopeScaling {

        /// The paper's factor on sine and cosine for a stretch by `factor`.
        static double standardAttentionFactor(double factor) {
            return attentionFactor(factor, 1);
        }

        /// That factor with the logarithm weighed.
        static double attentionFactor(double factor, double weight) {
            return factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1;
        }
    }

    /// The table for heads of which `dimensions` elements are rotated.
    ///
    /// @param base wavelength base, 10000 in the first Llama
    /// @throws IllegalArgumentException if `dimensions` is no even number from 2 to [ModelConfig#MAX_HEAD_DIM], or the scaling not sound
    default RopeTable table(RopeTable.Pairing pairing, int dimensions, double base) {
        requireSound(base);
        float[] frequencies = new float[ModelConfig.requireHeadDim(dimensions) / 2];
        for (int pair = 0; pair < frequencies.length; pair++) {
            double frequency = Math.pow(base, -2.0 * pair / dimensions);
            frequencies[pair] = (float) switch (this) {
                case None() -> frequency;
                case Linear(double factor) -> frequency / factor;
                case Llama3 llama3 -> llama3(llama3, frequency);
                case Yarn yarn -> yarn(yarn, frequency, pair, dimensions, base);
            };
        }
        return new RopeTable(pairing, frequencies, this instanceof Yarn yarn ? (float) yarn.attentionFactor : 1);
    }

    private void requireSound(double base) {
        double factor = switch (this) {
            case None() -> 1;
            case Linear(double by) -> by;
            case Llama3 llama3 -> llama3.factor;
            case Yarn yarn -> yarn.factor;
        };
        if (!(factor > 0 && Double.isFinite(factor))) {
            throw new IllegalArgumentException("rope scaling by " + factor + ": expected a positive factor");
        }
        if (!(base > 0 && Double.isFinite(base))) {
            throw new IllegalArgumentException("rope frequency base " + base + ": expected a positive number");
        }
    }

    private static double llama3(Llama3 scaling, double frequency) {
        double wavelength = 2 * Math.PI / frequency;
        if (wavelength < scaling.originalContext / scaling.highFrequency) {
            return frequency;
        }
        if (wavelength > scaling.originalContext / scaling.lowFrequency) {
            return frequency / scaling.factor;
        }
        double smooth = (scaling.originalContext / wavelength - scaling.lowFrequency)
                / (scaling.highFrequency - scaling.lowFrequency);
        return (1 - smooth) * frequency / scaling.factor + smooth * frequency;
    }

    private static double yarn(Yarn scaling, double frequency, int pair, int dimensions, double base) {
        double first = pairOfRotations(scaling.betaFast, scaling.originalContext, dimensions, base);
        double last = pairOfRotations(scaling.betaSlow, scaling.originalContext, dimensions, base);
        double low = Math.max(0, scaling.wholePairs ? Math.floor(first) : first);
        double high = Math.min(dimensions - 1.0, scaling.wholePairs ? Math.ceil(last) : last);
        double interpolated = Math.clamp((pair - low) / Math.max(high - low, 0.001), 0, 1);
        return interpolated * frequency / scaling.factor + (1 - interpolated) * frequency;
    }

    /// The (fractional) pair that turns `rotations` times over the original context.
    private static double pairOfRotations(double rotations, int context, int dimensions, double base) {
        return dimensions * Math.log(context / (rotations * 2 * Math.PI)) / (2 * Math.log(base));
    }
}
