package org.gatun.model;

import java.util.Optional;
import java.util.function.Function;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.LayerProgram;
import org.gatun.plan.Plan;
import org.gatun.plan.PlanBuilder;
import org.gatun.plan.Value;
import org.gatun.tensor.DType;
import org.gatun.tensor.Tensor;

/// The pre-norm decoder with grouped-query attention, rotary positions and SwiGLU: Llama 1 to 3 (Touvron et al. 2023,
/// arXiv 2302.13971), Mistral (arXiv 2310.06825: sliding window), Qwen 2 (arXiv 2407.10671: biases on queries, keys and
/// values) and Qwen 3 (arXiv 2505.09388: norms on query and key heads). What a model has beyond Llama shows in the weights
/// its file holds.
final class Transformer {
    private final ModelConfig config;
    private final Function<String, Optional<Tensor>> weights;
    private final ActivationQuantization activations;

    /// @param weights by their GGUF names
    Transformer(ModelConfig config, Function<String, Optional<Tensor>> weights) {
        this(config, weights, ActivationQuantization.NONE);
    }

    /// @param weights by their GGUF names
    /// @param activations of products with weights of INT8
    Transformer(ModelConfig config, Function<String, Optional<Tensor>> weights, ActivationQuantization activations) {
        this.config = config;
        this.weights = weights;
        this.activations = activations;
    }

    /// Records a pass through the layers of `program`.
    ///
    /// @throws IllegalArgumentException if a weight is missing or has another shape than the config asks for
    Plan record(LayerProgram program) {
        PlanBuilder plan = new PlanBuilder();
        Tensor embedding = matrix("token_embd.weight", config.vocabulary(), config.hidden());
        Value hidden = plan.embed(embedding);
        for (LayerProgram.Step step : program.steps()) {
            hidden = switch (step) {
                case LayerProgram.RunAttention(int layer) -> attention(plan, hidden, layer);
                case LayerProgram.RunFeedForward(int layer) -> feedForward(plan, hidden, layer);
                case LayerProgram.Tap(String name) -> {
                    plan.tap(name, hidden);
                    yield hidden;
                }
            };
        }
        Value last = plan.rmsNorm(plan.selectRows(hidden), vector("output_norm.weight", config.hidden()), config.normEpsilon());
        Tensor head = weights.apply("output.weight").isPresent()
                ? matrix("output.weight", config.vocabulary(), config.hidden())
                : embedding;
        return plan.build(product(plan, last, head, Optional.empty()));
    }

    private Value attention(PlanBuilder plan, Value hidden, int layer) {
        String block = "blk." + layer + ".";
        int kvWidth = config.kvWidth();
        int queryWidth = config.queryWidth();
        Value normed = plan.rmsNorm(hidden, vector(block + "attn_norm.weight", config.hidden()), config.normEpsilon());
        Value queries = project(plan, normed, block + "attn_q", queryWidth);
        Value keys = project(plan, normed, block + "attn_k", kvWidth);
        Value values = project(plan, normed, block + "attn_v", kvWidth);
        queries = plan.rope(normHeads(plan, queries, block + "attn_q_norm.weight"), config.headDim(), config.rope());
        keys = plan.rope(normHeads(plan, keys, block + "attn_k_norm.weight"), config.headDim(), config.rope());
        Value attended = plan.attention(layer, queries, keys, values, config.attention(layer));
        return plan.add(hidden, project(plan, attended, block + "attn_output", config.hidden()));
    }

    private Value feedForward(PlanBuilder plan, Value hidden, int layer) {
        String block = "blk." + layer + ".";
        Value normed = plan.rmsNorm(hidden, vector(block + "ffn_norm.weight", config.hidden()), config.normEpsilon());
        Value gate = project(plan, normed, block + "ffn_gate", config.intermediate());
        Value up = project(plan, normed, block + "ffn_up", config.intermediate());
        return plan.add(hidden, project(plan, plan.swiGlu(gate, up), block + "ffn_down", config.hidden()));
    }

    private Value project(PlanBuilder plan, Value in, String name, int outputs) {
        Optional<Tensor> bias = weights.apply(name + ".bias").map(_ -> vector(name + ".bias", outputs));
        return product(plan, in, matrix(name + ".weight", outputs, in.width()), bias);
    }

    private Value product(PlanBuilder plan, Value in, Tensor weight, Optional<Tensor> bias) {
        return plan.matMul(in, weight, bias, weight.dtype() == DType.INT8 ? activations : ActivationQuantization.NONE);
    }

    private Value normHeads(PlanBuilder plan, Value heads, String name) {
        return weights.apply(name).isEmpty() ? heads
                : plan.rmsNorm(heads, vector(name, config.headDim()), config.normEpsilon());
    }

    private Tensor matrix(String name, int rows, int columns) {
        Tensor tensor = require(name);
        if (tensor.shape().rank() != 2 || tensor.rows() != rows || tensor.columns() != columns) {
            throw new IllegalArgumentException(
                    "tensor " + name + " " + tensor.shape() + ": expected [" + rows + ", " + columns + "]");
        }
        return tensor;
    }

    private Tensor vector(String name, int length) {
        Tensor tensor = require(name);
        if (tensor.shape().rank() != 1 || tensor.columns() != length) {
            throw new IllegalArgumentException("tensor " + name + " " + tensor.shape() + ": expected [" + length + "]");
        }
        return tensor;
    }

    private Tensor require(String name) {
        return weights.apply(name).orElseThrow(() -> new IllegalArgumentException("tensor " + name + " is missing"));
    }
}
