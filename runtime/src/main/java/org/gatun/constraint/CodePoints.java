package org.gatun.constraint;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.stream.IntStream;

/// A set of Unicode code points without surrogates, and how it reads in UTF-8.
///
/// @param ranges first and last of each, rising and apart
record CodePoints(List<int[]> ranges) {
    /// All of them.
    static final CodePoints ALL = of(0, Character.MAX_CODE_POINT);
    /// What no set holds: halves of UTF-16.
    private static final int FIRST_SURROGATE = 0xD800;
    private static final int LAST_SURROGATE = 0xDFFF;
    private static final int[] UTF8_LAST = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF}; // by bytes behind the first

    CodePoints {
        ranges = List.copyOf(ranges);
    }

    /// Ranges in any order.
    ///
    /// @param bounds first, last, first, last and so on
    static CodePoints of(int... bounds) {
        List<int[]> ranges = new ArrayList<>();
        for (int i = 0; i < bounds.length; i += 2) {
            ranges.add(new int[] {bounds[i], bounds[i + 1]});
        }
        return normal(ranges);
    }

    /// Those of a text.
    static CodePoints in(String text) {
        return of(text.codePoints().flatMap(each -> IntStream.of(each, each)).toArray());
    }

    private static CodePoints normal(List<int[]> parts) {
        List<int[]> sorted = new ArrayList<>();
        for (int[] part : parts) { // around the surrogates
            if (part[0] < FIRST_SURROGATE && part[0] <= part[1]) {
                sorted.add(new int[] {part[0], Math.min(part[1], FIRST_SURROGATE - 1)});
            }
            if (part[1] > LAST_SURROGATE && part[0] <= part[1]) {
                sorted.add(new int[] {Math.max(part[0], LAST_SURROGATE + 1), part[1]});
            }
        }
        sorted.sort((a, b) -> Integer.compare(a[0], b[0]));
        List<int[]> merged = new ArrayList<>();
        for (int[] part : sorted) {
            int[] last = merged.isEmpty() ? null : merged.getLast();
            if (last != null && part[0] <= last[1] + 1) {
                last[1] = Math.max(last[1], part[1]);
            } else {
                merged.add(part.clone());
            }
        }
        return new CodePoints(merged);
    }

    CodePoints union(CodePoints other) {
        List<int[]> both = new ArrayList<>(ranges);
        both.addAll(other.ranges);
        return normal(both);
    }

    CodePoints complement() {
        List<int[]> gaps = new ArrayList<>();
        int next = 0;
        for (int[] range : ranges) {
            gaps.add(new int[] {next, range[0] - 1});
            next = range[1] + 1;
        }
        gaps.add(new int[] {next, Character.MAX_CODE_POINT});
        return normal(gaps);
    }

    CodePoints minus(CodePoints other) {
        return complement().union(other).complement();
    }

    boolean contains(int codePoint) {
        return ranges.stream().anyMatch(range -> range[0] <= codePoint && codePoint <= range[1]);
    }

    /// One of them in UTF-8.
    int utf8(Regexes regexes) {
        BitSet single = new BitSet(256);
        List<Integer> parts = new ArrayList<>();
        for (int[] range : ranges) {
            int from = range[0];
            for (int more = 0; more < UTF8_LAST.length; more++) {
                int to = Math.min(range[1], UTF8_LAST[more]);
                if (from <= to && more == 0) {
                    single.set(from, to + 1);
                } else if (from <= to) {
                    parts.add(sequences(regexes, from, to, more));
                }
                from = Math.max(from, UTF8_LAST[more] + 1);
            }
        }
        parts.add(regexes.bytes(single));
        return regexes.union(parts.stream().mapToInt(Integer::intValue).toArray());
    }

    /// Code points whose UTF-8 has so many bytes behind the one looked at: the range is cut where the rest is not complete.
    private static int sequences(Regexes regexes, int from, int to, int more) {
        int prefix = more == 1 ? 0xC0 : more == 2 ? 0xE0 : 0xF0;
        return tail(regexes, from, to, more, prefix);
    }

    /// @param mark high bits of the byte looked at
    private static int tail(Regexes regexes, int from, int to, int more, int mark) {
        if (more == 0) {
            return regexes.bytes(mark | from, mark | to);
        }
        int shift = 6 * more;
        int low = (1 << shift) - 1;
        int first = from >> shift;
        int last = to >> shift;
        if (first == last) {
            return regexes.concat(regexes.bytes(mark | first, mark | first), tail(regexes, from & low, to & low, more - 1, 0x80));
        }
        List<Integer> parts = new ArrayList<>();
        if ((from & low) != 0) {
            parts.add(regexes.concat(regexes.bytes(mark | first, mark | first), tail(regexes, from & low, low, more - 1, 0x80)));
            first++;
        }
        if ((to & low) != low) {
            parts.add(regexes.concat(regexes.bytes(mark | last, mark | last), tail(regexes, 0, to & low, more - 1, 0x80)));
            last--;
        }
        if (first <= last) {
            parts.add(regexes.concat(regexes.bytes(mark | first, mark | last), tail(regexes, 0, low, more - 1, 0x80)));
        }
        return regexes.union(parts.stream().mapToInt(Integer::intValue).toArray());
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof CodePoints set && Arrays.deepEquals(ranges.toArray(), set.ranges.toArray());
    }

    @Override
    public int hashCode() {
        return Arrays.deepHashCode(ranges.toArray());
    }
}
