package org.gatun.backend;

import java.util.Arrays;
import java.util.Objects;
import org.gatun.sampling.Draws;
import org.gatun.sampling.Law;

/// Which rows of a pass carry tokens drawn at random, and the laws they were drawn from: what a verification has to know of them besides
/// the tokens, so that what it emits has the target's law (see [org.gatun.sampling.Residual]).
///
/// A drawing is a row drawn below another; a row drawn twice is two. Reused: [#clear] empties it. One thread at a time.
public final class Drawings {
    private final Law[] laws;       // [capacity] of the rows drawn below a row, or null
    private final Draws[] draws;    // [capacity]
    private final int[] lawRows;    // those that have a law
    private int lawCount;
    private int[] parents;          // of each drawing, in order; grows
    private int[] rows;
    private int count;

    /// @param capacity most rows of a pass
    public Drawings(int capacity) {
        laws = new Law[capacity];
        draws = new Draws[capacity];
        lawRows = new int[capacity];
        parents = new int[capacity];
        rows = new int[capacity];
    }

    /// Forgets everything.
    public void clear() {
        while (lawCount > 0) {
            laws[lawRows[--lawCount]] = null;
        }
        count = 0;
    }

    /// Says which law the rows drawn below a row have. It must stay as it is until they were verified.
    ///
    /// @throws IllegalStateException if there is one already
    /// @throws IndexOutOfBoundsException if no pass has such a row
    public void setLaw(int parent, Draws how, Law law) {
        if (laws[parent] != null) {
            throw new IllegalStateException("row " + parent + " has a law already");
        }
        laws[parent] = Objects.requireNonNull(law);
        draws[parent] = how;
        lawRows[lawCount++] = parent;
    }

    /// Notes that `row` was drawn below `parent`.
    ///
    /// @throws IllegalStateException if the parent has no law
    /// @throws IndexOutOfBoundsException if no pass has such rows, or the parent is not before the row
    public void add(int parent, int row) {
        Objects.checkIndex(parent, Objects.checkIndex(row, laws.length));
        if (laws[parent] == null) {
            throw new IllegalStateException("row " + parent + " has no law: expected one before a row is drawn below it");
        }
        if (count == rows.length) {
            parents = Arrays.copyOf(parents, 2 * count);
            rows = Arrays.copyOf(rows, 2 * count);
        }
        parents[count] = parent;
        rows[count++] = row;
    }

    /// The law of the rows drawn below a row, or null.
    public Law law(int parent) {
        return laws[parent];
    }

    /// How the rows below a row with a law were drawn.
    public Draws draws(int parent) {
        return draws[parent];
    }

    /// How many drawings there are.
    public int count() {
        return count;
    }

    /// What a drawing was drawn below.
    public int parent(int drawing) {
        return parents[Objects.checkIndex(drawing, count)];
    }

    /// The row of a drawing.
    public int row(int drawing) {
        return rows[Objects.checkIndex(drawing, count)];
    }

    /// The first drawing below a row, from number `from` on; -1 if there is none.
    public int next(int parent, int from) {
        for (int drawing = from; drawing < count; drawing++) {
            if (parents[drawing] == parent) {
                return drawing;
            }
        }
        return -1;
    }

    /// Checks that all laws are over a vocabulary.
    ///
    /// @throws IllegalArgumentException if one is not
    public void requireVocabulary(int vocabulary) {
        for (int i = 0; i < lawCount; i++) {
            if (laws[lawRows[i]].vocabulary() != vocabulary) {
                throw new IllegalArgumentException("law over " + laws[lawRows[i]].vocabulary() + " tokens below row " + lawRows[i]
                        + ": expected one over " + vocabulary);
            }
        }
    }
}
