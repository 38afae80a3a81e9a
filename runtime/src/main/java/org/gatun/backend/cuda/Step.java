package org.gatun.backend.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.gatun.plan.Activations;
import org.gatun.plan.AttentionShape;
import org.gatun.plan.RopeTable;
import org.gatun.plan.Value;
import org.gatun.tensor.Tensor;

/// One launch of a pass: an op of the plan, or several in one kernel. Values are f32 unless [Program#type] says otherwise.
sealed interface Step {
    /// The values it reads.
    List<Value> inputs();

    /// The values it writes.
    List<Value> outputs();

    record Embed(Tensor table, Value out) implements Step {
        @Override
        public List<Value> inputs() {
            return List.of();
        }

        @Override
        public List<Value> outputs() {
            return List.of(out);
        }
    }

    /// `out` is `in` in the type that a product wants.
    record Round(Value in, Value out) implements Step {
        @Override
        public List<Value> inputs() {
            return List.of(in);
        }

        @Override
        public List<Value> outputs() {
            return List.of(out);
        }
    }

    /// `out` is `in` in 8 bits.
    record Quantize(Value in, Activations activations, Value out) implements Step {
        @Override
        public List<Value> inputs() {
            return List.of(in);
        }

        @Override
        public List<Value> outputs() {
            return List.of(out);
        }
    }

    record RmsNorm(Value in, Tensor gain, float epsilon, Value out) implements Step {
        @Override
        public List<Value> inputs() {
            return List.of(in);
        }

        @Override
        public List<Value> outputs() {
            return List.of(out);
        }
    }

    /// `sum = a + b`, and the norm of that.
    record AddRmsNorm(Value a, Value b, Value sum, Tensor gain, float epsilon, Value out) implements Step {
        @Override
        public List<Value> inputs() {
            return List.of(a, b);
        }

        @Override
        public List<Value> outputs() {
            return List.of(sum, out);
        }
    }

    /// Norms, in place, the groups of a part of each row.
    ///
    /// @param first element of the part
    /// @param width of the part
    record RmsNormPart(Value rows, int first, int width, Tensor gain, float epsilon) implements Step {
        @Override
        public List<Value> inputs() {
            return List.of(rows);
        }

        @Override
        public List<Value> outputs() {
            return List.of();
        }
    }

    /// Products with weights of one type, side by side in a row of `out`.
    record Project(Value in, List<Projection> projections, Activations activations, Value out) implements Step {
        @Override
        public List<Value> inputs() {
            return List.of(in);
        }

        @Override
        public List<Value> outputs() {
            return List.of(out);
        }
    }

    /// A weight and what is added to its product.
    record Projection(Tensor weight, Optional<Tensor> bias) {}

    /// The products with gate and up, and SwiGLU of these.
    record ProjectSwiGlu(Value in, Tensor gate, Tensor up, Activations activations, Value out) implements Step {
        @Override
        public List<Value> inputs() {
            return List.of(in);
        }

        @Override
        public List<Value> outputs() {
            return List.of(out);
        }
    }

    record Rope(Value in, int headDim, RopeTable table, Value out) implements Step {
        @Override
        public List<Value> inputs() {
            return List.of(in);
        }

        @Override
        public List<Value> outputs() {
            return List.of(out);
        }
    }

    record AppendKv(int layer, Value keys, Value values) implements Step {
        @Override
        public List<Value> inputs() {
            return List.of(keys, values);
        }

        @Override
        public List<Value> outputs() {
            return List.of();
        }
    }

    /// Rotates queries and keys of rows `[queries, keys, values]`, appends keys and values, and gives the queries.
    record RopeAppendKv(int layer, Value qkv, RopeTable table, AttentionShape shape, Value queries) implements Step {
        @Override
        public List<Value> inputs() {
            return List.of(qkv);
        }

        @Override
        public List<Value> outputs() {
            return List.of(queries);
        }
    }

    record Attention(int layer, Value queries, AttentionShape shape, Value out) implements Step {
        @Override
        public List<Value> inputs() {
            return List.of(queries);
        }

        @Override
        public List<Value> outputs() {
            return List.of(out);
        }
    }

    record SwiGlu(Value gate, Value up, Value out) implements Step {
        @Override
        public List<Value> inputs() {
            return List.of(gate, up);
        }

        @Override
        public List<Value> outputs() {
            return List.of(out);
        }
    }

    record Add(Value a, Value b, Value out) implements Step {
        @Override
        public List<Value> inputs() {
            return List.of(a, b);
        }

        @Override
        public List<Value> outputs() {
            return List.of(out);
        }
    }

    record SelectRows(Value in, Value out) implements Step {
        @Override
        public List<Value> inputs() {
            return List.of(in);
        }

        @Override
        public List<Value> outputs() {
            return List.of(out);
        }
    }

    /// All values it touches.
    default List<Value> touched() {
        List<Value> all = new ArrayList<>(inputs());
        all.addAll(outputs());
        return all;
    }
}
