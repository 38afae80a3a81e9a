package org.gatun.backend.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.AttentionShape;
import org.gatun.plan.Op;
import org.gatun.plan.RopeTable;
import org.gatun.plan.Value;
import org.gatun.tensor.Tensor;

/// One launch of a pass: an op of the plan, or several in one kernel. Values are f32 unless [Program#type] says otherwise.
sealed interface Step {

    /// The values it reads.
    default List<Value> inputs() {
        return switch (this) {
            case Embed step -> step.given.map(List::of).orElseGet(List::of);
            case Round step -> List.of(step.in);
            case Quantize step -> List.of(step.in);
            case RmsNorm step -> List.of(step.in);
            case AddRmsNorm step -> List.of(step.a, step.b);
            case RmsNormPart step -> List.of(step.rows);
            case Project step -> List.of(step.in);
            case ProjectSwiGlu step -> List.of(step.in);
            case Rope step -> List.of(step.in);
            case AppendKv step -> List.of(step.keys, step.values);
            case RopeAppendKv step -> List.of(step.qkv);
            case Attention step -> List.of(step.queries);
            case Elementwise step -> List.of(step.a, step.b);
            case SelectRows step -> List.of(step.in);
        };
    }

    /// The values it writes.
    default List<Value> outputs() {
        return switch (this) {
            case Embed step -> List.of(step.out);
            case Round step -> List.of(step.out);
            case Quantize step -> List.of(step.out);
            case RmsNorm step -> List.of(step.out);
            case AddRmsNorm step -> List.of(step.sum, step.out);
            case RmsNormPart _, AppendKv _ -> List.of();
            case Project step -> List.of(step.out);
            case ProjectSwiGlu step -> List.of(step.out);
            case Rope step -> List.of(step.out);
            case RopeAppendKv step -> List.of(step.queries);
            case Attention step -> List.of(step.out);
            case Elementwise step -> List.of(step.out);
            case SelectRows step -> List.of(step.out);
        };
    }

    /// All values it touches.
    default List<Value> touched() {
        List<Value> all = new ArrayList<>(inputs());
        all.addAll(outputs());
        return all;
    }

    record Embed(Tensor table, Optional<Value> given, Value out) implements Step {}

    /// `out` is `in` in the type that a product wants.
    record Round(Value in, Value out) implements Step {}

    /// `out` is `in` in 8 bits.
    record Quantize(Value in, ActivationQuantization activations, Value out) implements Step {}

    record RmsNorm(Value in, Tensor gain, float epsilon, Value out) implements Step {}

    /// `sum = a + b`, and the norm of that.
    record AddRmsNorm(Value a, Value b, Value sum, Tensor gain, float epsilon, Value out) implements Step {}

    /// Norms, in place, the groups of a part of each row.
    ///
    /// @param first element of the part
    /// @param width of the part
    record RmsNormPart(Value rows, int first, int width, Tensor gain, float epsilon) implements Step {}

    /// Products of rows with weights of one type.
    sealed interface Product extends Step {
        Value in();

        ActivationQuantization activations();

        /// The first of the weights, or the only one.
        Tensor firstWeight();
    }

    /// Products with weights of one type, side by side in a row of `out`.
    record Project(Value in, List<Projection> projections, ActivationQuantization activations, Value out) implements Product {
        @Override
        public Tensor firstWeight() {
            return projections.getFirst().weight();
        }
    }

    /// A weight and what is added to its product.
    record Projection(Tensor weight, Optional<Tensor> bias) {}

    /// The products with gate and up, and SwiGLU of these.
    record ProjectSwiGlu(Value in, Tensor gate, Tensor up, ActivationQuantization activations, Value out) implements Product {
        @Override
        public Tensor firstWeight() {
            return gate;
        }
    }

    record Rope(Value in, int headDim, RopeTable table, Value out) implements Step {}

    record AppendKv(int layer, Value keys, Value values) implements Step {}

    /// Rotates queries and keys of rows `[queries, keys, values]`, appends keys and values, and gives the queries.
    record RopeAppendKv(int layer, Value qkv, RopeTable table, AttentionShape shape, Value queries) implements Step {}

    record Attention(int layer, Value queries, AttentionShape shape, Value out) implements Step {}

    record Elementwise(Op.Elementwise.Kind kind, Value a, Value b, Value out) implements Step {}

    record SelectRows(Value in, Value out) implements Step {}
}
