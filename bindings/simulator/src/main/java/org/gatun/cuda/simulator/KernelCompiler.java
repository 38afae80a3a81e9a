package org.gatun.cuda.simulator;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.gatun.cuda.simulator.Ptx.Operand;

/// Makes a [Kernel] of an entry of PTX: basic blocks, where parted threads meet again, and which registers may be read unwritten.
final class KernelCompiler {
    private static final String PRODUCT = "wgmma.mma_async";

    private final Ptx.Entry entry;
    private final InstructionDecoder decoder;
    private final List<Ptx.Instruction> instructions = new ArrayList<>();
    private final Map<String, Integer> labels = new HashMap<>();
    private final Map<String, InstructionDecoder.Symbol> symbols;
    private final List<Kernel.Parameter> parameters = new ArrayList<>();
    private int sharedBytes;
    private int localBytes;
    private int dynamicSharedOffset;

    private KernelCompiler(Ptx.Entry entry, Map<String, InstructionDecoder.Symbol> moduleSymbols, List<Ptx.Variable> moduleShared) {
        this.entry = entry;
        symbols = new HashMap<>(moduleSymbols);
        placeVariables(moduleShared);
        decoder = new InstructionDecoder(entry, symbols);
    }

    /// @param symbols global variables and constants of the module
    /// @param shared shared variables declared outside kernels
    /// @throws PtxException naming the line of what cannot be run
    static Kernel compile(Ptx.Entry entry, Map<String, InstructionDecoder.Symbol> symbols, List<Ptx.Variable> shared,
            byte[] constantMemory) {
        return new KernelCompiler(entry, symbols, shared).run(constantMemory);
    }

    private void placeVariables(List<Ptx.Variable> moduleShared) {
        int offset = 0;
        for (Ptx.Variable parameter : entry.parameters()) {
            offset = align(offset, parameter.byteAlignment());
            symbols.put(parameter.name(), new InstructionDecoder.Symbol(Ptx.Space.PARAM, offset));
            parameters.add(new Kernel.Parameter(offset, parameter.byteSize()));
            offset += parameter.byteSize();
        }
        Set<String> used = symbolsUsed();
        List<Ptx.Variable> shared = new ArrayList<>(moduleShared.stream().filter(each -> used.contains(each.name())).toList());
        entry.variables().stream().filter(each -> each.space() == Ptx.Space.SHARED).forEach(shared::add);
        for (Ptx.Variable variable : shared) {
            if (variable.byteSize() > 0) {
                sharedBytes = align(sharedBytes, variable.byteAlignment());
                symbols.put(variable.name(), new InstructionDecoder.Symbol(Ptx.Space.SHARED, sharedBytes));
                sharedBytes += variable.byteSize();
            }
        }
        dynamicSharedOffset = sharedBytes;
        for (Ptx.Variable variable : shared) {
            if (variable.byteSize() == 0) {
                dynamicSharedOffset = align(sharedBytes, Math.max(16, variable.byteAlignment()));
                symbols.put(variable.name(), new InstructionDecoder.Symbol(Ptx.Space.SHARED, dynamicSharedOffset));
            }
        }
        for (Ptx.Variable variable : entry.variables()) {
            if (variable.space() == Ptx.Space.LOCAL) {
                localBytes = align(localBytes, variable.byteAlignment());
                symbols.put(variable.name(), new InstructionDecoder.Symbol(Ptx.Space.LOCAL, localBytes));
                localBytes += variable.byteSize();
            }
        }
        localBytes = align(localBytes, 16);
        if (sharedBytes > SimulatorOptions.MAX_SHARED_BYTES || localBytes > 1 << 19) {
            throw new PtxException(entry.line(), "kernel %s declares %d bytes of shared and %d of local memory: expected %d and %d at most"
                    .formatted(entry.name(), sharedBytes, localBytes, SimulatorOptions.MAX_SHARED_BYTES, 1 << 19));
        }
    }

    /// Names that the kernel's instructions have: of a module's shared variables it has only those, as an assembler gives it no others.
    private Set<String> symbolsUsed() {
        Set<String> names = new HashSet<>();
        for (Ptx.Statement statement : entry.statements()) {
            if (statement instanceof Ptx.Instruction instruction) {
                instruction.operands().forEach(operand -> addSymbols(operand, names));
            }
        }
        return names;
    }

    private static void addSymbols(Operand operand, Set<String> names) {
        switch (operand) {
            case Operand.Symbol(String name, _) -> names.add(name);
            case Operand.Memory(Operand base, _) -> addSymbols(base, names);
            case Operand.Vector(List<Operand> elements) -> elements.forEach(each -> addSymbols(each, names));
            case Operand.Pair(Operand first, Operand second) -> {
                addSymbols(first, names);
                addSymbols(second, names);
            }
            case Operand.Reg _, Operand.Not _, Operand.Whole _, Operand.Real _, Operand.Special _, Operand.Sink _ -> {}
        }
    }

