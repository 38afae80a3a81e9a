package org.gatun.cuda.simulator;

import java.util.Collection;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;

/// The table of arithmetic instructions that the simulator runs.
///
/// The families register what they have, each form beside its loop. Forms that loops of kernels are made of have a loop of their own, which
/// the JIT compiler vectorises; the others call a function a lane.
final class Arithmetic {
    private static final Map<String, Form> FORMS = table();

    private Arithmetic() {}

    private static Map<String, Form> table() {
        Forms forms = new Forms();
        IntegerLanes.register(forms);
        BitLanes.register(forms);
        ComparisonLanes.register(forms);
        FloatLanes.register(forms);
        HalfLanes.register(forms);
        ConversionLanes.register(forms);
        return Collections.unmodifiableMap(forms.byOpcode);
    }

    /// Takes forms as the families give them.
    static final class Forms {
        private final Map<String, Form> byOpcode = new TreeMap<>();

        void add(String opcode, String operands, Lanes lanes) {
            if (byOpcode.put(opcode, new Form(opcode, operands, lanes)) != null) {
                throw new AssertionError(opcode + " twice");
            }
        }
    }

    /// Null if there is no such instruction.
    static Form find(String opcode) {
        return FORMS.get(opcode);
    }

    /// All forms, by opcode.
    static Collection<Form> forms() {
        return FORMS.values();
    }
}
