package org.gatun.cuda.simulator;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.gatun.cuda.simulator.MemoryOperation.Address;
import org.gatun.cuda.simulator.MemoryOperation.Extent;
import org.gatun.cuda.simulator.Ptx.Operand;
import org.gatun.cuda.simulator.Ptx.RegisterClass;
import org.gatun.cuda.simulator.Ptx.Space;

/// Makes operations of a kernel's instructions. Whatever it does not know it refuses, by line.
///
/// Arithmetic is looked up in [org.gatun.cuda.simulator.Arithmetic], matrix products in [MatrixMultiply]; what touches memory, other
/// threads or time is here, by the first word of the opcode. Registers are numbered: 0 is none, then the kernel's own, then what
/// is added here: numbers in the text, special registers, and places for the same bits in another class.
final class InstructionDecoder {
    private static final Set<String> SPECIALS = Set.of("%tid.x", "%tid.y", "%tid.z", "%ntid.x", "%ntid.y", "%ntid.z", "%ctaid.x",
            "%ctaid.y", "%ctaid.z", "%nctaid.x", "%nctaid.y", "%nctaid.z", "%laneid", "%warpid", "%nwarpid", "%smid", "%nsmid",
            "%lanemask_eq", "%lanemask_le", "%lanemask_lt", "%lanemask_ge", "%lanemask_gt", "%dynamic_smem_size",
            "%total_smem_size", "%cluster_ctarank", "%cluster_nctarank", "%cluster_ctaid.x", "%cluster_ctaid.y", "%cluster_ctaid.z",
            "%cluster_nctaid.x", "%cluster_nctaid.y", "%cluster_nctaid.z", "%clusterid.x", "%clusterid.y", "%clusterid.z",
            "%nclusterid.x", "%nclusterid.y", "%nclusterid.z");
    private static final Set<String> SPACES = Set.of("global", "shared", "shared::cta", "shared::cluster", "local", "const", "param",
            "param::entry");
    /// Parts of a memory instruction's opcode that are about order or caches, and change nothing here.
    private static final Set<String> ORDER_AND_CACHES = Set.of("weak", "relaxed", "acquire", "release", "acq_rel", "volatile", "mmio",
            "cta", "cluster", "gpu", "sys", "ca", "cg", "cs", "lu", "cv", "wb", "wt", "nc", "sync", "L1::evict_normal",
            "L1::evict_unchanged", "L1::evict_first", "L1::evict_last", "L1::no_allocate", "L2::evict_first", "L2::evict_last",
            "L2::evict_normal", "L2::cache_hint", "L2::64B", "L2::128B", "L2::256B", "noftz");

    private final Map<String, Symbol> symbols;
    private final List<Character> kinds = new ArrayList<>();
    private final List<String> names = new ArrayList<>();
    private final Map<Integer, Object> constants = new HashMap<>();
    private final Map<String, Integer> constantNumbers = new HashMap<>();
    private final Map<Integer, String> specials = new LinkedHashMap<>();
    private final Map<String, Integer> specialNumbers = new HashMap<>();
    private final int firstOwn;
    private int narrowestShared = 4;

    /// Of the instruction at hand.
    private Ptx.Instruction instruction;
    private final List<Operation> before = new ArrayList<>();
    private final List<Operation> after = new ArrayList<>();

    /// Where a variable lies.
    ///
    /// @param address in its space
    record Symbol(Space space, long address) {}

    InstructionDecoder(Ptx.Entry entry, Map<String, Symbol> symbols) {
        this.symbols = symbols;
        kinds.add(' ');
        names.add("none");
        for (int i = 0; i < entry.registers(); i++) {
            kinds.add(' ');
            names.add("");
        }
        firstOwn = kinds.size();
    }

    char[] kinds() {
        char[] letters = new char[kinds.size()];
        for (int i = 0; i < letters.length; i++) {
            letters[i] = kinds.get(i);
        }
        return letters;
    }

    String[] names() {
        return names.toArray(String[]::new);
    }

    Map<Integer, Object> constants() {
        return constants;
    }

    Map<Integer, String> specials() {
        return specials;
    }

    int granuleShift() {
        return Integer.numberOfTrailingZeros(narrowestShared);
    }

    /// Whether a number stands for one of the kernel's own registers.
    boolean isOwn(int register) {
        return register > 0 && register < firstOwn;
    }

    /// The number of a register of the kernel.
    int number(Ptx.Register register) {
        int number = register.id() + 1;
        if (kinds.get(number) == ' ') {
            kinds.set(number, register.kind().letter);
            names.set(number, register.name());
        }
        return number;
    }

    /// The operations of an instruction that ends no basic block, its guard applied.
    List<Operation> decode(Ptx.Instruction next) {
        instruction = next;
        before.clear();
        after.clear();
        Operation operation = operation();
        List<Operation> all = new ArrayList<>(before);
        all.add(operation);
        all.addAll(after);
        if (next.guard() != null) {
            int guard = number(next.guard());
            all.replaceAll(each -> new Operation.Guarded(each, guard, next.guardNegated()));
        }
        return all;
    }

