package org.gatun.backend;

import java.util.Arrays;
import java.util.Objects;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.TokenDistribution;

/// Which rows of a pass carry tokens sampled at random, and the distributions they were sampled from: what a verification has to know of
/// them besides the tokens, so that what it emits follows the target's distribution (see [org.gatun.sampling.RejectionSampling]).
///
/// A sample is a row sampled below another; a row sampled twice is two. Reused: [#clear] empties it. One thread at a time.
public final class DraftDistributions {
    private final TokenDistribution[] distributions; // [capacity] of the rows sampled below a row, or null
    private final ProposalSampling[] samplings;      // [capacity]
    private final int[] distributionRows;            // those that have a distribution
    private int distributionCount;
    private int[] parents; // of each sample, in order; grows
    private int[] rows;
    private int count;

    /// @param capacity most rows of a pass
    public DraftDistributions(int capacity) {
        distributions = new TokenDistribution[capacity];
        samplings = new ProposalSampling[capacity];
        distributionRows = new int[capacity];
        parents = new int[capacity];
        rows = new int[capacity];
    }

    /// Forgets everything.
    public void clear() {
        while (distributionCount > 0) {
            distributions[distributionRows[--distributionCount]] = null;
        }
        count = 0;
    }

    /// Says which distribution the rows sampled below a row follow. It must stay as it is until they were verified.
    ///
    /// @throws IllegalStateException if there is one already
    /// @throws IndexOutOfBoundsException if no pass has such a row
    public void setDistribution(int parent, ProposalSampling how, TokenDistribution distribution) {
        if (distributions[parent] != null) {
            throw new IllegalStateException("row " + parent + " has a distribution already");
        }
        distributions[parent] = Objects.requireNonNull(distribution);
        samplings[parent] = how;
        distributionRows[distributionCount++] = parent;
    }

    /// Notes that `row` was sampled below `parent`.
    ///
    /// @throws IllegalStateException if the parent has no distribution
    /// @throws IndexOutOfBoundsException if no pass has such rows, or the parent is not before the row
    public void add(int parent, int row) {
        Objects.checkIndex(parent, Objects.checkIndex(row, distributions.length));
        if (distributions[parent] == null) {
            throw new IllegalStateException("row " + parent + " has no distribution: expected one before a row is sampled below it");
        }
        if (count == rows.length) {
            parents = Arrays.copyOf(parents, 2 * count);
            rows = Arrays.copyOf(rows, 2 * count);
        }
        parents[count] = parent;
        rows[count++] = row;
    }

    /// The distribution of the rows sampled below a row, or null.
    public TokenDistribution distribution(int parent) {
        return distributions[parent];
    }

    /// How the rows below a row with a distribution were sampled.
    public ProposalSampling sampling(int parent) {
        return samplings[parent];
    }

    /// How many samples there are.
    public int count() {
        return count;
    }

    /// What a sample was sampled below.
    public int parent(int sample) {
        return parents[Objects.checkIndex(sample, count)];
    }

    /// The row of a sample.
    public int row(int sample) {
        return rows[Objects.checkIndex(sample, count)];
    }

    /// The first sample below a row, from number `from` on; -1 if there is none.
    public int next(int parent, int from) {
        for (int sample = from; sample < count; sample++) {
            if (parents[sample] == parent) {
                return sample;
            }
        }
        return -1;
    }

    /// Checks that all distributions are over a vocabulary.
    ///
    /// @throws IllegalArgumentException if one is not
    public void requireVocabulary(int vocabulary) {
        for (int i = 0; i < distributionCount; i++) {
            if (distributions[distributionRows[i]].vocabulary() != vocabulary) {
                throw new IllegalArgumentException("distribution over " + distributions[distributionRows[i]].vocabulary()
                        + " tokens below row " + distributionRows[i] + ": expected one over " + vocabulary);
            }
        }
    }
}
