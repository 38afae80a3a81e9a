package org.gatun.plan;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.gatun.tensor.DType;
import org.gatun.tensor.Tensor;

/// Collects ops into a [Plan]. Each method checks the shapes it is given, records one op and returns the value that
/// the op writes; an architecture's forward pass then reads like the paper's figure.
public final class PlanBuilder {
    private final List<Op> ops = new ArrayList<>();
    private final List<Value> values = new ArrayList<>();
    private final Map<String, Value> outputs = new LinkedHashMap<>();

    /// Records [Op.Input].
    public Value input(String name, int width) {
        Value out = value(width, Value.Rows.ALL);
        ops.add(new Op.Input(name, out));
        return out;
    }

    /// Records [Op.Embed] of tokens.
    public Value embed(Tensor table) {
        return embed(table, Optional.empty());
    }

    /// Records [Op.Embed].
    public Value embed(Tensor table, Optional<Value> given) {
        given.ifPresent(rows -> {
            requireAllRows("embedding", rows);
            require(rows.width() == table.columns(), table, rows.width() + " columns, as the rows given");
        });
        Value out = value(table.columns(), Value.Rows.ALL);
        ops.add(new Op.Embed(table, given, out));
        return out;
    }

    /// Records [Op.RmsNorm].
    public Value rmsNorm(Value in, Tensor gain, float epsilon) {
        require(in.width() % gain.columns() == 0, gain, "a divisor of the row width " + in.width());
        Value out = value(in.width(), in.rows());
        ops.add(new Op.RmsNorm(in, gain, epsilon, out));
        return out;
    }

    /// Records [Op.MatMul] without bias.
    public Value matMul(Value in, Tensor weight) {
        return matMul(in, weight, Optional.empty());
    }

    /// Records [Op.MatMul] of activations as they are.
    public Value matMul(Value in, Tensor weight, Optional<Tensor> bias) {
        return matMul(in, weight, bias, ActivationQuantization.NONE);
    }

    /// Records [Op.MatMul].
    public Value matMul(Value in, Tensor weight, Optional<Tensor> bias, ActivationQuantization activations) {
        if (activations.isQuantized()) {
            require(weight.dtype() == DType.INT8, weight, "the type INT8 for activations " + activations + ", found " + weight.dtype());
            require(weight.columns() <= ActivationQuantization.MAX_INPUTS, weight,
                    ActivationQuantization.MAX_INPUTS + " columns at most for activations " + activations);
        }
        require(weight.columns() == in.width(), weight, in.width() + " columns");
        bias.ifPresent(b -> require(b.columns() == weight.rows(), b, weight.rows() + " elements"));
        Value out = value(weight.rows(), in.rows());
        ops.add(new Op.MatMul(in, weight, bias, activations, out));
        return out;
    }

    /// Records [Op.Rope].
    public Value rope(Value in, int headDim, RopeTable table) {
        if (in.width() % headDim != 0 || 2 * table.pairs() > headDim) {
            throw new IllegalArgumentException("rope over " + table.pairs() + " pairs of heads of " + headDim
                    + " in rows of " + in.width() + ": expected heads to divide the row and pairs to fit a head");
        }
        requireAllRows("rope", in);
        Value out = value(in.width(), in.rows());
        ops.add(new Op.Rope(in, headDim, table, out));
        return out;
    }

    /// Records [Op.AppendKv] and the [Op.Attention] that reads it.
    ///
    /// @param queries `[rows, heads, headDim]`
    /// @param keys `[rows, kvHeads, headDim]`
    /// @param values `[rows, kvHeads, headDim]`
    public Value attention(int layer, Value queries, Value keys, Value values, AttentionShape shape) {
        if (queries.width() != shape.queryWidth() || keys.width() != shape.kvWidth() || values.width() != shape.kvWidth()) {
            throw new IllegalArgumentException("attention of layer " + layer + ": rows of " + queries.width() + ", "
                    + keys.width() + ", " + values.width() + " do not fit " + shape);
        }
        requireAllRows("attention", queries);
        requireAllRows("attention", keys);
        requireAllRows("attention", values);
        Value out = value(shape.queryWidth(), queries.rows());
        ops.add(new Op.AppendKv(layer, keys, values));
        ops.add(new Op.Attention(layer, queries, shape, out));
        return out;
    }

    /// Records [Op.Elementwise].
    public Value elementwise(Op.Elementwise.Kind kind, Value a, Value b) {
        if (a.width() != b.width() || a.rows() != b.rows()) {
            throw new IllegalArgumentException(kind + " of " + a + " and " + b + ": expected rows alike");
        }
        Value out = value(a.width(), a.rows());
        ops.add(new Op.Elementwise(kind, a, b, out));
        return out;
    }

    /// Records [Op.Elementwise.Kind#SWIGLU].
    public Value swiGlu(Value gate, Value up) {
        return elementwise(Op.Elementwise.Kind.SWIGLU, gate, up);
    }

    /// Records [Op.Elementwise.Kind#ADD].
    public Value add(Value a, Value b) {
        return elementwise(Op.Elementwise.Kind.ADD, a, b);
    }

    /// Records [Op.SelectRows].
    public Value selectRows(Value in) {
        requireAllRows("selection", in);
        Value out = value(in.width(), Value.Rows.SELECTED);
        ops.add(new Op.SelectRows(in, out));
        return out;
    }

    /// Keeps `value` for the caller under `name`.
    ///
    /// @throws IllegalArgumentException if there is an output of that name
    public PlanBuilder output(String name, Value value) {
        if (outputs.putIfAbsent(name, value) != null) {
            throw new IllegalArgumentException("output " + name + " a second time: expected one of each name");
        }
        return this;
    }

    /// The plan of everything recorded.
    public Plan build() {
        return new Plan(ops, values, outputs);
    }

    /// The plan of everything recorded, with logits.
    public Plan build(Value logits) {
        Map<String, Value> all = new LinkedHashMap<>(outputs);
        all.put(Plan.LOGITS, logits);
        return new Plan(ops, values, all);
    }

    private Value value(int width, Value.Rows rows) {
        Value value = new Value(values.size(), width, rows);
        values.add(value);
        return value;
    }

    /// Rows have a position and a slot only as rows of the whole pass.
    private static void requireAllRows(String op, Value in) {
        if (in.rows() != Value.Rows.ALL) {
            throw new IllegalArgumentException(op + " of selected rows: expected all rows of the pass");
        }
    }

    private static void require(boolean condition, Tensor tensor, String expected) {
        if (!condition) {
            throw new IllegalArgumentException(
                    "tensor " + tensor.name() + " " + tensor.shape() + ": expected " + expected);
        }
    }
}
