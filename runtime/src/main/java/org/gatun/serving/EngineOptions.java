package org.gatun.serving;

import org.gatun.backend.BatchLimits;

/// How an [Engine] is set up.
///
/// @param parallel most requests that run at once, at most [#MAX_PARALLEL]
/// @param queue most requests that wait; more are refused
/// @param kvBytes of the keys and values of all requests; 0 for as many as `parallel` full contexts take
/// @param prefixSharing which requests share what their texts begin with
public record EngineOptions(int parallel, int queue, long kvBytes, PrefixSharing prefixSharing) {
    /// Largest value of `parallel`.
    public static final int MAX_PARALLEL = 256;

    /// 8 requests at once, 256 that wait, room for full contexts, and prefixes shared by those of a key.
    public static final EngineOptions STANDARD = new EngineOptions(8, 256, 0, PrefixSharing.KEY);

    /// Most rows of a pass, where that is enough.
    private static final int ROWS = 256;
    /// Most rows of a tree.
    private static final int TREE_ROWS = 64;

    /// @throws IllegalArgumentException if a number is out of its range
    public EngineOptions {
        require(parallel >= 1 && parallel <= MAX_PARALLEL, "parallel", parallel, "1 to " + MAX_PARALLEL + " requests");
        require(queue >= 1, "queue", queue, "room for 1 request or more");
        require(kvBytes >= 0, "bytes of keys and values", kvBytes, "a positive number, or 0 for full contexts");
    }

    private static void require(boolean valid, String option, long found, String expected) {
        if (!valid) {
            throw new IllegalArgumentException(option + " " + found + ": expected " + expected);
        }
    }

    /// These options for another number of requests at once.
    public EngineOptions withParallel(int parallel) {
        return new EngineOptions(parallel, queue, kvBytes, prefixSharing);
    }

    /// These options with room for another number of requests that wait.
    public EngineOptions withQueue(int queue) {
        return new EngineOptions(parallel, queue, kvBytes, prefixSharing);
    }

    /// These options with so much memory for keys and values.
    public EngineOptions withKvBytes(long kvBytes) {
        return new EngineOptions(parallel, queue, kvBytes, prefixSharing);
    }

    /// These options with prefixes shared by others.
    public EngineOptions withPrefixSharing(PrefixSharing prefixSharing) {
        return new EngineOptions(parallel, queue, kvBytes, prefixSharing);
    }

    /// Of the engine's passes: one row of each request with logits, and a whole tree of any.
    BatchLimits limits() {
        int logitsRows = parallel + TREE_ROWS;
        return new BatchLimits(Math.max(ROWS, logitsRows), TREE_ROWS, logitsRows, parallel);
    }
}