    private Operation operation() {
        String opcode = instruction.opcode();
        int dot = opcode.indexOf('.');
        return switch (dot < 0 ? opcode : opcode.substring(0, dot)) {
            case "ld", "ldu" -> load();
            case "st" -> store();
            case "atom", "red" -> atomic();
            case "mov" -> move();
            case "cvta" -> convertAddress();
            case "isspacep" -> new WarpOperations.IsSpace(instruction, target(0, 'P'), source(1, 'L'), window(space()),
                    space() == Space.SHARED);
            case "setp" -> compare();
            case "shfl" -> shuffle();
            case "vote" -> vote();
            case "match" -> match();
            case "redux" -> reduce();
            case "elect" -> elect();
            case "activemask" -> new WarpOperations.ActiveMask(instruction, target(0, 'I'));
            case "bar", "barrier" -> warpBarrier();
            case "mbarrier" -> memoryBarrier();
            case "cp" -> asyncCopy();
            case "ldmatrix", "stmatrix" -> moveMatrix();
            case "movmatrix" -> new MatrixOperations.Transpose(instruction, target(0, 'I'), source(1, 'I'));
            case "mma" -> multiply();
            case "trap", "brkpt" -> new WarpOperations.Trap(instruction);
            case "fence" -> instruction.is("fence.proxy.async") ? new WarpgroupOperations.ProxyFence(instruction)
                    : new WarpOperations.Nothing(instruction);
            case "wgmma" -> warpgroup();
            case "setmaxnreg" -> registers();
            case "membar", "prefetch", "prefetchu", "griddepcontrol", "pmevent", "applypriority", "discard" ->
                new WarpOperations.Nothing(instruction);
            case "createpolicy" -> form("mov.b64", List.of(operand(0), new Operand.Whole(0)));
            case "call", "brx" -> throw instruction.refuse("calls and indirect branches are not supported");
            case "mapa" -> new ClusterOperations.MapAddress(instruction, target(0, addressKind()), source(1, addressKind()),
                    source(2, 'I'));
            case "getctarank" -> new ClusterOperations.GetRank(instruction, target(0, 'I'), source(1, addressKind()));
            case "tensormap", "multimem", "clusterlaunchcontrol", "tcgen05" ->
                throw instruction.refuse("tensor maps, and what only later devices have, are not supported");
            default -> arithmetic();
        };
    }

    // Operands.

    private Operand operand(int index) {
        if (index >= instruction.operands().size()) {
            throw instruction.refuse("an operand is missing");
        }
        return instruction.operands().get(index);
    }

    private int count() {
        return instruction.operands().size();
    }

    private int source(int index, char kind) {
        return source(operand(index), kind);
    }

    /// The number of a register that holds an operand, in the class that is wanted.
    private int source(Operand operand, char kind) {
        return switch (operand) {
            case Operand.Reg(Ptx.Register register) -> converted(register, kind);
            case Operand.Whole(long value) -> constant(kind, value);
            case Operand.Real(double value, boolean isDouble) -> constant(kind, switch (kind) {
                case 'D', 'L' -> Double.doubleToRawLongBits(value);
                default -> Float.floatToRawIntBits((float) value) & 0xffffffffL;
            });
            case Operand.Special(String name) -> special(name, kind);
            case Operand.Symbol(String name, long offset) -> constant(kind, symbol(name).address() + offset);
            case Operand.Not _, Operand.Memory _, Operand.Vector _, Operand.Pair _, Operand.Sink _ ->
                throw instruction.refuse("an operand of a kind that is not supported here");
        };
    }

    private int converted(Ptx.Register register, char kind) {
        int number = number(register);
        char has = register.kind().letter;
        if (has == kind) {
            return number;
        }
        RegisterClass wanted = RegisterClass.of(kind);
        if (register.kind().byteSize == wanted.byteSize && kind != 'P') {
            int other = temporary(kind, register.name());
            before.add(new WarpOperations.Reinterpret(instruction, other, number));
            return other;
        }
        if (register.kind().byteSize > wanted.byteSize && kind != 'P' && has != 'D') {
            int[] targets = new int[register.kind().byteSize / wanted.byteSize];
            targets[0] = temporary(kind, register.name());
            before.add(new WarpOperations.Unpack(instruction, targets, number, 8 * wanted.byteSize));
            return targets[0];
        }
        throw instruction.refuse("register " + register.name() + " of " + 8 * register.kind().byteSize
                + " bits does not fit the instruction");
    }

    private int target(int index, char kind) {
        return target(operand(index), kind);
    }

