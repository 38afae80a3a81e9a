package org.gatun.backend.cuda;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.gatun.cuda.kernels.ElementType;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;
import org.gatun.plan.Value;

/// The steps of a plan with the types of their values: what a matrix product reads is in the type of its weight, rounded where it is
/// made, or by a step of its own if it is read by others too. Rows in 8 bits are made by norms, or by a step of their own.
///
/// @param steps in order
/// @param types of values that are not f32
/// @param quantized values that are rows in 8 bits
record Program(Plan plan, List<Step> steps, Map<Value, ElementType> types, Map<Value, ActivationQuantization> quantized) {
    static Program of(Plan plan, List<Step> steps) {
        Set<Value> kept = new HashSet<>(plan.outputs().values());
        Map<Value, ElementType> types = new HashMap<>();
        Map<Value, ActivationQuantization> quantized = new HashMap<>();
        for (Step step : steps) {
            if (step instanceof Step.ProjectSwiGlu fused) {
                types.put(fused.out(), wanted(fused));
            } else if (roundsItsResult(step)) {
                Value out = step.outputs().getLast();
                Set<Form> readAs = new HashSet<>();
                steps.stream().filter(reader -> reader.inputs().contains(out))
                        .forEach(reader -> readAs.add(new Form(wanted(reader), activations(reader))));
                if (readAs.size() == 1 && !kept.contains(out)) {
                    Form form = readAs.iterator().next();
                    if (form.activations.isQuantized() && normsRows(step)) {
                        quantized.put(out, form.activations);
                    } else if (form.type != ElementType.F32) {
                        types.put(out, form.type);
                    }
                }
            }
        }
        return new Program(plan, withRoundings(plan, steps, types, quantized), types, quantized);
    }

    ElementType type(Value value) {
        return types.getOrDefault(value, ElementType.F32);
    }

    /// How a step takes its inputs.
    private static ActivationQuantization activations(Step step) {
        return step instanceof Step.Product product ? product.activations() : ActivationQuantization.NONE;
    }

    /// The type in which a step, or that which makes codes for it, reads its inputs.
    static ElementType wanted(Step step) {
        return step instanceof Step.Product product && !product.activations().isQuantized()
                ? Fusion.weightType(product.firstWeight()).activations() : ElementType.F32;
    }

    private static boolean roundsItsResult(Step step) {
        return step instanceof Step.RmsNorm || step instanceof Step.AddRmsNorm || step instanceof Step.Attention
                || step instanceof Step.Elementwise elementwise && elementwise.kind() == Op.Elementwise.Kind.SWIGLU;
    }

    /// A form that a value is brought to for products.
    private record Form(ElementType type, ActivationQuantization activations) {}

    /// Whether a step norms whole rows.
    private static boolean normsRows(Step step) {
        return step instanceof Step.AddRmsNorm || step instanceof Step.RmsNorm norm && norm.gain().columns() == norm.in().width();
    }

    private static List<Step> withRoundings(Plan plan, List<Step> steps, Map<Value, ElementType> types,
            Map<Value, ActivationQuantization> quantized) {
        int next = 0;
        for (Step step : steps) {
            next = Math.max(next, step.touched().stream().mapToInt(Value::id).max().orElse(0) + 1);
        }
        next = Math.max(next, plan.values().size());
        Map<Value, Map<Form, Value>> rounded = new HashMap<>();
        List<Step> result = new ArrayList<>();
        for (Step step : steps) {
            Value in = step instanceof Step.Product product ? product.in() : null;
            Form form = new Form(wanted(step), activations(step));
            if (in == null || quantized.containsKey(in)
                    || !form.activations.isQuantized() && form.type == types.getOrDefault(in, ElementType.F32)) {
                result.add(step);
                continue;
            }
            Value copy = rounded.computeIfAbsent(in, _ -> new HashMap<>()).get(form);
            if (copy == null) {
                copy = new Value(next++, in.width(), in.rows());
                rounded.get(in).put(form, copy);
                if (form.activations.isQuantized()) {
                    quantized.put(copy, form.activations);
                    result.add(new Step.Quantize(in, form.activations, copy));
                } else {
                    types.put(copy, form.type);
                    result.add(new Step.Round(in, copy));
                }
            }
            result.add(step instanceof Step.Project project
                    ? new Step.Project(copy, project.projections(), project.activations(), project.out())
                    : new Step.ProjectSwiGlu(copy, ((Step.ProjectSwiGlu) step).gate(), ((Step.ProjectSwiGlu) step).up(),
                            activations(step), ((Step.ProjectSwiGlu) step).out()));
        }
        return List.copyOf(result);
    }
}
