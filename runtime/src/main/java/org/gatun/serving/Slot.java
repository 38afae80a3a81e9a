package org.gatun.serving;

import java.lang.foreign.Arena;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Segment;
import org.gatun.backend.SegmentResult;
import org.gatun.model.SequenceState;

/// Memory of one running request besides its pages, used by one after the other.
///
/// @param sequence empty when a request takes it; closed with the pool
/// @param segment its rows of a pass
/// @param result what the pass gave
record Slot(SequenceState sequence, Segment segment, SegmentResult result) {

    /// @param arena of the segment's buffers
    Slot(SequenceState sequence, Arena arena, BatchLimits limits) {
        this(sequence, new Segment(arena, limits), new SegmentResult(limits));
    }
}