    private int target(Operand operand, char kind) {
        if (operand instanceof Operand.Sink) {
            return 0;
        }
        if (!(operand instanceof Operand.Reg(Ptx.Register register))) {
            throw instruction.refuse("the result is no register");
        }
        char has = register.kind().letter;
        int number = number(register);
        if (has == kind || kind == 'H' && has == 'I') {
            return number;
        }
        if (register.kind().byteSize == RegisterClass.of(kind).byteSize && kind != 'P') {
            int other = temporary(kind, register.name());
            after.add(new WarpOperations.Reinterpret(instruction, number, other));
            return other;
        }
        throw instruction.refuse("register " + register.name() + " of " + 8 * register.kind().byteSize
                + " bits cannot hold the result");
    }

    private int temporary(char kind, String name) {
        kinds.add(kind);
        names.add(name);
        return kinds.size() - 1;
    }

    private int constant(char kind, long bits) {
        return constantNumbers.computeIfAbsent(kind + ":" + bits, _ -> {
            int number = temporary(' ', "a number");
            constants.put(number, Registers.constant(kind, bits));
            return number;
        });
    }

    private int special(String name, char kind) {
        if (name.equals("WARP_SZ")) {
            return constant(kind, Warp.SIZE);
        }
        if (kind != 'I' || !SPECIALS.contains(name)) {
            throw instruction.refuse("special register " + name + " is not supported");
        }
        return specialNumbers.computeIfAbsent(name, _ -> {
            int number = temporary(' ', name);
            specials.put(number, name);
            return number;
        });
    }

    private Symbol symbol(String name) {
        Symbol symbol = symbols.get(name);
        if (symbol == null) {
            throw instruction.refuse("'" + name + "' is not declared");
        }
        return symbol;
    }

    private record Predicate(int register, boolean negated) {}

    private Predicate predicate(int index) {
        return switch (operand(index)) {
            case Operand.Reg(Ptx.Register register) when register.kind() == RegisterClass.PREDICATE ->
                new Predicate(number(register), false);
            case Operand.Not(Ptx.Register register) when register.kind() == RegisterClass.PREDICATE ->
                new Predicate(number(register), true);
            case Operand.Whole(long value) -> new Predicate(constant('P', value), false);
            default -> throw instruction.refuse("an operand is no predicate");
        };
    }

    private int[] sources(Operand operand, char kind) {
        List<Operand> elements = operand instanceof Operand.Vector(List<Operand> list) ? list : List.of(operand);
        return elements.stream().mapToInt(each -> source(each, kind)).toArray();
    }

    private int[] targets(Operand operand, char kind) {
        List<Operand> elements = operand instanceof Operand.Vector(List<Operand> list) ? list : List.of(operand);
        return elements.stream().mapToInt(each -> target(each, kind)).toArray();
    }

    private Address address(int index, Space space) {
        if (!(operand(index) instanceof Operand.Memory(Operand base, long offset))) {
            throw instruction.refuse("an operand is no address");
        }
        return switch (base) {
            case Operand.Reg(Ptx.Register register) when register.kind() == RegisterClass.LONG || register.kind() == RegisterClass.INT ->
                new Address(space, number(register), offset);
            case Operand.Whole(long value) -> new Address(space, 0, value + offset);
            case Operand.Symbol(String name, long inner) -> {
                Symbol symbol = symbol(name);
                boolean isThere = space == symbol.space() || space == Space.GENERIC
                        || space == Space.CLUSTER && symbol.space() == Space.SHARED;
                if (!isThere) {
                    throw instruction.refuse("'" + name + "' is not in that space");
                }
                yield new Address(symbol.space(), 0, symbol.address() + inner + offset);
            }
            default -> throw instruction.refuse("an address of a kind that is not supported");
        };
    }

    // Opcodes.

    private List<String> parts() {
        return Arrays.asList(instruction.opcode().split("\\."));
    }

    private Space space() {
        Space space = Space.GENERIC;
        for (String part : parts()) {
            space = switch (part) {
                case "global" -> Space.GLOBAL;
                case "shared", "shared::cta" -> Space.SHARED;
                case "local" -> Space.LOCAL;
                case "const" -> Space.CONST;
                case "param", "param::entry" -> Space.PARAM;
                case "shared::cluster" -> Space.CLUSTER;
                default -> space;
            };
        }
        return space;
    }

    /// Refuses parts of the opcode that are not among those known.
    private void checkParts(Set<String> known) {
        for (String part : parts().subList(1, parts().size())) {
            if (!SPACES.contains(part) && !ORDER_AND_CACHES.contains(part) && !known.contains(part)) {
                throw instruction.refuse("'" + part + "' is not supported");
            }
        }
    }

    private static int bytes(String type) {
        return Integer.parseInt(type.replaceAll("\\D", "")) / Byte.SIZE;
    }

    private Extent extent(String type) {
        if (!type.matches("[bsuf](8|16|32|64)")) {
            throw instruction.refuse("type ." + type + " is not supported");
        }
        int count = instruction.has("v2") ? 2 : instruction.has("v4") ? 4 : instruction.has("v8") ? 8 : 1;
        return new Extent(bytes(type), count);
    }