    private static int align(int offset, int alignment) {
        return (offset + alignment - 1) / alignment * alignment;
    }

    private Kernel run(byte[] constantMemory) {
        for (Ptx.Statement statement : entry.statements()) {
            switch (statement) {
                case Ptx.Label(String name) -> labels.put(name, instructions.size());
                case Ptx.Instruction instruction -> instructions.add(instruction);
            }
        }
        if (instructions.isEmpty()) {
            throw new PtxException(entry.line(), "kernel " + entry.name() + " has no instructions");
        }
        BasicBlock[] blocks = blocks();
        findReconvergence(blocks);
        boolean tracked = trackRegisters(blocks);
        return new Kernel(entry.name(), blocks, decoder.constants(), decoder.kinds(), decoder.names(), decoder.specials(),
                List.copyOf(parameters), sharedBytes, dynamicSharedOffset, localBytes, decoder.granuleShift(), entry.maxThreads(),
                entry.cluster(), constantMemory, tracked, watchProducts(blocks));
    }

    private static boolean isBranch(Ptx.Instruction instruction) {
        return instruction.is("bra");
    }

    private static boolean isReturn(Ptx.Instruction instruction) {
        return instruction.is("ret") || instruction.is("exit");
    }

    private static boolean isBlockBarrier(Ptx.Instruction instruction) {
        return (instruction.is("bar") || instruction.is("barrier")) && !instruction.is("bar.warp")
                && !instruction.is("barrier.cluster.arrive");
    }

    private static boolean isYield(Ptx.Instruction instruction) {
        return instruction.is("nanosleep");
    }

    private static boolean endsBlock(Ptx.Instruction instruction) {
        return isBranch(instruction) || isReturn(instruction) || isBlockBarrier(instruction) || isYield(instruction)
                || instruction.is("mbarrier.try_wait") || instruction.is("mbarrier.test_wait");
    }

    private int[] starts() {
        BitSet leaders = new BitSet();
        leaders.set(0);
        labels.values().forEach(leaders::set);
        for (int i = 0; i < instructions.size(); i++) {
            if (endsBlock(instructions.get(i))) {
                leaders.set(i + 1);
            }
            if (isBlockBarrier(instructions.get(i))) {
                leaders.set(i); // alone, so that it may be come to twice
            }
        }
        leaders.clear(instructions.size(), Math.max(instructions.size(), leaders.length()) + 1);
        return leaders.stream().toArray();
    }

    private BasicBlock[] blocks() {
        int[] starts = starts();
        BasicBlock[] blocks = new BasicBlock[starts.length];
        for (int b = 0; b < blocks.length; b++) {
            int end = b + 1 < starts.length ? starts[b + 1] : instructions.size();
            blocks[b] = block(starts, b, end);
        }
        return blocks;
    }

    private BasicBlock block(int[] starts, int index, int end) {
        BasicBlock block = new BasicBlock();
        List<Operation> operations = new ArrayList<>();
        List<InstructionClass> classes = new ArrayList<>();
        block.next = index + 1 < starts.length ? index + 1 : BasicBlock.END;
        for (int i = starts[index]; i < end; i++) {
            Ptx.Instruction instruction = instructions.get(i);
            classes.add(InstructionClass.of(instruction));
            boolean exits = isBranch(instruction) || isReturn(instruction) || isBlockBarrier(instruction) || isYield(instruction);
            if (!exits) {
                operations.addAll(decoder.decode(instruction));
                if (endsBlock(instruction)) {
                    block.exit = BasicBlock.Exit.YIELD; // a test in a loop: let those run that it waits for
                    block.exitInstruction = instruction;
                }
                continue;
            }
            block.exitInstruction = instruction;
            if (instruction.guard() != null) {
                block.predicate = decoder.number(instruction.guard());
                block.flip = instruction.guardNegated() ? -1 : 0;
            }
            if (isBranch(instruction)) {
                block.target = target(starts, instruction);
                if (instruction.guard() == null || block.target == block.next) {
                    block.next = block.target;
                    block.exitInstruction = null;
                }
            } else if (isReturn(instruction)) {
                block.exit = BasicBlock.Exit.RETURN;
            } else if (isYield(instruction)) {
                block.exit = BasicBlock.Exit.YIELD;
            } else {
                block.exit = BasicBlock.Exit.BARRIER;
                block.stop = decoder.stop(instruction);
            }
        }
        boolean leaves = block.exit == BasicBlock.Exit.RETURN && block.predicate == 0;
        if (block.next == BasicBlock.END && !leaves) {
            throw new PtxException(instructions.getLast().line(), "kernel " + entry.name() + " does not end with ret");
        }
        block.operations = operations.toArray(Operation[]::new);
        block.classes = classes.toArray(InstructionClass[]::new);
        return block;
    }

