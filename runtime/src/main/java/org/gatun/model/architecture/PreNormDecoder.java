package org.gatun.model.architecture;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.gatun.format.FormatException;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.LayerProgram;
import org.gatun.plan.Plan;
import org.gatun.plan.PlanBuilder;
import org.gatun.plan.Value;
import org.gatun.tensor.DType;
import org.gatun.tensor.Tensor;

/// What the first architectures share: the pre-norm decoder with grouped-query attention, rotary positions and SwiGLU. Norms
/// of heads are in it if the architecture requires them, biases if the model's file holds them.
final class PreNormDecoder {
    private static final Map<String, String> OUTER = Map.of("token_embd", "model.embed_tokens", "output_norm", "model.norm",
            "output", "lm_head");
    private static final Map<String, String> OF_BLOCK = Map.of("attn_norm", "input_layernorm",
            "attn_q", "self_attn.q_proj", "attn_k", "self_attn.k_proj", "attn_v", "self_attn.v_proj", "attn_output", "self_attn.o_proj",
            "ffn_norm", "post_attention_layernorm",
            "ffn_gate", "mlp.gate_proj", "ffn_up", "mlp.up_proj", "ffn_down", "mlp.down_proj");

    /// Its weights.
    static final WeightNames WEIGHTS = new WeightNames(OUTER, OF_BLOCK);

    /// These and norms of the heads of queries and keys.
    static final WeightNames WEIGHTS_WITH_HEAD_NORMS = new WeightNames(OUTER, withHeadNorms());

    /// The norms of the heads of queries and keys.
    static final Set<String> HEAD_NORMS = Set.of("attn_q_norm.weight", "attn_k_norm.weight");

    /// The biases of queries, keys, values and of what attention puts out.
    static final Set<String> ATTENTION_BIASES = Set.of("attn_q.bias", "attn_k.bias", "attn_v.bias", "attn_output.bias");

    private final ModelConfig config;
    private final Function<String, Optional<Tensor>> weights;
    private final ActivationQuantization activations;

    /// @param weights by their GGUF names
    /// @param activations of products with weights of INT8
    PreNormDecoder(ModelConfig config, Function<String, Optional<Tensor>> weights, ActivationQuantization activations) {
        this.config = config;
        this.weights = weights;
        this.activations = activations;
    }

    /// A sliding window that `use_sliding_window` switches on, from layer `max_window_layers` on.
    static SlidingWindow switchedWindow(ConfigKeys keys) throws FormatException {
        int size = keys.integer("sliding_window", 0);
        boolean on = keys.bool("use_sliding_window", false);
        return new SlidingWindow(on ? size : 0, keys.integer("max_window_layers", 0));
    }

    private static Map<String, String> withHeadNorms() {
        Map<String, String> names = new HashMap<>(OF_BLOCK);
        names.put("attn_q_norm", "self_attn.q_norm");
        names.put("attn_k_norm", "self_attn.k_norm");
        return names;
    }

    /// Records a pass through the layers of `program`.
    ///
    /// @throws IllegalArgumentException if a weight is missing or has another shape than the config asks for
    Plan record(LayerProgram program) {
        PlanBuilder plan = new PlanBuilder();
        Value hidden = null;
        for (LayerProgram.Step step : program.steps()) {
            hidden = switch (step) {
                case LayerProgram.Embed _ -> plan.embed(embedding());
                case LayerProgram.Input(String name) -> plan.input(name, config.hidden());
                case LayerProgram.EmbedOrInput(String name) ->
                    plan.embed(embedding(), Optional.of(plan.input(name, config.hidden())));
                case LayerProgram.RunAttention(int layer) -> attention(plan, hidden, layer);
                case LayerProgram.RunFeedForward(int layer) -> feedForward(plan, hidden, layer);
                case LayerProgram.FinalNorm _ ->
                    plan.rmsNorm(plan.selectRows(hidden), vector("output_norm.weight", config.hidden()), config.normEpsilon());
                case LayerProgram.Head _ -> {
                    plan.output(Plan.LOGITS, product(plan, hidden, head(), Optional.empty()));
                    yield hidden;
                }
                case LayerProgram.Tap(String name) -> {
                    plan.output(name, hidden);
                    yield hidden;
                }
            };
        }
        return plan.build();
    }

    private Tensor embedding() {
        return matrix("token_embd.weight", config.vocabulary(), config.hidden());
    }

    private Tensor head() {
        return weights.apply("output.weight").isPresent() ? matrix("output.weight", config.vocabulary(), config.hidden()) : embedding();
    }

    private Value attention(PlanBuilder plan, Value hidden, int layer) {
        String block = "blk." + layer + ".";
        int kvWidth = config.kvWidth();
        int queryWidth = config.queryWidth();
        Value normed = plan.rmsNorm(hidden, vector(block + "attn_norm.weight", config.hidden()), config.normEpsilon());
        Value queries = project(plan, normed, block + "attn_q", queryWidth);
        Value keys = project(plan, normed, block + "attn_k", kvWidth);
        Value values = project(plan, normed, block + "attn_v", kvWidth);
        queries = plan.rope(normHeads(plan, queries, block, "attn_q_norm.weight"), config.headDim(), config.rope());
        keys = plan.rope(normHeads(plan, keys, block, "attn_k_norm.weight"), config.headDim(), config.rope());
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

    private Value normHeads(PlanBuilder plan, Value heads, String block, String part) {
        return config.architecture().requiredParts().contains(part)
                ? plan.rmsNorm(heads, vector(block + part, config.headDim()), config.normEpsilon()) : heads;
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
