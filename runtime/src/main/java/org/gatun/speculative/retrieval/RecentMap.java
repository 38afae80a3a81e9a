package org.gatun.speculative.retrieval;

import java.util.LinkedHashMap;
import java.util.Map;

/// What was learnt for some key, the least recently used forgotten when there is too much.
final class RecentMap<V> extends LinkedHashMap<Long, V> {
    private static final long serialVersionUID = 1;

    private final int max;

    /// @param max entries to keep
    RecentMap(int max) {
        super(16, 0.75f, true);
        this.max = max;
    }

    @Override
    protected boolean removeEldestEntry(Map.Entry<Long, V> eldest) {
        return size() > max;
    }
}
