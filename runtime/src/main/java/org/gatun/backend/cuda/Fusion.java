package org.gatun.backend.cuda;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.gatun.cuda.kernels.ElementType;
import org.gatun.cuda.kernels.MatmulKernels;
import org.gatun.cuda.kernels.WeightType;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;
import org.gatun.plan.Value;
import org.gatun.tensor.DType;
import org.gatun.tensor.DType.Block;
import org.gatun.tensor.DType.Plain;
import org.gatun.tensor.DType.Sparse;
import org.gatun.tensor.Tensor;

/// Turns the ops of a plan into steps, several ops into one where a kernel does them together:
///
/// * a sum and the norm of it;
/// * the projections to queries, keys and values, in one product;
/// * the rotation of queries and keys, and the appending of keys and values;
/// * the projections to gate and up, and SwiGLU.
///
/// An op whose result somebody else reads too is left alone. What comes out is the same up to rounding.
final class Fusion {
    private final Plan plan;
    private final Map<Integer, Op> producers = new HashMap<>();
    private final Map<Integer, List<Op>> consumers = new HashMap<>();
    private final Set<Op> absorbed = new HashSet<>();
    private final Map<Op, List<Step>> replaced = new HashMap<>();
    private int values;

    private Fusion(Plan plan) {
        this.plan = plan;
        values = plan.values().size();
        for (Op op : plan.ops()) {
            op.output().ifPresent(out -> producers.put(out.id(), op));
            op.inputs().forEach(in -> consumers.computeIfAbsent(in.id(), _ -> new ArrayList<>()).add(op));
        }
    }

    /// Why there is no kernel for a product: that of activations in 8 bits takes a weight in whole tiles.
    static Optional<String> unsupportedReason(Op.MatMul product) {
        Tensor weight = product.weight();
        return !product.activations().isQuantized() || weightType(weight) == WeightType.INT8 ? Optional.empty()
                : Optional.of("tensor " + weight.name() + " " + weight.shape() + ": activations " + product.activations()
                        + " want a multiple of 8 rows and of 8 columns on cuda; take activations " + ActivationQuantization.NONE
                        + " or backend cpu");
    }

    /// The steps of a plan, fused.
    static List<Step> steps(Plan plan) {
        Fusion fusion = new Fusion(plan);
        for (Op op : plan.ops()) {
            switch (op) {
                case Op.Elementwise(var kind, _, _, _) when kind == Op.Elementwise.Kind.ADD -> fusion.fuseNorm((Op.Elementwise) op);
                case Op.Elementwise gate -> fusion.fuseGate(gate);
                case Op.AppendKv append -> fusion.fuseAttention(append);
                case Op.Input _, Op.Embed _, Op.RmsNorm _, Op.MatMul _, Op.Rope _, Op.Attention _, Op.SelectRows _ -> { }
            }
        }
        return fusion.emit();
    }

    /// The steps of a plan, one an op.
    static List<Step> unfused(Plan plan) {
        return new Fusion(plan).emit();
    }

    /// How the weight of a product is kept on the device: in the type of the file where there is a kernel for it, other quantized ones
    /// decoded and rounded to bf16. What tensor cores cannot read is f32.
    static WeightType weightType(Tensor weight) {
        boolean inFull = weight.rows() % WeightType.TILE_OUTPUTS == 0 && weight.columns() % 8 == 0;
        WeightType decoded = WeightType.valueOf(tableType(weight).name());
        return inFull ? tiled(weight.dtype()).orElse(decoded) : decoded;
    }

