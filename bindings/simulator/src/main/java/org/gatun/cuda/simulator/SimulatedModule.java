package org.gatun.cuda.simulator;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Loaded PTX: its kernels, and its variables in device memory.
final class SimulatedModule {
    final Map<String, Kernel> kernels = new HashMap<>();
    final Map<String, Allocation> globals = new HashMap<>();
    final List<Long> functions = new ArrayList<>();

    private SimulatedModule() {}

    /// @throws PtxException naming the line of what cannot be run
    /// @throws OutOfMemory if the variables do not fit
    static SimulatedModule load(Ptx ptx, GlobalMemory memory) {
        SimulatedModule module = new SimulatedModule();
        try {
            module.compile(ptx, memory);
            return module;
        } catch (RuntimeException e) {
            module.unload(memory);
            throw e;
        }
    }

    private void compile(Ptx ptx, GlobalMemory memory) {
        Map<String, InstructionDecoder.Symbol> symbols = new HashMap<>();
        List<Ptx.Variable> shared = new ArrayList<>();
        byte[] constants = constants(ptx, symbols);
        for (Ptx.Variable variable : ptx.variables()) {
            switch (variable.space()) {
                case GLOBAL -> {
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
                case SHARED -> shared.add(variable);
                case CLUSTER, LOCAL, CONST, PARAM, GENERIC -> {}
            }
        }
        for (Ptx.Entry entry : ptx.entries()) {
            kernels.put(entry.name(), KernelCompiler.compile(entry, symbols, shared, constants));
        }
    }

    private static byte[] constants(Ptx ptx, Map<String, InstructionDecoder.Symbol> symbols) {
        int size = 0;
        for (Ptx.Variable variable : ptx.variables()) {
            if (variable.space() == Ptx.Space.CONST) {
                size = (size + variable.byteAlignment() - 1) / variable.byteAlignment() * variable.byteAlignment();
                symbols.put(variable.name(), new InstructionDecoder.Symbol(Ptx.Space.CONST, size));
                size = Math.addExact(size, variable.byteSize());
            }
        }
        if (size > 1 << 16) {
            throw new PtxException(1, size + " bytes of constants: expected 65536 at most");
        }
        byte[] bytes = new byte[size];
        for (Ptx.Variable variable : ptx.variables()) {
            if (variable.space() == Ptx.Space.CONST) {
                System.arraycopy(variable.initial(), 0, bytes, (int) symbols.get(variable.name()).address(), variable.initial().length);
            }
        }
        return bytes;
    }

    void unload(GlobalMemory memory) {
        globals.values().forEach(each -> memory.free(each.base));
    }

    /// The module's variables do not fit.
    static final class OutOfMemory extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }
}
