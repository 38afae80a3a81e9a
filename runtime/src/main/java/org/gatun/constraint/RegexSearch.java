package org.gatun.constraint;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/// What is learned about expressions of a pool by walking over their derivatives: whether they match anything, and all they match. One thread
/// at a time.
final class RegexSearch {
    /// Most derivatives looked at to learn whether an expression matches anything.
    private static final int MAX_SEARCH = 50_000;
    private static final int MAX_TEXT = 1000;
    private static final byte UNKNOWN = 0;
    private static final byte MATCHES = 1;
    private static final byte MATCHES_NOTHING = 2;

    private final Regexes regexes;
    private byte[] matching = new byte[256]; // by expression

    RegexSearch(Regexes regexes) {
        this.regexes = regexes;
    }

    /// Whether some text matches.
    ///
    /// @throws IllegalArgumentException if that is too much to find out
    boolean matchesSomething(int regex) {
        if (regexes.isPositive(regex)) {
            return regex != Regexes.EMPTY;
        }
        if (known(regex) == UNKNOWN) {
            search(regex);
        }
        return known(regex) == MATCHES;
    }

    private byte known(int regex) {
        return regex < matching.length ? matching[regex] : UNKNOWN;
    }

    private void learn(int regex, byte answer) {
        if (regex >= matching.length) {
            matching = Arrays.copyOf(matching, Math.max(2 * matching.length, regex + 1));
        }
        matching[regex] = answer;
    }

    private boolean isKnownToMatch(int regex) {
        return regexes.isNullable(regex) || known(regex) == MATCHES || regexes.isPositive(regex) && regex != Regexes.EMPTY;
    }

    /// Walks derivatives, deepest first, until one is nullable or none is left.
    private void search(int regex) {
        ByteClasses classes = regexes.classes();
        BitSet seen = new BitSet();
        List<Integer> visited = new ArrayList<>();
        Deque<int[]> path = new ArrayDeque<>(); // node, next byte class
        path.push(new int[] {regex, 0});
        seen.set(regex);
        while (!path.isEmpty()) {
            int[] top = path.peek();
            if (top[1] == 0) {
                visited.add(top[0]);
                if (isKnownToMatch(top[0])) {
                    path.forEach(step -> learn(step[0], MATCHES));
                    return;
                }
                if (visited.size() > MAX_SEARCH) {
                    throw new IllegalArgumentException("a regular expression of more than " + MAX_SEARCH
                            + " derivatives: expected less of conjunctions, complements and counts");
                }
            }
            if (top[1] == classes.count()) {
                path.pop();
                continue;
            }
            int next = regexes.derivative(top[0], classes.representative(top[1]++));
            if (next != Regexes.EMPTY && known(next) != MATCHES_NOTHING && !seen.get(next)) {
                seen.set(next);
                path.push(new int[] {next, 0});
            }
        }
        visited.forEach(each -> learn(each, MATCHES_NOTHING));
    }

    /// Whether some text longer than nothing matches.
    boolean continues(int regex) {
        ByteClasses classes = regexes.classes();
        for (int each = 0; each < classes.count(); each++) {
            if (matchesSomething(regexes.derivative(regex, classes.representative(each)))) {
                return true;
            }
        }
        return false;
    }

    /// All texts that match, empty if they are more than some, or longer than 1,000 bytes.
    Optional<List<String>> texts(int regex, int most) {
        List<String> found = new ArrayList<>();
        return collect(regex, new byte[0], new BitSet(), most, found) ? Optional.of(found) : Optional.empty();
    }

    private boolean collect(int regex, byte[] before, BitSet path, int most, List<String> found) {
        if (regexes.isNullable(regex)) {
            found.add(new String(before, StandardCharsets.UTF_8));
        }
        if (found.size() > most || before.length > MAX_TEXT || path.get(regex)) { // back at a place: there is no end
            return false;
        }
        path.set(regex);
        for (int value = 0; value < 256; value++) {
            int next = regexes.derivative(regex, value);
            if (matchesSomething(next)) {
                byte[] longer = Arrays.copyOf(before, before.length + 1);
                longer[before.length] = (byte) value;
                if (!collect(next, longer, path, most, found)) {
                    return false;
                }
            }
        }
        path.clear(regex);
        return true;
    }
}
