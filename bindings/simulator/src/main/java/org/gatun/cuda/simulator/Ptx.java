package org.gatun.cuda.simulator;

import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/// PTX as it is written: what [PtxParser] reads and [KernelCompiler] makes operations of.
///
/// @param version times ten: 74 for 7.4
/// @param target compute capability times ten
/// @param targetOnly whether no later device runs it: `sm_90a`
/// @param files names by number, for source lines
record Ptx(int version, int target, boolean targetOnly, List<Variable> variables, List<Entry> entries, Map<Integer, String> files) {
    /// Where a variable lies.
    enum Space {
        GLOBAL,
        /// The own block's.
        SHARED,
        /// That of any block of the cluster.
        CLUSTER,
        LOCAL, CONST, PARAM, GENERIC
    }

    /// What a register holds: one letter a class, as [Form] has them.
    enum RegisterClass {
        PREDICATE('P', 1), SHORT('H', 2), INT('I', 4), FLOAT('F', 4), LONG('L', 8), DOUBLE('D', 8);

        final char letter;
        final int byteSize;

        RegisterClass(char letter, int byteSize) {
            this.letter = letter;
            this.byteSize = byteSize;
        }

        static RegisterClass of(char letter) {
            for (RegisterClass each : values()) {
                if (each.letter == letter) {
                    return each;
                }
            }
            throw new AssertionError(letter);
        }

        /// Of a type such as `f32` or `b64`; null if registers cannot have it.
        static RegisterClass ofType(String type) {
            return switch (type) {
                case "pred" -> PREDICATE;
                case "b8", "u8", "s8", "b16", "u16", "s16", "f16", "bf16" -> SHORT;
                case "b32", "u32", "s32", "f16x2", "bf16x2" -> INT;
                case "f32" -> FLOAT;
                case "b64", "u64", "s64" -> LONG;
                case "f64" -> DOUBLE;
                default -> null;
            };
        }
    }

    /// @param id its number in the kernel
    record Register(int id, String name, RegisterClass kind) {}

    /// @param byteSize 0 for an array whose size the launch gives
    /// @param initial its first bytes, empty if it has none
    record Variable(Space space, String name, int byteAlignment, int byteSize, byte[] initial) {}

    /// @param maxThreads of a block, 0 if not said
    /// @param registers how many there are
    /// @param cluster blocks of a cluster, null if not said
    record Entry(String name, List<Variable> parameters, List<Variable> variables, int registers, List<Statement> statements,
            int maxThreads, ClusterShape cluster, int line) {}

    sealed interface Statement {}

    record Label(String name) implements Statement {}

    /// @param guard null for none
    /// @param source such as `norm.cu:12`, empty if not said
    record Instruction(String opcode, Register guard, boolean guardNegated, List<Operand> operands, int line, String source,
            String text) implements Statement {
        /// Whether the opcode is this, or this with modifiers.
        boolean is(String opcode) {
            return this.opcode.startsWith(opcode)
                    && (this.opcode.length() == opcode.length() || this.opcode.charAt(opcode.length()) == '.');
        }

        boolean has(String modifier) {
            return (opcode + '.').contains('.' + modifier + '.');
        }

        PtxException refuse(String why) {
            return new PtxException(line, why + ": " + text);
        }
    }

    sealed interface Operand {
        /// The registers that it names, in their order.
        default void forEachRegister(Consumer<Register> action) {
            switch (this) {
                case Reg(Register register) -> action.accept(register);
                case Not(Register register) -> action.accept(register);
                case Memory(Operand base, _) -> base.forEachRegister(action);
                case Vector(List<Operand> elements) -> elements.forEach(each -> each.forEachRegister(action));
                case Pair(Operand first, Operand second) -> {
                    first.forEachRegister(action);
                    second.forEachRegister(action);
                }
                case Whole _, Real _, Special _, Symbol _, Sink _ -> { }
            }
        }

        record Reg(Register register) implements Operand {}

        /// A predicate's opposite.
        record Not(Register register) implements Operand {}

        record Whole(long value) implements Operand {}

        /// @param isDouble or else a float
        record Real(double value, boolean isDouble) implements Operand {}

        /// A special register, such as `%tid.x`.
        record Special(String name) implements Operand {}

        /// A variable's address or a label.
        record Symbol(String name, long offset) implements Operand {}

        /// @param base a register, symbol or number
        record Memory(Operand base, long offset) implements Operand {}

        record Vector(List<Operand> elements) implements Operand {}

        /// Two results: `%r1|%p1`.
        record Pair(Operand first, Operand second) implements Operand {}

        /// A result nobody wants.
        record Sink() implements Operand {}
    }
}
