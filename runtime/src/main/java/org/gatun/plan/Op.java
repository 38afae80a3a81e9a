package org.gatun.plan;

import java.util.List;
import java.util.Optional;
import org.gatun.tensor.Tensor;

/// One step of a plan. The permitted records are all that a backend must be able to do; what each means is defined
/// by `org.gatun.backend.reference`. Ops are in single-assignment form: each value is written once.
public sealed interface Op {

    /// The values it reads.
    default List<Value> inputs() {
        return switch (this) {
            case Input _ -> List.of();
            case Embed op -> op.given.map(List::of).orElseGet(List::of);
            case RmsNorm op -> List.of(op.in);
            case MatMul op -> List.of(op.in);
            case Rope op -> List.of(op.in);
            case AppendKv op -> List.of(op.keys, op.values);
            case Attention op -> List.of(op.queries);
            case Elementwise op -> List.of(op.a, op.b);
            case SelectRows op -> List.of(op.in);
        };
    }

    /// The weights it reads.
    default List<Tensor> weights() {
        return switch (this) {
            case Embed op -> List.of(op.table);
            case RmsNorm op -> List.of(op.gain);
            case MatMul op -> op.bias.map(bias -> List.of(op.weight, bias)).orElseGet(() -> List.of(op.weight));
            case Input _, Rope _, AppendKv _, Attention _, Elementwise _, SelectRows _ -> List.of();
        };
    }

    /// The value it writes, if any.
    default Optional<Value> output() {
        return switch (this) {
            case Input op -> Optional.of(op.out);
            case Embed op -> Optional.of(op.out);
            case RmsNorm op -> Optional.of(op.out);
            case MatMul op -> Optional.of(op.out);
            case Rope op -> Optional.of(op.out);
            case AppendKv _ -> Optional.empty();
            case Attention op -> Optional.of(op.out);
            case Elementwise op -> Optional.of(op.out);
            case SelectRows op -> Optional.of(op.out);
        };
    }

    /// Rows that the caller gives, or that another executable left: see `org.gatun.backend.Executable#input`.
    ///
    /// @param name unique in the plan
    /// @param out `[rows, width]`
    record Input(String name, Value out) implements Op {}

    /// Row `r` of `out` is row `token[r]` of `table`, or, where there is no token ([#GIVEN]), row `r` of `given`.
    ///
    /// @param table `[vocabulary, width]`, any stored type
    /// @param given `[rows, width]`; if there are none, all rows have tokens
    /// @param out `[rows, width]`
    record Embed(Tensor table, Optional<Value> given, Value out) implements Op {
        /// In place of the token of a row that is given.
        public static final int GIVEN = -1;
    }

    /// Root-mean-square normalisation of groups of `gain.columns()` elements (the whole row, or a head):
    /// `out = in / sqrt(mean(in²) + epsilon) · gain`. (Zhang and Sennrich 2019, arXiv 1910.07467.)
    ///
    /// @param in `[rows, width]`, width a multiple of the gain's length
    /// @param gain `[group] f32`
    /// @param out `[rows, width]`
    record RmsNorm(Value in, Tensor gain, float epsilon, Value out) implements Op {}

    /// `out[r, n] = Σ_k in[r, k] · weight[n, k] (+ bias[n])`.
    ///
    /// @param in `[rows, K]`
    /// @param weight `[N, K]`, any stored type
    /// @param bias `[N] f32`
    /// @param activations how `in` is taken
    /// @param out `[rows, N]`
    record MatMul(Value in, Tensor weight, Optional<Tensor> bias, ActivationQuantization activations, Value out) implements Op {}

    /// Rotates each head of each row by the row's position, see [RopeTable].
    ///
    /// @param in `[rows, heads, headDim]`
    /// @param out as `in`
    record Rope(Value in, int headDim, RopeTable table, Value out) implements Op {}

    /// Writes keys and values of each row to the row's slot of a layer of the KV cache, rounded to the cache's type.
    ///
    /// @param keys `[rows, kvHeads, headDim]`
    /// @param values `[rows, kvHeads, headDim]`
    record AppendKv(int layer, Value keys, Value values) implements Op {}

    /// Softmax attention of each row over the slots of a layer that it attends to: all committed slots, and of the
    /// pass's own rows its ancestors and itself; of these only positions inside the window.
    /// `out = softmax(scale · q·Kᵀ) · V`, a query head `h` using key-value head `h / group`.
    ///
    /// @param queries `[rows, heads, headDim]`
    /// @param out `[rows, heads, headDim]`
    record Attention(int layer, Value queries, AttentionShape shape, Value out) implements Op {}

    /// `out[r, i] = kind(a[r, i], b[r, i])`.
    ///
    /// @param a `[rows, width]`
    /// @param b `[rows, width]`
    /// @param out `[rows, width]`
    record Elementwise(Kind kind, Value a, Value b, Value out) implements Op {
        /// What is computed of two elements.
        public enum Kind {
            /// `a + b`: the residual connection.
            ADD,
            /// `a · σ(a) · b`, of a gate and what it lets through. (Shazeer 2020, arXiv 2002.05202.)
            SWIGLU
        }
    }

    /// Keeps the rows whose result the caller asked for, in the order asked.
    ///
    /// @param in `[rows, width]`
    /// @param out `[selected rows, width]`
    record SelectRows(Value in, Value out) implements Op {}
}
