package org.gatun.plan;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/// Which parts of which layers a pass runs, in which order, and where hidden states are tapped. Early exit, skipped
/// or repeated layers are programs, not special models.
///
/// @param steps in execution order
public record LayerProgram(List<Step> steps) {

    /// One step of a program.
    public sealed interface Step {}

    /// Runs the attention part of a layer.
    ///
    /// @param layer index from 0
    public record RunAttention(int layer) implements Step {}

    /// Runs the feed-forward part of a layer.
    ///
    /// @param layer index from 0
    public record RunFeedForward(int layer) implements Step {}

    /// Keeps the hidden state at this place under a name.
    ///
    /// @param name key in [Plan#taps]
    public record Tap(String name) implements Step {
        public Tap {
            Objects.requireNonNull(name, "name");
        }
    }

    public LayerProgram {
        steps = List.copyOf(steps);
    }

    /// Every layer once, in order.
    public static LayerProgram full(int layers) {
        return firstLayers(layers);
    }

    /// The first `layers` layers, then the head: early exit.
    public static LayerProgram firstLayers(int layers) {
        List<Step> steps = new ArrayList<>(2 * layers);
        for (int layer = 0; layer < layers; layer++) {
            steps.add(new RunAttention(layer));
            steps.add(new RunFeedForward(layer));
        }
        return new LayerProgram(steps);
    }

    /// Every layer in order, without the parts named: a part's residual connection remains.
    ///
    /// @param skippedAttention of each layer
    /// @param skippedFeedForward of each layer
    public static LayerProgram without(boolean[] skippedAttention, boolean[] skippedFeedForward) {
        List<Step> steps = new ArrayList<>();
        for (int layer = 0; layer < skippedAttention.length; layer++) {
            if (!skippedAttention[layer]) {
                steps.add(new RunAttention(layer));
            }
            if (!skippedFeedForward[layer]) {
                steps.add(new RunFeedForward(layer));
            }
        }
        return new LayerProgram(steps);
    }
}
