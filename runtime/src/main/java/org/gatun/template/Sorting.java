package org.gatun.template;

import java.util.Comparator;
import java.util.List;

/// Sorts what templates compare.
final class Sorting {
    private Sorting() {}

    /// Stable, as Python's. Values without an order of their own (not a number) end up anywhere, but end.
    static <T> void sort(List<T> elements, Comparator<? super T> order) {
        try {
            elements.sort(order);
        } catch (IllegalArgumentException _) {
            throw new Refusal("sorts what has no order");
        }
    }
}