    private void noteShared(Space space, int bytes) {
        if (space == Space.SHARED || space == Space.CLUSTER || space == Space.GENERIC) {
            narrowestShared = Math.min(narrowestShared, bytes);
        }
    }

    private Operation load() {
        String type = parts().getLast();
        checkParts(Set.of(type, "v2", "v4", "v8"));
        Extent extent = extent(type);
        noteShared(space(), extent.elementBytes());
        List<Operand> elements = operand(0) instanceof Operand.Vector(List<Operand> list) ? list : List.of(operand(0));
        if (elements.size() != extent.count()) {
            throw instruction.refuse("found " + elements.size() + " registers, expected " + extent.count());
        }
        boolean signed = type.startsWith("s");
        boolean sixteen = false;
        int[] targets = new int[elements.size()];
        for (int i = 0; i < targets.length; i++) {
            targets[i] = wide(elements.get(i), extent.elementBytes(), true);
            sixteen |= targets[i] != 0 && kinds.get(targets[i]) == 'H';
        }
        return new MemoryOperation.Load(instruction, address(1, space()), extent, targets, signed, sixteen);
    }

    /// A register of a load or store, which may be wider than the element.
    private int wide(Operand operand, int bytes, boolean isTarget) {
        return switch (operand) {
            case Operand.Sink _ when isTarget -> 0;
            case Operand.Reg(Ptx.Register register) -> {
                if (register.kind().byteSize < bytes || register.kind() == RegisterClass.PREDICATE) {
                    throw instruction.refuse("register " + register.name() + " is too narrow");
                }
                yield number(register);
            }
            default -> {
                if (isTarget) {
                    throw instruction.refuse("the result is no register");
                }
                yield source(operand, bytes == 8 ? operand instanceof Operand.Real ? 'D' : 'L' : 'I');
            }
        };
    }

    private Operation store() {
        String type = parts().getLast();
        checkParts(Set.of(type, "v2", "v4", "v8"));
        Extent extent = extent(type);
        noteShared(space(), extent.elementBytes());
        List<Operand> elements = operand(1) instanceof Operand.Vector(List<Operand> list) ? list : List.of(operand(1));
        if (elements.size() != extent.count()) {
            throw instruction.refuse("found " + elements.size() + " registers, expected " + extent.count());
        }
        int[] sources = elements.stream().mapToInt(each -> wide(each, extent.elementBytes(), false)).toArray();
        return new MemoryOperation.Store(instruction, address(0, space()), extent, sources);
    }

    private Operation atomic() {
        List<String> parts = parts();
        String type = parts.getLast();
        boolean reduction = parts.getFirst().equals("red");
        String kind = parts.stream().filter(Set.of("add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec")::contains)
                .findFirst().orElseThrow(() -> instruction.refuse("an atomic operation that is not supported"));
        checkParts(Set.of(type, kind));
        if (!type.matches("[bsu](16|32|64)|f32|f64|f16|bf16|f16x2|bf16x2")) {
            throw instruction.refuse("type ." + type + " is not supported");
        }
        RegisterClass registers = RegisterClass.ofType(type);
        noteShared(space(), registers.byteSize);
        int first = reduction ? 0 : 1;
        return new MemoryOperation.Atomic(instruction, address(first, space()), registers.byteSize,
                reduction ? 0 : target(0, registers.letter), source(first + 1, registers.letter),
                kind.equals("cas") ? source(first + 2, registers.letter) : 0, combination(kind, type));
    }

    private MemoryOperation.Atomic.Combination combination(String kind, String type) {
        int bits = 8 * RegisterClass.ofType(type).byteSize;
        return switch (kind + "." + (type.startsWith("b") && !type.startsWith("bf") ? "b" : type)) {
            case "exch.b" -> (_, b, _) -> b;
            case "cas.b" -> (a, b, c) -> a == b ? c : a;
            case "and.b" -> (a, b, _) -> a & b;
            case "or.b" -> (a, b, _) -> a | b;
            case "xor.b" -> (a, b, _) -> a ^ b;
            case "add.u32", "add.s32", "add.u64", "add.s64" -> (a, b, _) -> a + b;
            case "min.u32", "min.u64" -> (a, b, _) -> Long.compareUnsigned(a, b) <= 0 ? a : b;
            case "max.u32", "max.u64" -> (a, b, _) -> Long.compareUnsigned(a, b) >= 0 ? a : b;
            case "min.s32", "min.s64" -> (a, b, _) -> sign(a, bits) <= sign(b, bits) ? a : b;
            case "max.s32", "max.s64" -> (a, b, _) -> sign(a, bits) >= sign(b, bits) ? a : b;
            case "inc.u32" -> (a, b, _) -> Long.compareUnsigned(a, b) >= 0 ? 0 : a + 1;
            case "dec.u32" -> (a, b, _) -> a == 0 || Long.compareUnsigned(a, b) > 0 ? b : a - 1;
            case "add.f32" -> (a, b, _) -> Float.floatToRawIntBits(Float.intBitsToFloat((int) a) + Float.intBitsToFloat((int) b))
                    & 0xffffffffL;
            case "add.f64" -> (a, b, _) -> Double.doubleToRawLongBits(Double.longBitsToDouble(a) + Double.longBitsToDouble(b));
            default -> throw instruction.refuse("an atomic operation that is not supported");
        };
    }