    /// The weight tiles that a type of the file is kept in.
    private static Optional<WeightType> tiled(DType dtype) {
        return switch (dtype) {
            case Plain _ -> Optional.empty();
            case Block.Q4_1, Block.Q5_0, Block.Q5_1, Block.Q5_K, Block.NVFP4_BLOCKS, Sparse.SPARSE_2_4_NF4 -> Optional.empty();
            case Block.Q8_0 -> Optional.of(WeightType.Q8_0);
            case Block.Q4_0 -> Optional.of(WeightType.Q4_0);
            case Block.Q4_K -> Optional.of(WeightType.Q4_K);
            case Block.Q6_K -> Optional.of(WeightType.Q6_K);
            case Block.NF4 -> Optional.of(WeightType.NF4);
            case Block.FP4 -> Optional.of(WeightType.FP4);
            case Block.MXFP4 -> Optional.of(WeightType.MXFP4);
            case Block.NVFP4 -> Optional.of(WeightType.NVFP4);
            case Block.INT8 -> Optional.of(WeightType.INT8);
            case Sparse.SPARSE_2_4_F16 -> Optional.of(WeightType.SPARSE_2_4);
            case Sparse.SPARSE_2_4_INT8 -> Optional.of(WeightType.SPARSE_2_4_INT8);
            case Sparse.SPARSE_1_4_F16 -> Optional.of(WeightType.SPARSE_1_4);
            case Sparse.SPARSE_2_8_F16 -> Optional.of(WeightType.SPARSE_2_8);
            case Sparse.SPARSE_4_8_F16 -> Optional.of(WeightType.SPARSE_4_8);
            case Sparse.SPARSE_1_16_F16 -> Optional.of(WeightType.SPARSE_1_16);
            case Sparse.SPARSE_2_16_F16 -> Optional.of(WeightType.SPARSE_2_16);
        };
    }

    /// How a table that rows are taken from is kept on the device.
    static ElementType tableType(Tensor weight) {
        return weight.columns() % 8 != 0 || weight.dtype() == DType.F32 || weight.dtype() == DType.F64 ? ElementType.F32
                : weight.dtype() == DType.F16 ? ElementType.F16 : ElementType.BF16;
    }

    private List<Step> emit() {
        List<Step> steps = new ArrayList<>();
        for (Op op : plan.ops()) {
            if (replaced.containsKey(op)) {
                steps.addAll(replaced.get(op));
            } else if (!absorbed.contains(op) && !(op instanceof Op.Input)) {
                steps.add(step(op));
            }
        }
        return steps;
    }

    private static Step step(Op op) {
        return switch (op) {
            case Op.Input _ -> throw new IllegalStateException(op + " is no step");
            case Op.Embed(var table, var given, var out) -> new Step.Embed(table, given, out);
            case Op.RmsNorm(var in, var gain, var epsilon, var out) -> new Step.RmsNorm(in, gain, epsilon, out);
            case Op.MatMul(var in, var weight, var bias, var activations, var out) ->
                    new Step.Project(in, List.of(new Step.Projection(weight, bias)), activations, out);
            case Op.Rope(var in, var headDim, var table, var out) -> new Step.Rope(in, headDim, table, out);
            case Op.AppendKv(var layer, var keys, var vals) -> new Step.AppendKv(layer, keys, vals);
            case Op.Attention(var layer, var queries, var shape, var out) -> new Step.Attention(layer, queries, shape, out);
            case Op.Elementwise(var kind, var a, var b, var out) -> new Step.Elementwise(kind, a, b, out);
            case Op.SelectRows(var in, var out) -> new Step.SelectRows(in, out);
        };
    }

    private void replace(Op op, Step... steps) {
        replaced.put(op, List.of(steps));
    }

    /// The op that made a value, if it is of a kind and nobody else reads the value.
    private <T extends Op> Optional<T> soleProducer(Class<T> kind, Value value) {
        boolean shared = consumers.getOrDefault(value.id(), List.of()).size() != 1 || plan.outputs().containsValue(value);
        return shared ? Optional.empty() : Optional.ofNullable(producers.get(value.id())).filter(kind::isInstance).map(kind::cast);
    }

    private void fuseNorm(Op.Elementwise add) {
        consumers.getOrDefault(add.out().id(), List.of()).stream()
                .filter(op -> op instanceof Op.RmsNorm norm && norm.gain().columns() == add.out().width())
                .map(Op.RmsNorm.class::cast).findFirst().ifPresent(norm -> {
                    replace(add, new Step.AddRmsNorm(add.a(), add.b(), add.out(), norm.gain(), norm.epsilon(), norm.out()));
                    absorbed.add(norm);
                });
    }

