package org.gatun.plan;

import java.util.List;
import java.util.Map;

/// A recorded pass: what a model does to the rows of a pass, in order. Immutable; holds views of weights, so it is
/// valid as long as the model that recorded it. Made by [PlanBuilder], compiled by a backend.
///
/// @param ops in execution order; each value is written before it is read
/// @param values every value, at the index of its id
/// @param logits `[selected rows, vocabulary]`
/// @param taps hidden states to keep for the caller, by name
public record Plan(List<Op> ops, List<Value> values, Value logits, Map<String, Value> taps) {

    /// @throws IllegalArgumentException if a value is read before it is written, written twice, or foreign
    public Plan {
        ops = List.copyOf(ops);
        values = List.copyOf(values);
        taps = Map.copyOf(taps);
        boolean[] written = new boolean[values.size()];
        for (Op op : ops) {
            for (Value input : op.inputs()) {
                if (!written[input.id()]) {
                    throw new IllegalArgumentException(op + " reads value " + input.id() + " before it is written");
                }
            }
            op.output().ifPresent(out -> {
                if (written[out.id()]) {
                    throw new IllegalArgumentException(op + " writes value " + out.id() + " a second time");
                }
                written[out.id()] = true;
            });
        }
        if (!written[logits.id()]) {
            throw new IllegalArgumentException("the logits are never written");
        }
    }
}