    private static long sign(long value, int bits) {
        return value << 64 - bits >> 64 - bits;
    }

    private Operation move() {
        String type = parts().getLast();
        if (operand(0) instanceof Operand.Vector(List<Operand> list)) {
            if (!type.matches("b(16|32|64)")) {
                throw instruction.refuse("type ." + type + " is not supported");
            }
            int bits = 8 * bytes(type) / list.size();
            char kind = bits == 32 ? 'I' : 'H';
            if (bits != 32 && bits != 16) {
                throw instruction.refuse("elements of " + bits + " bits are not supported");
            }
            int[] targets = new int[list.size()];
            for (int i = 0; i < targets.length; i++) {
                targets[i] = element(list.get(i), kind, true);
            }
            return new WarpOperations.Unpack(instruction, targets, any(operand(1), type), bits);
        }
        if (operand(1) instanceof Operand.Vector(List<Operand> list)) {
            int bits = 8 * bytes(type) / list.size();
            if (bits != 32 && bits != 16) {
                throw instruction.refuse("elements of " + bits + " bits are not supported");
            }
            char kind = bits == 32 ? 'I' : 'H';
            int[] sources = new int[list.size()];
            for (int i = 0; i < sources.length; i++) {
                sources[i] = element(list.get(i), kind, false);
            }
            return new WarpOperations.Pack(instruction, anyTarget(operand(0)), sources, bits);
        }
        if (operand(0) instanceof Operand.Reg(Ptx.Register to) && operand(1) instanceof Operand.Reg(Ptx.Register from)
                && to.kind() != from.kind() && to.kind().byteSize == from.kind().byteSize && to.kind() != RegisterClass.PREDICATE) {
            return new WarpOperations.Reinterpret(instruction, number(to), number(from));
        }
        return arithmetic();
    }

    /// An element of a packed register: of its class, or of another of the same size.
    private int element(Operand operand, char kind, boolean isTarget) {
        if (operand instanceof Operand.Reg(Ptx.Register register)
                && register.kind().byteSize == RegisterClass.of(kind).byteSize) {
            return number(register);
        }
        return isTarget ? target(operand, kind) : source(operand, kind);
    }

    private int any(Operand operand, String type) {
        return operand instanceof Operand.Reg(Ptx.Register register) && register.kind().byteSize == bytes(type) ? number(register)
                : source(operand, RegisterClass.ofType(type).letter);
    }

    private int anyTarget(Operand operand) {
        return operand instanceof Operand.Reg(Ptx.Register register)
                && register.kind().byteSize == bytes(parts().getLast()) ? number(register)
                : target(operand, RegisterClass.ofType(parts().getLast()).letter);
    }

    private Operation convertAddress() {
        long window = window(space()) << MemoryOperation.WINDOW_SHIFT;
        char kind = parts().getLast().endsWith("64") ? 'L' : 'I';
        if (kind == 'I') {
            throw instruction.refuse("32-bit generic addresses are not supported");
        }
        return new WarpOperations.ConvertAddress(instruction, target(0, kind), source(1, kind),
                instruction.has("to") ? -window : window);
    }

    private long window(Space space) {
        return switch (space) {
            case GLOBAL -> 0;
            case SHARED, CLUSTER -> MemoryOperation.SHARED_WINDOW;
            case LOCAL -> MemoryOperation.LOCAL_WINDOW;
            case CONST -> MemoryOperation.CONST_WINDOW;
            case PARAM, GENERIC -> throw instruction.refuse("addresses of that space are not supported");
        };
    }

    private Operation compare() {
        WarpOperations.Compare.Combination combination = WarpOperations.Compare.Combination.NONE;
        StringBuilder opcode = new StringBuilder();
        for (String part : parts()) {
            switch (part) {
                case "and" -> combination = WarpOperations.Compare.Combination.AND;
                case "or" -> combination = WarpOperations.Compare.Combination.OR;
                case "xor" -> combination = WarpOperations.Compare.Combination.XOR;
                default -> opcode.append(opcode.isEmpty() ? "" : ".").append(part);
            }
        }
        boolean two = operand(0) instanceof Operand.Pair;
        if (combination == WarpOperations.Compare.Combination.NONE && !two) {
            return arithmetic();
        }
        Form form = find(opcode.toString());
        Predicate other = combination == WarpOperations.Compare.Combination.NONE ? new Predicate(0, false) : predicate(3);
        Operand first = operand(0) instanceof Operand.Pair(Operand a, _) ? a : operand(0);
        Operand second = operand(0) instanceof Operand.Pair(_, Operand b) ? b : new Operand.Sink();
        return new WarpOperations.Compare(instruction, form, combination, target(first, 'P'), target(second, 'P'),
                source(1, form.operands().charAt(1)), source(2, form.operands().charAt(2)), other.register(), other.negated());
    }