    private int target(int[] starts, Ptx.Instruction branch) {
        if (!(branch.operands().getFirst() instanceof Operand.Symbol(String name, _)) || !labels.containsKey(name)) {
            throw branch.refuse("a branch to a label that is not there");
        }
        if (labels.get(name) >= instructions.size()) {
            throw branch.refuse("a branch past the end");
        }
        return Arrays.binarySearch(starts, labels.get(name));
    }

    private static int[] successors(BasicBlock block) {
        return switch (block.exit) {
            case BRANCH -> block.exitInstruction == null ? new int[] {block.next} : new int[] {block.target, block.next};
            case RETURN -> block.predicate == 0 ? new int[] {BasicBlock.END} : new int[] {BasicBlock.END, block.next};
            case BARRIER, YIELD -> new int[] {block.next};
        };
    }

    /// Immediate post-dominators (K. Cooper, T. Harvey, K. Kennedy, "A Simple, Fast Dominance Algorithm", 2001), from the end.
    private static void findReconvergence(BasicBlock[] blocks) {
        int end = blocks.length;
        List<List<Integer>> predecessors = new ArrayList<>();
        for (int i = 0; i <= end; i++) {
            predecessors.add(new ArrayList<>());
        }
        for (int i = 0; i < end; i++) {
            for (int next : successors(blocks[i])) {
                predecessors.get(next == BasicBlock.END ? end : next).add(i);
            }
        }
        int[] order = new int[end + 1];
        Arrays.fill(order, -1);
        List<Integer> reverse = new ArrayList<>();
        postOrder(end, predecessors, order, reverse);
        int[] reconvergence = new int[end + 1];
        Arrays.fill(reconvergence, -1);
        reconvergence[end] = end;
        for (boolean changed = true; changed;) {
            changed = false;
            for (int k = reverse.size() - 2; k >= 0; k--) {
                int i = reverse.get(k);
                int found = -1;
                for (int next : successors(blocks[i])) {
                    int successor = next == BasicBlock.END ? end : next;
                    if (reconvergence[successor] >= 0) {
                        found = found < 0 ? successor : common(found, successor, reconvergence, order);
                    }
                }
                if (reconvergence[i] != found) {
                    reconvergence[i] = found;
                    changed = true;
                }
            }
        }
        for (int i = 0; i < end; i++) {
            blocks[i].reconvergence = reconvergence[i] == end || reconvergence[i] < 0 ? BasicBlock.END : reconvergence[i];
        }
    }

    private static int common(int a, int b, int[] reconvergence, int[] order) {
        while (a != b) {
            while (order[a] < order[b]) {
                a = reconvergence[a];
            }
            while (order[b] < order[a]) {
                b = reconvergence[b];
            }
        }
        return a;
    }

    private static void postOrder(int start, List<List<Integer>> edges, int[] order, List<Integer> result) {
        int[] stack = new int[order.length];
        int[] edge = new int[order.length];
        boolean[] seen = new boolean[order.length];
        int depth = 0;
        stack[0] = start;
        seen[start] = true;
        while (depth >= 0) {
            int at = stack[depth];
            if (edge[depth] < edges.get(at).size()) {
                int next = edges.get(at).get(edge[depth]++);
                if (!seen[next]) {
                    seen[next] = true;
                    stack[++depth] = next;
                    edge[depth] = 0;
                }
            } else {
                order[at] = result.size();
                result.add(at);
                depth--;
            }
        }
    }

    /// What an instruction does with the kernel's registers.
    private record Use(int[] reads, int[] writes) {}

    private Use use(Ptx.Instruction instruction) {
        List<Integer> reads = new ArrayList<>();
        List<Integer> writes = new ArrayList<>();
        if (instruction.is(PRODUCT) && instruction.operands().get(3) instanceof Operand.Whole(long accumulates) && accumulates != 0) {
            instruction.operands().getFirst().forEachRegister(register -> reads.add(decoder.number(register)));
        }
        for (int i = 0; i < instruction.operands().size(); i++) {
            boolean isResult = i == 0 && hasResult(instruction) && !(instruction.operands().getFirst() instanceof Operand.Memory);
            List<Integer> into = isResult ? writes : reads;
            instruction.operands().get(i).forEachRegister(register -> into.add(decoder.number(register)));
        }
        return new Use(reads.stream().mapToInt(each -> each).toArray(), writes.stream().mapToInt(each -> each).toArray());
    }

    private static boolean hasResult(Ptx.Instruction instruction) {
        return !instruction.is("st") && !instruction.is("red") && !isBranch(instruction) && !instruction.is("bar.warp.sync")
                && !instruction.is("bar.sync") && !instruction.is("barrier.sync") && !instruction.is("bar.arrive");
    }

