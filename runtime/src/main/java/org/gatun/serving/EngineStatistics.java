package org.gatun.serving;

/// What an [Engine] did since it was opened, and has at this moment.
///
/// @param passes of the model
/// @param rows of all passes
/// @param segments of all passes: divided by `passes`, how many requests a pass served
/// @param preemptions how often a request lost its pages to others
/// @param waiting requests that were submitted and do not run yet
/// @param running requests that run
/// @param pages of keys and values, [org.gatun.backend.KvPool#PAGE_SLOTS] tokens each
/// @param freePages those that hold nothing
/// @param cachedPages those that are kept for texts that begin like an earlier one; where a running one uses them, too
public record EngineStatistics(long passes, long rows, long segments, long preemptions, int waiting, int running, int pages,
        int freePages, int cachedPages) {}