    private Operation shuffle() {
        List<String> parts = parts();
        if (parts.size() != 4 || !parts.get(1).equals("sync")) {
            throw instruction.refuse("only shfl.sync is supported");
        }
        Operand result = operand(0) instanceof Operand.Pair(Operand a, _) ? a : operand(0);
        Operand valid = operand(0) instanceof Operand.Pair(_, Operand b) ? b : new Operand.Sink();
        return new WarpOperations.Shuffle(instruction, constantOf(WarpOperations.Shuffle.Mode.class, parts.get(2)),
                target(result, 'I'), target(valid, 'P'), source(1, 'I'), source(2, 'I'), source(3, 'I'), source(4, 'I'));
    }

    private <E extends Enum<E>> E constantOf(Class<E> type, String name) {
        for (E each : type.getEnumConstants()) {
            if (each.name().equalsIgnoreCase(name)) {
                return each;
            }
        }
        throw instruction.refuse("'" + name + "' is not supported");
    }

    private Operation vote() {
        List<String> parts = parts();
        if (parts.size() != 4 || !parts.get(1).equals("sync")) {
            throw instruction.refuse("only vote.sync is supported");
        }
        WarpOperations.Vote.Kind kind = constantOf(WarpOperations.Vote.Kind.class, parts.get(2));
        Predicate predicate = predicate(1);
        return new WarpOperations.Vote(instruction, kind, target(0, kind == WarpOperations.Vote.Kind.BALLOT ? 'I' : 'P'),
                predicate.register(), predicate.negated(), source(2, 'I'));
    }

    private Operation match() {
        boolean all = instruction.has("all");
        Operand result = operand(0) instanceof Operand.Pair(Operand a, _) ? a : operand(0);
        Operand valid = operand(0) instanceof Operand.Pair(_, Operand b) ? b : new Operand.Sink();
        return new WarpOperations.Match(instruction, all, target(result, 'I'), target(valid, 'P'),
                source(1, instruction.has("b64") ? 'L' : 'I'), source(2, 'I'));
    }

    private Operation reduce() {
        List<String> parts = parts();
        String name = parts.get(2) + (parts.get(2).startsWith("m") ? "_" + parts.get(3) : "");
        return new WarpOperations.Reduce(instruction, constantOf(WarpOperations.Reduce.Kind.class, name), target(0, 'I'),
                source(1, 'I'), source(2, 'I'));
    }

    private Operation elect() {
        if (!(operand(0) instanceof Operand.Pair(Operand a, Operand b))) {
            throw instruction.refuse("elect.sync has two results");
        }
        return new WarpOperations.Elect(instruction, target(a, 'I'), target(b, 'P'), source(1, 'I'));
    }

    /// Of an address that is generic, or in the shared memory of a cluster: `u64` or `u32`.
    private char addressKind() {
        String type = parts().getLast();
        if (!type.matches("u32|u64") || parts().size() != (instruction.has("shared::cluster") ? 3 : 2)) {
            throw instruction.refuse("an address of a kind that is not supported");
        }
        return RegisterClass.ofType(type).letter;
    }

    private Operation warpBarrier() {
        if (instruction.is("barrier.cluster.arrive")) {
            return new ClusterBarrier.Arrive(instruction, instruction.has("aligned"), instruction.has("relaxed"));
        }
        if (instruction.is("bar.warp.sync")) {
            return new WarpOperations.WarpBarrier(instruction, source(0, 'I'));
        }
        throw instruction.refuse("a barrier that is not supported");
    }

    /// A `bar` or `barrier` instruction for the whole block or cluster.
    BasicBlock.Stop stop(Ptx.Instruction next) {
        instruction = next;
        before.clear();
        if (next.guard() != null) {
            throw next.refuse("a barrier with a guard is not supported: branch around it");
        }
        if (next.is("barrier.cluster.wait")) {
            return new ClusterBarrier.Wait(next);
        }
        List<String> parts = parts().stream().filter(part -> !part.equals("cta") && !part.equals("aligned")).toList();
        Barrier.Arrival arrival = switch (parts.get(1)) {
            case "sync" -> new Barrier.Arrival(next, Barrier.Arrival.Kind.SYNC, source(0, 'I'), count() > 1 ? source(1, 'I') : 0, 0, 0,
                    false);
            case "arrive" -> new Barrier.Arrival(next, Barrier.Arrival.Kind.ARRIVE, source(0, 'I'), source(1, 'I'), 0, 0, false);
            case "red" -> {
                Barrier.Arrival.Kind kind = constantOf(Barrier.Arrival.Kind.class, parts.get(2));
                Predicate vote = predicate(count() - 1);
                yield new Barrier.Arrival(next, kind, source(1, 'I'), count() > 3 ? source(2, 'I') : 0,
                        target(0, kind == Barrier.Arrival.Kind.POPC ? 'I' : 'P'), vote.register(), vote.negated());
            }
            default -> throw next.refuse("a barrier that is not supported");
        };
        if (!before.isEmpty()) {
            throw next.refuse("operands of another class than the barrier's");
        }
        return arrival;
    }

