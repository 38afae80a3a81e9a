package org.gatun.speculative.selfspeculation;

import java.util.List;

/// What scores of tried sets say about others: a normal prior whose covariance falls with the number of parts in which sets differ.
/// (Rasmussen and Williams 2006, algorithm 2.1.)
final class GaussianProcess {
    private static final double NOISE = 1e-2;
    private static final double CAUTION = 2.5; // standard deviations that a bound is above the mean

    private final List<boolean[]> sets;
    private final double[][] factor; // of the covariance, lower triangle
    private final double[] weights;
    private final double mean;
    private final double variance;

    GaussianProcess(List<boolean[]> sets, List<Double> scores) {
        this.sets = sets;
        int count = sets.size();
        mean = scores.stream().mapToDouble(Double::doubleValue).average().orElse(0);
        variance = Math.max(1e-6, scores.stream().mapToDouble(score -> (score - mean) * (score - mean)).average().orElse(1));
        factor = new double[count][count];
        for (int i = 0; i < count; i++) {
            for (int j = 0; j <= i; j++) {
                double sum = covariance(sets.get(i), sets.get(j)) + (i == j ? NOISE * variance : 0);
                for (int k = 0; k < j; k++) {
                    sum -= factor[i][k] * factor[j][k];
                }
                factor[i][j] = i == j ? Math.sqrt(sum) : sum / factor[j][j];
            }
        }
        double[] centred = scores.stream().mapToDouble(score -> score - mean).toArray();
        weights = solveTransposed(solve(centred));
    }

    private double covariance(boolean[] a, boolean[] b) {
        int differences = 0;
        for (int i = 0; i < a.length; i++) {
            differences += a[i] != b[i] ? 1 : 0;
        }
        return variance * Math.exp(-2.0 * differences / a.length);
    }

    private double[] solve(double[] right) {
        double[] left = right.clone();
        for (int i = 0; i < left.length; i++) {
            for (int k = 0; k < i; k++) {
                left[i] -= factor[i][k] * left[k];
            }
            left[i] /= factor[i][i];
        }
        return left;
    }

    private double[] solveTransposed(double[] right) {
        double[] left = right.clone();
        for (int i = left.length - 1; i >= 0; i--) {
            for (int k = i + 1; k < left.length; k++) {
                left[i] -= factor[k][i] * left[k];
            }
            left[i] /= factor[i][i];
        }
        return left;
    }

    /// A score that a set is unlikely to surpass.
    double upperBound(boolean[] set) {
        double[] covariances = sets.stream().mapToDouble(other -> covariance(set, other)).toArray();
        double expected = mean;
        for (int i = 0; i < covariances.length; i++) {
            expected += covariances[i] * weights[i];
        }
        double known = 0;
        for (double part : solve(covariances)) {
            known += part * part;
        }
        return expected + CAUTION * Math.sqrt(Math.max(0, variance - known));
    }
}
