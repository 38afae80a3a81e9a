package org.gatun.sampling;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/// What a pass says of rows of logits, so that nobody has to read all of these: the largest with their tokens, the logarithm of the sum of
/// their exponentials, entropy, and the logits of chosen tokens. Logits as the model gives them: no bias, penalty or temperature.
///
/// Request and result in one, reused from pass to pass. NaN counts as minus infinity; among equals the lowest token comes first. [#compute] is
/// the definition, with sums in double; a device sums in f32: its tokens, largest logits and chosen logits are the same, its log-sum-exp
/// within 2e-6 of the larger of itself and 1, its entropy within 2e-6 of the larger of 1 and the largest there could be. A row has the same bits whatever else the pass holds.
public final class RowStatistics {
    /// The most of the largest logits.
    public static final int MAX_LARGEST = 64;
    /// Most tokens that can be chosen.
    public static final int MAX_COLUMNS = 64;

    private final int capacity;
    private final int largest;
    private final int[] columns;
    private final int[] tokens;          // [capacity, largest]
    private final float[] logits;        // [capacity, largest]
    private final double[] logSums;      // [capacity]
    private final double[] entropies;    // [capacity]
    private final float[] columnLogits;  // [capacity, columns]
    private float[] row = new float[0];
    private int rows;

    /// @param capacity most rows with logits
    /// @param largest how many of the largest logits to keep, 2 to [#MAX_LARGEST]; the vocabulary may have fewer
    /// @param columns tokens whose logits are wanted
    /// @throws IllegalArgumentException if there are too many of something, or a token is negative
    public RowStatistics(int capacity, int largest, int... columns) {
        Sampling.require(largest >= 2 && largest <= MAX_LARGEST, "row statistics of the largest", largest, "from 2 to " + MAX_LARGEST);
        Sampling.require(columns.length <= MAX_COLUMNS, "row statistics of", columns.length + " tokens", MAX_COLUMNS + " at most");
        for (int column : columns) {
            Sampling.require(column >= 0, "row statistics of token", column, "a token from 0 on");
        }
        this.capacity = capacity;
        this.largest = largest;
        this.columns = columns.clone();
        tokens = new int[capacity * largest];
        logits = new float[capacity * largest];
        logSums = new double[capacity];
        entropies = new double[capacity];
        columnLogits = new float[capacity * columns.length];
    }

    /// Checks that rows can be described. Hot.
    ///
    /// @param rows with logits
    /// @param vocabulary width of a row of logits
    /// @throws IllegalArgumentException if there are too many rows, or a token is outside the vocabulary
    public void requireFor(int rows, int vocabulary) {
        if (rows > capacity) {
            throw new IllegalArgumentException("row statistics of " + rows + " rows: expected " + capacity + " at most");
        }
        for (int column : columns) {
            if (column >= vocabulary) {
                throw new IllegalArgumentException("row statistics of token " + column + ": expected one below " + vocabulary);
            }
        }
    }

    /// Describes rows of logits.
    ///
    /// @param all `[*, vocabulary] f32`
    /// @param first row to describe
    /// @param count how many rows
    public void compute(MemorySegment all, int first, int count, int vocabulary) {
        if (row.length != vocabulary) {
            row = new float[vocabulary];
        }
        rows = count;
        for (int i = 0; i < count; i++) {
            MemorySegment.copy(all, ValueLayout.JAVA_FLOAT, (long) (first + i) * vocabulary * Float.BYTES, row, 0, vocabulary);
            compute(i);
        }
    }

    private void compute(int index) {
        for (int i = 0; i < columns.length; i++) {
            columnLogits[index * columns.length + i] = row[columns[i]];
        }
        int found = 0;
        for (int token = 0; token < row.length; token++) {
            float logit = Float.isNaN(row[token]) ? Float.NEGATIVE_INFINITY : row[token] + 0f; // no zero but one
            row[token] = logit;
            int place = index * largest + found;
            while (place > index * largest && logits[place - 1] < logit) {
                place--;
            }
            if (place < (index + 1) * largest) {
                int end = index * largest + Math.min(found, largest - 1);
                System.arraycopy(logits, place, logits, place + 1, end - place);
                System.arraycopy(tokens, place, tokens, place + 1, end - place);
                logits[place] = logit;
                tokens[place] = token;
                found = Math.min(found + 1, largest);
            }
        }
        double max = logits[index * largest];
        double sum = 0;
        double weighted = 0;
        for (float logit : row) {
            double below = logit - max;
            if (below > Double.NEGATIVE_INFINITY) { // neither minus infinity nor, where the largest is infinite, NaN
                sum += Math.exp(below);
                weighted += below * Math.exp(below);
            }
        }
        boolean finite = Double.isFinite(max);
        logSums[index] = finite ? max + Math.log(sum) : max;
        entropies[index] = finite ? Math.log(sum) - weighted / sum : Double.NaN;
    }

    /// Takes over what a device has found.
    ///
    /// @param count how many rows
    /// @param kept how many of the largest of each
    /// @param found what the offsets are of
    /// @param foundTokens `[count, kept] i32`
    /// @param foundLogits `[count, kept] f32`
    /// @param sums `[count, 2] f32`, log-sum-exp and entropy
    /// @param chosen `[count, columns] f32`
    public void take(int count, int kept, MemorySegment found, long foundTokens, long foundLogits, long sums, long chosen) {
        rows = count;
        for (int i = 0; i < count; i++) {
            long from = (long) Integer.BYTES * kept * i;
            MemorySegment.copy(found, ValueLayout.JAVA_INT, foundTokens + from, tokens, i * largest, kept);
            MemorySegment.copy(found, ValueLayout.JAVA_FLOAT, foundLogits + from, logits, i * largest, kept);
            logSums[i] = found.get(ValueLayout.JAVA_FLOAT, sums + 2L * Float.BYTES * i);
            entropies[i] = found.get(ValueLayout.JAVA_FLOAT, sums + 2L * Float.BYTES * i + Float.BYTES);
        }
        MemorySegment.copy(found, ValueLayout.JAVA_FLOAT, chosen, columnLogits, 0, count * columns.length);
    }

    /// Rows that the last pass described, in the order of their logits.
    public int rows() {
        return rows;
    }

    /// How many of the largest logits were asked for.
    public int largest() {
        return largest;
    }

    /// Tokens whose logits were asked for.
    public int columns() {
        return columns.length;
    }

    /// One of these tokens.
    public int columnToken(int index) {
        return columns[index];
    }

    /// The token of one of a row's largest logits, rank 0 being the largest; there are as many as were asked for or the vocabulary has.
    public int token(int row, int rank) {
        return tokens[at(row, rank)];
    }

    /// One of a row's largest logits.
    public float logit(int row, int rank) {
        return logits[at(row, rank)];
    }

    private int at(int row, int rank) {
        return Objects.checkIndex(row, rows) * largest + Objects.checkIndex(rank, largest);
    }

    /// Logarithm of the sum of the exponentials of a row: what to take from a logit for the logarithm of its probability. The largest logit if
    /// that is infinite.
    public double logSumExp(int row) {
        return logSums[Objects.checkIndex(row, rows)];
    }

    /// Entropy of a row's softmax, in nats; NaN if the largest logit is infinite.
    public double entropy(int row) {
        return entropies[Objects.checkIndex(row, rows)];
    }

    /// Logit of one of the tokens asked for, as it is.
    public float column(int row, int index) {
        return columnLogits[Objects.checkIndex(row, rows) * columns.length + Objects.checkIndex(index, columns.length)];
    }
}