    private Operation memoryBarrier() {
        List<String> parts = parts();
        Space space = space();
        noteShared(space, Long.BYTES);
        return switch (parts.get(1)) {
            case "init" -> new AsyncOperations.InitBarrier(instruction, address(0, space), source(1, 'I'));
            case "inval" -> new AsyncOperations.InitBarrier(instruction, address(0, space), 0);
            case "arrive" -> {
                int last = count() > 2 ? source(2, 'I') : 0;
                boolean announces = instruction.has("expect_tx");
                yield new AsyncOperations.ArriveAtBarrier(instruction, address(1, space), target(0, 'L'), announces ? 0 : last,
                        announces ? last : 0, false);
            }
            case "expect_tx" -> new AsyncOperations.ExpectBytes(instruction, address(0, space), source(1, 'I'));
            case "test_wait", "try_wait" -> {
                boolean parity = instruction.has("parity");
                yield new AsyncOperations.TestBarrier(instruction, address(1, space), target(0, 'P'), source(2, parity ? 'I' : 'L'),
                        parity);
            }
            default -> throw instruction.refuse("a barrier operation that is not supported");
        };
    }

    private Operation asyncCopy() {
        if (instruction.is("cp.async.commit_group")) {
            return new AsyncOperations.Commit(instruction);
        }
        if (instruction.is("cp.async.wait_all")) {
            return new AsyncOperations.Await(instruction, 0, true);
        }
        if (instruction.is("cp.async.wait_group") && operand(0) instanceof Operand.Whole(long groups)) {
            return new AsyncOperations.Await(instruction, (int) groups, false);
        }
        if (instruction.is("cp.async.mbarrier.arrive")) {
            return new AsyncOperations.ArriveAtBarrier(instruction, address(0, space()), 0, instruction.has("noinc") ? 0 : -1, 0,
                    true);
        }
        if (instruction.is("cp.async.bulk.shared::cluster.global") || instruction.is("cp.async.bulk.shared::cta.global")) {
            return bulkCopy();
        }
        if (!instruction.is("cp.async.ca") && !instruction.is("cp.async.cg")) {
            throw instruction.refuse("of bulk copies only those from global to shared memory are supported, and no tensors");
        }
        checkParts(Set.of("async"));
        if (!(operand(2) instanceof Operand.Whole(long bytes)) || bytes != 4 && bytes != 8 && bytes != 16) {
            throw instruction.refuse("a copy of other than 4, 8 or 16 bytes");
        }
        int last = count() - (instruction.has("L2::cache_hint") ? 2 : 1);
        int sourceBytes = 0;
        int ignore = 0;
        if (last == 3) {
            if (operand(3) instanceof Operand.Reg(Ptx.Register register) && register.kind() == RegisterClass.PREDICATE) {
                ignore = number(register);
            } else {
                sourceBytes = source(3, 'I');
            }
        }
        return new AsyncOperations.Copy(instruction, address(1, Space.GLOBAL), address(0, Space.SHARED), (int) bytes, sourceBytes,
                ignore);
    }

    private Operation bulkCopy() {
        checkParts(Set.of("async", "bulk", "mbarrier::complete_tx::bytes", "multicast::cluster"));
        if (!instruction.has("mbarrier::complete_tx::bytes")) {
            throw instruction.refuse("a bulk copy that no barrier counts");
        }
        Space space = instruction.has("shared::cta") ? Space.SHARED : Space.CLUSTER;
        return new AsyncOperations.BulkCopy(instruction, address(1, Space.GLOBAL), address(0, space), source(2, 'I'),
                address(3, space), instruction.has("multicast::cluster") ? source(4, 'H') : 0);
    }

    private Operation moveMatrix() {
        List<String> parts = parts();
        boolean load = parts.getFirst().equals("ldmatrix");
        checkParts(Set.of("aligned", "m8n8", "x1", "x2", "x4", "trans", "b16"));
        boolean transposed = instruction.has("trans");
        int matrices = instruction.has("x4") ? 4 : instruction.has("x2") ? 2 : 1;
        int[] registers = load ? targets(operand(0), 'I') : sources(operand(1), 'I');
        if (registers.length != matrices) {
            throw instruction.refuse("found " + registers.length + " registers, expected " + matrices);
        }
        noteShared(Space.SHARED, 4);
        return load ? new MatrixOperations.LoadMatrix(instruction, address(1, space()), registers, transposed)
                : new MatrixOperations.StoreMatrix(instruction, address(0, space()), registers, transposed);
    }

