package org.gatun.speculative.retrieval;

import java.util.LinkedHashMap;
import java.util.Map;

/// What was learnt for some key, the least recently used forgotten when there is too much.
final class RecentMap<V> extends LinkedHashMap<Long, V> {
    private static final long serialVersionUID = 1;

    private final int most;

    /// @param most entries to keep
    RecentMap(int most) {
        super(16, 0.75f, true);
        this.most = most;
    }

    @Override
    protected boolean removeEldestEntry(Map.Entry<Long, V> eldest) {
        return size() > most;
    }
}
