package org.gatun.cuda.simulator;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// A loaded [Program]: its variables in device memory, and the kernels that were asked for.
final class SimulatedModule {
    final Map<String, Allocation> globals = new HashMap<>();
    /// Handles of kernels, by name.
    final Map<String, Long> functions = new HashMap<>();
    private final Program program;
    private final Map<String, InstructionDecoder.Symbol> symbols = new HashMap<>();

    private SimulatedModule(Program program) {
        this.program = program;
    }

    /// @throws OutOfMemory if the variables do not fit
    static SimulatedModule load(Program program, GlobalMemory memory) {
        SimulatedModule module = new SimulatedModule(program);
        try {
            module.placeGlobals(memory);
            return module;
        } catch (RuntimeException e) {
            module.unload(memory);
            throw e;
        }
    }

    private void placeGlobals(GlobalMemory memory) {
        for (Ptx.Variable variable : program.ptx().variables()) {
            if (variable.space() == Ptx.Space.GLOBAL) {
                Allocation allocation = memory.allocate(Math.max(1, variable.byteSize()));
                if (allocation == null) {
                    throw new OutOfMemory();
                }
                globals.put(variable.name(), allocation);
                for (int i = 0; i < variable.initial().length; i++) {
                    allocation.data.set(MemoryOperation.BYTE, i, variable.initial()[i]);
                }
                allocation.markWritten(0, allocation.size); // what has no initial value is zero
                symbols.put(variable.name(), new InstructionDecoder.Symbol(Ptx.Space.GLOBAL, allocation.base));
            }
        }
    }

    /// A kernel, null if there is none of this name.
    ///
    /// @throws PtxException naming the line of what cannot be run
    Kernel kernel(String name) {
        return program.kernel(name, symbols);
    }

    void unload(GlobalMemory memory) {
        globals.values().forEach(each -> memory.free(each.base));
    }

    /// The module's variables do not fit.
    static final class OutOfMemory extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }
}