    private Operation multiply() {
        MatrixMultiply product = MatrixMultiply.find(instruction.opcode());
        if (product == null) {
            throw instruction.refuse("a matrix product of a shape or type that is not supported");
        }
        int metadata = 0;
        int selector = 0;
        if (product.isSparse()) {
            metadata = source(4, 'I');
            selector = operand(5) instanceof Operand.Whole(long value) ? (int) value : 0;
        }
        int[] d = targets(operand(0), product.resultKind());
        int[] a = sources(operand(1), product.leftKind());
        int[] b = sources(operand(2), product.rightKind());
        int[] c = sources(operand(3), product.resultKind());
        if (d.length != product.resultRegisters() || a.length != product.leftRegisters() || b.length != product.rightRegisters()
                || c.length != d.length) {
            throw instruction.refuse("found %d, %d, %d and %d registers, expected %d, %d, %d and %d".formatted(d.length, a.length,
                    b.length, c.length, product.resultRegisters(), product.leftRegisters(), product.rightRegisters(),
                    product.resultRegisters()));
        }
        return new MatrixOperations.Multiply(instruction, product, d, a, b, c, metadata, selector);
    }

    private Operation warpgroup() {
        if (instruction.is("wgmma.fence")) {
            return new WarpgroupOperations.Fence(instruction);
        }
        if (instruction.is("wgmma.commit_group")) {
            return new WarpgroupOperations.Commit(instruction);
        }
        if (instruction.is("wgmma.wait_group") && operand(0) instanceof Operand.Whole(long groups)) {
            return new WarpgroupOperations.Await(instruction, (int) groups);
        }
        WarpgroupMultiply product = WarpgroupMultiply.find(instruction.opcode());
        if (product == null) {
            throw instruction.refuse("a product of four warps of a shape or type that is not supported");
        }
        int[] d = targets(operand(0), 'F');
        boolean inRegisters = operand(1) instanceof Operand.Vector;
        int[] a = inRegisters ? sources(operand(1), 'I') : new int[0];
        if (d.length != product.resultRegisters() || inRegisters && a.length != WarpgroupMultiply.leftRegisters()) {
            throw instruction.refuse("found %d and %d registers, expected %d and %d".formatted(d.length, a.length,
                    product.resultRegisters(), WarpgroupMultiply.leftRegisters()));
        }
        int left = inRegisters ? 0 : source(1, 'L');
        int right = source(2, 'L');
        Predicate accumulates = predicate(3);
        if (!before.isEmpty() || !after.isEmpty() || !Arrays.stream(d).allMatch(this::isOwn)) {
            throw instruction.refuse("registers of another class than the product's");
        }
        boolean negates = sign(4) != sign(5);
        return new WarpgroupOperations.Multiply(instruction, product, d, a, left, right, accumulates.register(), accumulates.negated(),
                negates, !inRegisters && bit(6), bit(inRegisters ? 6 : 7));
    }

    /// Whether an operand is -1, not 1.
    private boolean sign(int index) {
        if (operand(index) instanceof Operand.Whole(long value) && (value == 1 || value == -1)) {
            return value < 0;
        }
        throw instruction.refuse("an operand is neither 1 nor -1");
    }

    private boolean bit(int index) {
        if (operand(index) instanceof Operand.Whole(long value) && (value == 0 || value == 1)) {
            return value != 0;
        }
        throw instruction.refuse("an operand is neither 0 nor 1");
    }

    private Operation registers() {
        boolean more = instruction.has("inc");
        if (more == instruction.has("dec") || !(operand(0) instanceof Operand.Whole(long count))
                || count < 24 || count > 256 || count % 8 != 0) {
            throw instruction.refuse("expected .inc or .dec and a multiple of 8 from 24 to 256");
        }
        return new WarpgroupOperations.SetRegisters(instruction, (int) count, more);
    }

    private Form find(String opcode) {
        Form form = Arithmetic.find(opcode);
        if (form == null) {
            throw instruction.refuse("instruction " + opcode + " is not supported");
        }
        return form;
    }

    private Operation arithmetic() {
        return form(instruction.opcode(), instruction.operands());
    }

    private Operation form(String opcode, List<Operand> operands) {
        Form form = find(opcode);
        String kinds = form.operands();
        if (operands.size() != kinds.length()) {
            throw instruction.refuse("found " + operands.size() + " operands, expected " + kinds.length());
        }
        int[] sources = new int[kinds.length() - 1];
        for (int i = 0; i < sources.length; i++) {
            sources[i] = source(operands.get(i + 1), kinds.charAt(i + 1));
        }
        Operand result = operands.getFirst() instanceof Operand.Pair(Operand a, Operand.Sink _) ? a : operands.getFirst();
        return new Operation.Arithmetic(instruction, form, target(result, kinds.charAt(0)), sources);
    }
}
