package org.gatun.model.architecture;

import java.util.Optional;
import java.util.function.Function;
import org.gatun.backend.LayerState;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.LayerProgram;
import org.gatun.plan.Plan;
import org.gatun.tensor.Tensor;

/// What architectures say alike whose passes a [PreNormDecoder] records.
abstract class PreNormArchitecture implements Architecture {
    private final Names names;

    PreNormArchitecture(Names names) {
        this.names = names;
    }

    @Override
    public final Names names() {
        return names;
    }

    @Override
    public WeightNames weightNames() {
        return PreNormDecoder.WEIGHTS;
    }

    @Override
    public final LayerState.Attention layerState(ModelConfig config, int layer) {
        return new LayerState.Attention(config.kvHeads(), config.headDim(), config.attention(layer).window());
    }

    @Override
    public final Plan record(ModelConfig config, Function<String, Optional<Tensor>> weights, ActivationQuantization activations,
            LayerProgram program) {
        return new PreNormDecoder(config, weights, activations).record(program);
    }

    @Override
    public final String toString() {
        return names.modelType();
    }
}
