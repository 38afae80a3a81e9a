package org.gatun.cuda.simulator;

import java.lang.ref.SoftReference;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// PTX that was read, and its kernels, each compiled when it is first asked for: a text of megabytes has a hundred, and most loads want
/// one or two.
///
/// Nothing of a driver is in it, unless the text has variables in global memory, which lie elsewhere in each module; so programs are
/// shared by all modules, contexts and drivers that load the same text. Used by any thread.
final class Program {
    /// Texts that are remembered, at most; those not used for longest go first, and all when memory is short.
    private static final int MAX_REMEMBERED = 32;

    /// Programs by their text. Reading the same text again gives an equal one, so nobody can tell, but by the time it takes.
    private static final Map<String, SoftReference<Program>> REMEMBERED = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, SoftReference<Program>> eldest) {
            return size() > MAX_REMEMBERED;
        }
    };

    private final Ptx ptx;
    private final Map<String, Ptx.Entry> entries = new HashMap<>();
    private final List<Ptx.Variable> shared;
    private final Map<String, InstructionDecoder.Symbol> constantSymbols = new HashMap<>();
    private final byte[] constants;
    private final boolean hasGlobals;
    private final Map<String, Kernel> kernels = new HashMap<>();

    private Program(Ptx ptx) {
        this.ptx = ptx;
        ptx.entries().forEach(entry -> entries.put(entry.name(), entry));
        shared = ptx.variables().stream().filter(each -> each.space() == Ptx.Space.SHARED).toList();
        hasGlobals = ptx.variables().stream().anyMatch(each -> each.space() == Ptx.Space.GLOBAL);
        constants = constants(ptx, constantSymbols);
    }

    /// @throws PtxException naming the line and what is wrong
    static Program of(String text) {
        synchronized (REMEMBERED) {
            SoftReference<Program> known = REMEMBERED.get(text);
            Program program = known == null ? null : known.get();
            if (program != null) {
                return program;
            }
        }
        Program program = new Program(PtxParser.parse(text));
        synchronized (REMEMBERED) {
            REMEMBERED.put(text, new SoftReference<>(program));
        }
        return program;
    }

    Ptx ptx() {
        return ptx;
    }

    /// A kernel, null if there is none of this name.
    ///
    /// @param globals where the module's variables in global memory lie
    /// @throws PtxException naming the line of what cannot be run
    Kernel kernel(String name, Map<String, InstructionDecoder.Symbol> globals) {
        Ptx.Entry entry = entries.get(name);
        if (entry == null) {
            return null;
        }
        if (hasGlobals) {
            return compile(entry, globals);
        }
        synchronized (kernels) {
            Kernel kernel = kernels.get(name);
            if (kernel == null) {
                kernel = compile(entry, globals);
                kernels.put(name, kernel);
            }
            return kernel;
        }
    }

    private Kernel compile(Ptx.Entry entry, Map<String, InstructionDecoder.Symbol> globals) {
        Map<String, InstructionDecoder.Symbol> symbols = new HashMap<>(constantSymbols);
        symbols.putAll(globals);
        return KernelCompiler.compile(entry, symbols, shared, constants);
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
}
