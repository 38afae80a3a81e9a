package org.gatun.speculative.adaptive;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.stream.DoubleStream;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.SpeculationStatistics;

/// What a pass of the target costs by its number of rows, and what follows for speculation: it pays where the tokens of a pass grow
/// faster than its time. (The speedup of Leviathan et al. 2023, arXiv 2211.17192, theorem 3.8, with pass times as measured instead of
/// one ratio.)
///
/// @param nanosByRows time of a pass, by rows; with one row at least
public record CostModel(NavigableMap<Integer, Double> nanosByRows) {
    private static final int WARM_UP_ROUNDS = 2;
    private static final int MIN_ROUNDS = 3;
    /// Where passes are short there are more rounds, up to this many and
    private static final int MAX_ROUNDS = 41;
    /// as long as they do not take longer than this together.
    private static final long MEASURING_NANOS = 500_000_000;
    /// Passes are repeated until they take this long together, so that the clock does not matter.
    private static final long SAMPLE_NANOS = 200_000;
    private static final long SHORT_NANOS = 5_000_000;

    /// @throws IllegalArgumentException if there is no cost of one row, or a cost is not positive
    public CostModel {
        nanosByRows = Collections.unmodifiableNavigableMap(new TreeMap<>(nanosByRows));
        if (nanosByRows.isEmpty() || nanosByRows.firstKey() != 1 || nanosByRows.values().stream().anyMatch(nanos -> !(nanos > 0))) {
            throw new IllegalArgumentException("pass costs " + nanosByRows + ": expected positive times, that of one row among them");
        }
    }

    /// Measures passes of 1, 2, 4 rows and so on, up to a full tree, after the tokens that a session holds; the session's text stays
    /// as it is. Sizes take turns; the lower quartile of several rounds counts, since what else the machine does only adds time, after
    /// two that are forgotten.
    ///
    /// @throws IllegalArgumentException if the session's context is full
    public static CostModel measure(Session session, Sampling sampling) {
        int room = Math.min(session.maxTreeRows(), session.capacity() - session.length());
        if (room < 1) {
            throw new IllegalArgumentException("the context is full: " + session.capacity() + " tokens; expected room for a pass");
        }
        int sizes = Integer.SIZE - Integer.numberOfLeadingZeros(room);
        List<double[]> rounds = new ArrayList<>();
        long begun = System.nanoTime();
        while (rounds.size() < WARM_UP_ROUNDS + MIN_ROUNDS
                || rounds.size() < MAX_ROUNDS && System.nanoTime() - begun < MEASURING_NANOS) {
            double[] nanos = new double[sizes];
            for (int size = 0; size < sizes; size++) {
                nanos[size] = passNanos(session, 1 << size, sampling);
            }
            rounds.add(nanos);
        }
        NavigableMap<Integer, Double> quartiles = new TreeMap<>();
        for (int size = 0; size < sizes; size++) {
            int index = size;
            double[] sorted = rounds.stream().skip(WARM_UP_ROUNDS).mapToDouble(nanos -> nanos[index]).sorted().toArray();
            quartiles.put(1 << size, sorted[sorted.length / 4]);
        }
        return new CostModel(quartiles);
    }

    /// The medians of several measurements of the same sizes.
    public static CostModel medians(List<CostModel> measured) {
        NavigableMap<Integer, Double> medians = new TreeMap<>();
        for (int rows : measured.getFirst().nanosByRows.keySet()) {
            medians.put(rows, median(measured.stream().mapToDouble(costs -> costs.nanosByRows.get(rows))));
        }
        return new CostModel(medians);
    }

    /// The same relations where a pass of one row takes another time.
    public CostModel scaledTo(double nanosOfOneRow) {
        NavigableMap<Integer, Double> scaled = new TreeMap<>();
        nanosByRows.forEach((rows, nanos) -> scaled.put(rows, nanos * (nanosOfOneRow / nanosByRows.get(1))));
        return new CostModel(scaled);
    }

    private static double median(DoubleStream values) {
        double[] sorted = values.sorted().toArray();
        return sorted[sorted.length / 2];
    }

    /// Time of one pass among others of its size: after one of another size, caches hold other things, which counts where passes are
    /// short.
    private static double passNanos(Session session, int rows, Sampling sampling) {
        long first = runPass(session, rows, sampling);
        if (first > SHORT_NANOS) {
            return first;
        }
        long passed = 0;
        int passes = 0;
        while (passed < SAMPLE_NANOS) {
            passed += runPass(session, rows, sampling);
            passes++;
        }
        return (double) passed / passes;
    }

    private static long runPass(Session session, int rows, Sampling sampling) {
        int length = session.length();
        long begun = System.nanoTime();
        session.segment().beginCausal(length);
        for (int row = 0; row < rows; row++) {
            session.segment().addRow(row % session.vocabularySize());
        }
        session.verify(sampling);
        session.rewind(length);
        return System.nanoTime() - begun;
    }

    /// Time of a pass; between measured sizes and beyond them on straight lines.
    ///
    /// @param rows at least one; a mean over passes of about that size may be given
    public double passNanos(double rows) {
        if (nanosByRows.size() == 1) {
            return nanosByRows.get(1);
        }
        int below = nanosByRows.floorKey((int) Math.min(rows, nanosByRows.lastKey() - 1));
        int above = nanosByRows.higherKey(below);
        double nanos = nanosByRows.get(below);
        return nanos + (rows - below) * (nanosByRows.get(above) - nanos) / (above - below);
    }

    /// How many times faster than plain decoding speculation is.
    ///
    /// @param tokens emitted a pass
    /// @param rows of a pass, the root included
    /// @param draftNanos a pass
    /// @param hostNanos a token, beside passes and drafting; plain decoding has them too
    public double speedup(double tokens, double rows, double draftNanos, double hostNanos) {
        return tokens * (passNanos(1) + hostNanos) / (draftNanos + passNanos(rows) + tokens * hostNanos);
    }

    /// The speedup to expect of a drafter from what it did.
    public double speedup(SpeculationStatistics statistics, double hostNanos) {
        return speedup(statistics.meanAcceptedLength(), statistics.meanRows(),
                (double) statistics.draftNanos() / statistics.targetPasses(), hostNanos);
    }
}
