package org.gatun.plan;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/// A recorded pass: what a model does to the rows of a pass, in order. Immutable; holds views of weights, so it is
/// valid as long as the model that recorded it. Made by [PlanBuilder], compiled by a backend.
///
/// @param ops in execution order; each value is written before it is read
/// @param values every value, at the index of its id
/// @param outputs what is kept for the caller, by name
public record Plan(List<Op> ops, List<Value> values, Map<String, Value> outputs) {
    /// Name of the output that tokens are sampled from, `[selected rows, vocabulary]`. A plan may have none.
    public static final String LOGITS = "logits";

    /// @throws IllegalArgumentException if a value is read before it is written, written twice, or foreign, two inputs have a name, or
    ///         there is no output
    public Plan {
        ops = List.copyOf(ops);
        values = List.copyOf(values);
        outputs = Map.copyOf(outputs);
        boolean[] written = new boolean[values.size()];
        Set<String> inputs = new HashSet<>();
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
            if (op instanceof Op.Input(String name, _) && !inputs.add(name)) {
                throw new IllegalArgumentException("input " + name + " a second time: expected one of each name");
            }
        }
        if (outputs.isEmpty()) {
            throw new IllegalArgumentException("a plan without outputs: expected " + LOGITS + " or others");
        }
        outputs.forEach((name, value) -> {
            if (!written[value.id()]) {
                throw new IllegalArgumentException("output " + name + " is never written");
            }
        });
    }

    /// What tokens are sampled from, if the plan has it.
    public Optional<Value> logits() {
        return Optional.ofNullable(outputs.get(LOGITS));
    }

    /// @throws IllegalArgumentException if there is no output of that name
    public Value output(String name) {
        Value value = outputs.get(name);
        if (value == null) {
            throw new IllegalArgumentException("no output " + name + ": the plan has " + new TreeSet<>(outputs.keySet()));
        }
        return value;
    }

    /// @throws IllegalArgumentException if there is no input of that name
    public Value input(String name) {
        return ops.stream().filter(op -> op instanceof Op.Input input && input.name().equals(name)).findFirst().flatMap(Op::output)
                .orElseThrow(() -> new IllegalArgumentException("no input " + name + ": the plan has " + ops.stream()
                        .filter(Op.Input.class::isInstance).map(op -> ((Op.Input) op).name()).sorted().toList()));
    }

    /// The output of another plan that an input may be taken from.
    ///
    /// @throws IllegalArgumentException if there is no such input or output, they differ in width, or the output has selected rows only
    public Value outputFor(String input, Plan from, String output) {
        Value to = input(input);
        Value of = from.output(output);
        if (of.width() != to.width() || of.rows() != Value.Rows.ALL) {
            throw new IllegalArgumentException("input " + input + " of " + to + " from output " + output + " of " + of
                    + ": expected all rows, as wide");
        }
        return of;
    }
}
