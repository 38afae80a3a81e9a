package org.gatun.model.architecture;

/// The sliding window of attention.
///
/// @param size in tokens, 0 for none
/// @param fromLayer first layer that has it
public record SlidingWindow(int size, int fromLayer) {
    /// No layer has one.
    public static final SlidingWindow NONE = new SlidingWindow(0, 0);
}
