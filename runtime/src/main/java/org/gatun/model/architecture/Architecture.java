package org.gatun.model.architecture;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.gatun.backend.LayerState;
import org.gatun.format.FormatException;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.LayerProgram;
import org.gatun.plan.Plan;
import org.gatun.plan.RopeTable;
import org.gatun.tensor.Tensor;

/// A kind of model, all in one class: what files call it, what its configuration says that others' does not, what its weights are
/// called and in which order their rows lie, what each layer keeps of a text, and the ops of a pass. Whoever must know asks here: its
/// name stands nowhere else.
///
/// Immutable, one object each, found through [Architectures]. Its text form is [Names#modelType].
public interface Architecture {

    /// What files call an architecture.
    ///
    /// @param modelType under `model_type` of `config.json`
    /// @param className under `architectures` of `config.json`
    /// @param gguf under `general.architecture` of GGUF: all that are read
    /// @param ggufWritten that of them, or of a wider architecture, under which it is written
    record Names(String modelType, String className, List<String> gguf, String ggufWritten) {
        public Names {
            gguf = List.copyOf(gguf);
        }
    }

    /// What files call it.
    Names names();

    /// The weights it is made of, in both formats.
    WeightNames weightNames();

    /// Parts of a block, as in GGUF, that all its models have though plainer ones do not: biases, and norms of heads.
    Set<String> requiredParts();

    /// Parts of a block, as in GGUF, that `attention_bias` of `config.json` speaks of.
    Set<String> attentionBiases();

    /// How the rotated pairs of queries and keys lie in GGUF; `config.json` stands beside weights with split ones.
    RopeTable.Pairing ggufPairing();

    /// The sliding window that `config.json` states, but for what `layer_types` says of layers.
    ///
    /// @throws FormatException if it is no number
    SlidingWindow window(ConfigKeys keys) throws FormatException;

    /// As which architecture `config.json` tells a model that GGUF calls this.
    default Architecture toldAs(ModelConfig config) {
        return this;
    }

    /// What a layer keeps of a text between passes.
    LayerState.Attention layerState(ModelConfig config, int layer);

    /// Records a pass through the layers of a program.
    ///
    /// @param weights by their GGUF names
    /// @param activations of products with weights of INT8
    /// @throws IllegalArgumentException if a weight is missing or has another shape than the config asks for
    Plan record(ModelConfig config, Function<String, Optional<Tensor>> weights, ActivationQuantization activations, LayerProgram program);
}