    /// Lets the operations that touch registers of `wgmma` products look whether these are under way. False if there are none.
    private boolean watchProducts(BasicBlock[] blocks) {
        BitSet used = new BitSet();
        boolean any = false;
        for (BasicBlock block : blocks) {
            for (Operation operation : block.operations) {
                any |= operation.instruction.is("wgmma");
                if (operation.instruction.is(PRODUCT)) {
                    Use use = use(operation.instruction);
                    Arrays.stream(use.reads).forEach(used::set);
                    Arrays.stream(use.writes).forEach(used::set);
                }
            }
        }
        for (BasicBlock block : blocks) {
            for (int i = 0; i < block.operations.length; i++) {
                Operation operation = block.operations[i];
                Use use = use(operation.instruction);
                int[] reads = Arrays.stream(use.reads).filter(used::get).toArray();
                int[] writes = Arrays.stream(use.writes).filter(used::get).toArray();
                if (reads.length + writes.length > 0 && !operation.instruction.is(PRODUCT)) {
                    block.operations[i] = new WarpgroupOperations.Beside(operation, reads, writes);
                }
            }
        }
        return any;
    }

    /// Finds registers that some path reads before it has surely written them, and lets the operations that touch these look.
    private boolean trackRegisters(BasicBlock[] blocks) {
        int registers = decoder.kinds().length;
        BitSet[] written = new BitSet[blocks.length];
        BitSet all = new BitSet();
        all.set(0, registers);
        List<List<Integer>> predecessors = new ArrayList<>();
        for (int i = 0; i < blocks.length; i++) {
            written[i] = i == 0 ? new BitSet() : (BitSet) all.clone();
            predecessors.add(new ArrayList<>());
        }
        for (int i = 0; i < blocks.length; i++) {
            for (int next : successors(blocks[i])) {
                if (next != BasicBlock.END) {
                    predecessors.get(next).add(i);
                }
            }
        }
        int[] starts = starts();
        for (boolean changed = true; changed;) {
            changed = false;
            for (int i = 0; i < blocks.length; i++) {
                BitSet entering = i == 0 ? new BitSet() : (BitSet) all.clone();
                for (int each : predecessors.get(i)) {
                    BitSet leaving = (BitSet) written[each].clone();
                    scan(starts, each, leaving, null);
                    entering.and(leaving);
                }
                if (!entering.equals(written[i])) {
                    written[i] = entering;
                    changed = true;
                }
            }
        }
        BitSet suspects = new BitSet();
        for (int i = 0; i < blocks.length; i++) {
            scan(starts, i, (BitSet) written[i].clone(), suspects);
        }
        if (suspects.isEmpty()) {
            return false;
        }
        for (BasicBlock block : blocks) {
            track(block, suspects);
        }
        return true;
    }

    /// Follows a basic block: what it writes for sure is added to `written`, what it reads before that to `suspects`.
    private void scan(int[] starts, int index, BitSet written, BitSet suspects) {
        int end = index + 1 < starts.length ? starts[index + 1] : instructions.size();
        for (int i = starts[index]; i < end; i++) {
            Ptx.Instruction instruction = instructions.get(i);
            Use use = use(instruction);
            if (suspects != null) {
                for (int each : use.reads) {
                    if (!written.get(each)) {
                        suspects.set(each);
                    }
                }
                if (instruction.guard() != null && !written.get(decoder.number(instruction.guard()))) {
                    suspects.set(decoder.number(instruction.guard()));
                }
            }
            if (instruction.guard() == null) {
                for (int each : use.writes) {
                    written.set(each);
                }
            }
        }
    }

    private void track(BasicBlock block, BitSet suspects) {
        if (block.predicate != 0 && suspects.get(block.predicate)) {
            block.trackedPredicate = block.predicate;
        }
        for (int i = 0; i < block.operations.length; i++) {
            Operation operation = block.operations[i];
            Use use = use(operation.instruction);
            int[] reads = Arrays.stream(use.reads).filter(suspects::get).toArray();
            int[] writes = Arrays.stream(use.writes).filter(suspects::get).toArray();
            if (reads.length + writes.length > 0) {
                operation = operation instanceof Operation.Guarded guarded
                        ? guarded.around(new Operation.Tracked(guarded.inner(), reads, writes))
                        : new Operation.Tracked(operation, reads, writes);
            }
            Ptx.Register guard = operation.instruction.guard();
            if (guard != null && suspects.get(decoder.number(guard))) {
                operation = new Operation.Tracked(operation, new int[] {decoder.number(guard)}, new int[0]);
            }
            block.operations[i] = operation;
        }
    }
}