    private void fuseGate(Op.Elementwise op) {
        Optional<Op.MatMul> gate = soleProducer(Op.MatMul.class, op.a()).filter(matMul -> matMul.bias().isEmpty());
        Optional<Op.MatMul> up = soleProducer(Op.MatMul.class, op.b()).filter(matMul -> matMul.bias().isEmpty());
        if (gate.isEmpty() || up.isEmpty() || gate.equals(up) || !gate.get().in().equals(up.get().in())) {
            return;
        }
        WeightType type = weightType(gate.get().weight());
        ActivationQuantization activations = gate.get().activations();
        boolean readInType = !activations.isQuantized() && !plan.outputs().containsValue(op.out())
                && consumers.getOrDefault(op.out().id(), List.of()).stream()
                        .allMatch(user -> user instanceof Op.MatMul matMul && !matMul.activations().isQuantized()
                                && weightType(matMul.weight()).activations() == type.activations());
        if (type != WeightType.F32 && type == weightType(up.get().weight()) && activations == up.get().activations()
                && (readInType || activations.isQuantized())
                && op.out().width() % MatmulKernels.SWIGLU_ROWS == 0) {
            absorbed.add(gate.get());
            absorbed.add(up.get());
            replace(op, new Step.ProjectSwiGlu(gate.get().in(), gate.get().weight(), up.get().weight(), activations,
                    op.out()));
        }
    }

    /// A projection whose heads are normed or not, then rotated.
    private record Rotated(Op.Rope rope, Optional<Op.RmsNorm> norm, Op.MatMul projection) {}

    private Optional<Rotated> rotated(Value value) {
        return soleProducer(Op.Rope.class, value).flatMap(rope -> {
            Optional<Op.RmsNorm> norm = soleProducer(Op.RmsNorm.class, rope.in());
            return soleProducer(Op.MatMul.class, norm.map(Op.RmsNorm::in).orElse(rope.in()))
                    .map(projection -> new Rotated(rope, norm, projection));
        });
    }

    private void fuseAttention(Op.AppendKv append) {
        Optional<Op.Attention> attention = plan.ops().stream().skip(plan.ops().indexOf(append))
                .filter(op -> op instanceof Op.Attention reader && reader.layer() == append.layer())
                .map(Op.Attention.class::cast).findFirst();
        Optional<Rotated> queries = attention.flatMap(reader -> rotated(reader.queries()));
        Optional<Rotated> keys = rotated(append.keys());
        Optional<Op.MatMul> values = soleProducer(Op.MatMul.class, append.values());
        if (queries.isEmpty() || keys.isEmpty() || values.isEmpty()) {
            return;
        }
        Op.MatMul q = queries.get().projection;
        Op.MatMul k = keys.get().projection;
        Op.MatMul v = values.get();
        boolean alike = q.in().equals(k.in()) && k.in().equals(v.in()) && weightType(q.weight()) == weightType(k.weight())
                && weightType(k.weight()) == weightType(v.weight()) && q.activations() == k.activations()
                && k.activations() == v.activations() && queries.get().rope.table().equals(keys.get().rope.table())
                && queries.get().rope.headDim() == attention.get().shape().headDim()
                && keys.get().rope.headDim() == attention.get().shape().headDim();
        if (!alike) {
            return;
        }
        Value qkv = new Value(nextValue(), q.out().width() + k.out().width() + v.out().width(), Value.Rows.ALL);
        List<Step> steps = new ArrayList<>();
        steps.add(new Step.Project(q.in(), List.of(new Step.Projection(q.weight(), q.bias()),
                new Step.Projection(k.weight(), k.bias()), new Step.Projection(v.weight(), v.bias())), q.activations(), qkv));
        queries.get().norm.ifPresent(norm -> steps.add(
                new Step.RmsNormPart(qkv, 0, q.out().width(), norm.gain(), norm.epsilon())));
        keys.get().norm.ifPresent(norm -> steps.add(
                new Step.RmsNormPart(qkv, q.out().width(), k.out().width(), norm.gain(), norm.epsilon())));
        steps.add(new Step.RopeAppendKv(append.layer(), qkv, keys.get().rope.table(), attention.get().shape(),
                attention.get().queries()));
        for (Rotated part : List.of(queries.get(), keys.get())) {
            absorbed.add(part.rope);
            absorbed.add(part.projection);
            part.norm.ifPresent(absorbed::add);
        }
        absorbed.add(v);
        replaced.put(append, steps);
    }

    private int nextValue() {
        return values++;
    }
}
