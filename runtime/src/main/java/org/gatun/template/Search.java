package org.gatun.template;

/// Looks for a text in others, in time that grows with their lengths and not with the product of them (Knuth, Morris and
/// Pratt): `'aaab' in 'aaaa…'` must not take forever.
final class Search {
    private static final int SHORT = 8;

    private final Budget budget;
    private final String wanted;
    /// How long a beginning of what is wanted ends at each of its characters; empty for short ones.
    private final int[] borders;

    Search(Budget budget, String wanted) {
        this.budget = budget;
        this.wanted = wanted;
        borders = wanted.length() <= SHORT ? new int[0] : borders();
    }

    private int[] borders() {
        budget.bytes(4L * wanted.length());
        int[] ends = new int[wanted.length()];
        int matched = 0;
        for (int i = 1; i < ends.length; i++) {
            while (matched > 0 && wanted.charAt(i) != wanted.charAt(matched)) {
                matched = ends[matched - 1];
            }
            matched += wanted.charAt(i) == wanted.charAt(matched) ? 1 : 0;
            ends[i] = matched;
        }
        return ends;
    }

    /// Where it stands first, from an index on, -1 if it does not.
    int find(String text, int from) {
        if (borders.length == 0) {
            int found = text.indexOf(wanted, from);
            budget.work(1 + ((found < 0 ? text.length() : found) - Math.min(from, text.length())) / 8);
            return found;
        }
        int matched = 0;
        for (int i = from; i < text.length(); i++) {
            while (matched > 0 && text.charAt(i) != wanted.charAt(matched)) {
                matched = borders[matched - 1];
            }
            matched += text.charAt(i) == wanted.charAt(matched) ? 1 : 0;
            if (matched == borders.length) {
                budget.work(1 + (i - from) / 4);
                return i + 1 - matched;
            }
        }
        budget.work(1 + Math.max(0, text.length() - from) / 4);
        return -1;
    }

    int length() {
        return wanted.length();
    }
}
