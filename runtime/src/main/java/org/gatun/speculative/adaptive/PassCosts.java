package org.gatun.speculative.adaptive;

/// What passes of the target cost by their rows, learnt from those that are run anyway.
///
/// A pass moves the cost of its own row count most, and all others a little: a machine that got busy, or a text that got longer, makes
/// every pass slower. Row counts not seen yet lie on straight lines between those seen. The very first pass is not counted, as it does
/// what is done once only; the second has one row.
final class PassCosts {
    /// Of a pass, in the cost of its row count.
    private static final double WEIGHT = 1.0 / 64;
    /// Of a pass that took longer or less long than expected, in the costs of all.
    private static final double COMMON_WEIGHT = 1.0 / 16;
    /// A pass that took this many times what was expected counts as if it had taken this: something else got in its way.
    private static final double MAX_SURPRISE = 2;
    /// What a row more costs, in passes of one row, until there is a measurement.
    private static final double UNKNOWN_SLOPE = 0.1;

    private final double[] seen;    // [rows] mean of passes seen
    private final int[] passes;     // [rows] how many were
    private final double[] nanos;   // [rows] the estimate
    private boolean started;

    /// @param maxRows of a pass
    PassCosts(int maxRows) {
        seen = new double[maxRows + 1];
        passes = new int[maxRows + 1];
        nanos = new double[maxRows + 1];
    }

    /// Expected time of a pass.
    double nanos(int rows) {
        return nanos[rows];
    }

    /// Learns from a pass.
    void observe(int rows, long found) {
        if (!started) {
            started = true;
            return;
        }
        double sample = found;
        if (passes[rows] > 0) {
            double surprise = Math.clamp(sample / nanos[rows], 1 / MAX_SURPRISE, MAX_SURPRISE);
            sample = surprise * nanos[rows];
            for (int other = 1; other < seen.length; other++) {
                seen[other] *= 1 + COMMON_WEIGHT * (surprise - 1);
            }
        }
        seen[rows] += Math.max(WEIGHT, 1.0 / ++passes[rows]) * (sample - seen[rows]);
        interpolate();
    }

    private void interpolate() {
        int below = 1;
        double slope = UNKNOWN_SLOPE * seen[1];
        nanos[1] = seen[1];
        for (int rows = 2; rows < seen.length; rows++) {
            if (passes[rows] > 0) {
                slope = (seen[rows] - seen[below]) / (rows - below);
                for (int between = below + 1; between <= rows; between++) {
                    nanos[between] = seen[below] + (between - below) * slope;
                }
                below = rows;
            }
        }
        for (int rows = below + 1; rows < seen.length; rows++) {
            nanos[rows] = seen[below] + (rows - below) * Math.max(0, slope);
        }
    }
}
