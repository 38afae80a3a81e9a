package org.gatun.plan;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/// What a pass runs of a model, in order: where its rows come from, which parts of which layers, and what is kept. Early exit, skipped or
/// repeated layers, and passes in two halves are programs, not special models.
///
/// @param steps in execution order
public record LayerProgram(List<Step> steps) {

    /// One step of a program.
    public sealed interface Step {}

    /// Begins with the embeddings of tokens.
    public record Embed() implements Step {}

    /// Begins with hidden states that are given: those behind some layer, or embeddings.
    ///
    /// @param name of the plan's input
    public record Input(String name) implements Step {
        /// @throws NullPointerException if there is no name
        public Input {
            Objects.requireNonNull(name, "name");
        }
    }

    /// Begins with the embeddings of tokens, and given hidden states in rows that have none ([Op.Embed#GIVEN]).
    ///
    /// @param name of the plan's input
    public record EmbedOrInput(String name) implements Step {
        /// @throws NullPointerException if there is no name
        public EmbedOrInput {
            Objects.requireNonNull(name, "name");
        }
    }

    /// Runs the attention part of a layer.
    ///
    /// @param layer index from 0
    public record RunAttention(int layer) implements Step {}

    /// Runs the feed-forward part of a layer.
    ///
    /// @param layer index from 0
    public record RunFeedForward(int layer) implements Step {}

    /// Takes the rows whose result was asked for, and norms them.
    public record FinalNorm() implements Step {}

    /// Ends with logits.
    public record Head() implements Step {}

    /// Keeps the hidden states at this place under a name.
    ///
    /// @param name of the plan's output
    public record Tap(String name) implements Step {
        /// @throws NullPointerException if there is no name
        public Tap {
            Objects.requireNonNull(name, "name");
        }
    }

    /// @throws IllegalArgumentException if the program does not begin with its rows, has layers behind the final norm, or gives nothing
    public LayerProgram {
        steps = List.copyOf(steps);
        boolean normed = false;
        for (int i = 0; i < steps.size(); i++) {
            boolean fits = switch (steps.get(i)) {
                case Embed _, Input _, EmbedOrInput _ -> i == 0;
                case RunAttention _, RunFeedForward _ -> i > 0 && !normed;
                case FinalNorm _ -> i > 0 && !normed;
                case Head _ -> normed && i == steps.size() - 1;
                case Tap _ -> i > 0;
            };
            if (!fits) {
                throw new IllegalArgumentException("step " + i + " of " + steps + ": expected one that gives rows first, then parts of layers, "
                        + "the final norm and the head, each of these at most once");
            }
            normed |= steps.get(i) instanceof FinalNorm;
        }
        if (steps.isEmpty() || !(steps.getLast() instanceof Head || steps.getLast() instanceof Tap)) {
            throw new IllegalArgumentException("a program that ends with " + (steps.isEmpty() ? "nothing" : steps.getLast())
                    + ": expected the head or a tap");
        }
    }

    /// Checks that a model has what this runs.
    ///
    /// @param layers of the model
    /// @throws IndexOutOfBoundsException if it names a layer beyond them
    public void requireLayers(int layers) {
        for (Step step : steps) {
            if (step instanceof RunAttention(int layer)) {
                Objects.checkIndex(layer, layers);
            } else if (step instanceof RunFeedForward(int layer)) {
                Objects.checkIndex(layer, layers);
            }
        }
    }

    /// Whether it gives logits.
    public boolean hasHead() {
        return steps.getLast() instanceof Head;
    }

    /// Every layer once, in order.
    public static LayerProgram full(int layers) {
        return firstLayers(layers);
    }

    /// The first `layers` layers, then the head: early exit.
    public static LayerProgram firstLayers(int layers) {
        return between(new Embed(), layers(0, layers), new FinalNorm(), new Head());
    }

    /// The first half of a pass: the first `layers` layers, whose result is kept.
    ///
    /// @param output its name
    public static LayerProgram until(int layers, String output) {
        return between(new Embed(), layers(0, layers), new Tap(output));
    }

    /// The second half of a pass: all layers from `layer` on, then the head.
    ///
    /// @param input name of the hidden states behind the layer before
    public static LayerProgram from(String input, int layer, int layers) {
        return between(new Input(input), layers(layer, layers), new FinalNorm(), new Head());
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
        return between(new Embed(), steps, new FinalNorm(), new Head());
    }

    /// Both parts of layers `from` to `to`.
    private static List<Step> layers(int from, int to) {
        List<Step> steps = new ArrayList<>();
        for (int layer = from; layer < to; layer++) {
            steps.add(new RunAttention(layer));
            steps.add(new RunFeedForward(layer));
        }
        return steps;
    }

    private static LayerProgram between(Step first, List<Step> layers, Step... last) {
        List<Step> steps = new ArrayList<>();
        steps.add(first);
        steps.addAll(layers);
        steps.addAll(List.of(last));
        return new LayerProgram(steps);
    }
}
