package org.gatun.cuda.simulator;

import java.util.Arrays;

/// Instructions by which the threads of a warp look at each other, and those that only move bits between registers.
final class WarpOperations {
    private WarpOperations() {}

    /// An instruction that a set of threads takes together: all of the set must be there, and none that is not in it.
    abstract static class ConvergentOperation extends Operation {
        /// Register of the set.
        private final int members;

        ConvergentOperation(Ptx.Instruction instruction, int members) {
            super(instruction);
            this.members = members;
        }

        private static boolean areAll(int[] sets) {
            int common = Warp.ALL;
            for (int set : sets) {
                common &= set;
            }
            return common == Warp.ALL;
        }

        @Override
        final void execute(Warp warp, int mask) {
            int[] sets = (int[]) warp.registers[members];
            if (mask == Warp.ALL && areAll(sets)) {
                run(warp, mask, sets);
                return;
            }
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                int set = sets[lane];
                if ((set >>> lane & 1) == 0) {
                    throw fault(warp, KernelFault.Kind.MISSING_WARP_MEMBER, lane, 0,
                            "the thread is not in the member mask %s".formatted(Warp.hex(set)));
                }
                if ((set & warp.live & ~mask) != 0) {
                    throw fault(warp, KernelFault.Kind.MISSING_WARP_MEMBER, Integer.numberOfTrailingZeros(set & warp.live & ~mask),
                            0, "threads %s of the member mask %s do not come".formatted(Warp.hex(set & warp.live & ~mask),
                                    Warp.hex(set)));
                }
            }
            run(warp, mask, sets);
        }

        /// @param sets the member mask of each thread; threads may form several sets
        abstract void run(Warp warp, int mask, int[] sets);
    }

    static final class Shuffle extends ConvergentOperation {
        enum Mode { UP, DOWN, BFLY, IDX }

        private final Mode mode;
        private final int target;
        private final int predicate;
        private final int source;
        private final int distance;
        private final int clamp;

        Shuffle(Ptx.Instruction instruction, Mode mode, int target, int predicate, int source, int distance, int clamp,
                int members) {
            super(instruction, members);
            this.mode = mode;
            this.target = target;
            this.predicate = predicate;
            this.source = source;
            this.distance = distance;
            this.clamp = clamp;
        }

        @Override
        void run(Warp warp, int mask, int[] sets) {
            int[] from = (int[]) warp.registers[source];
            int[] distances = (int[]) warp.registers[distance];
            int[] clamps = (int[]) warp.registers[clamp];
            int[] result = warp.gathered;
            int inRange = 0;
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                int b = distances[lane] & 31;
                int c = clamps[lane] & 31;
                int segment = clamps[lane] >>> 8 & 31;
                int last = lane & segment | c & ~segment;
                int first = lane & segment;
                int wanted = switch (mode) {
                    case UP -> lane - b;
                    case DOWN -> lane + b;
                    case BFLY -> lane ^ b;
                    case IDX -> first | b & ~segment;
                };
                boolean valid = mode == Mode.UP ? wanted >= last : wanted <= last;
                int other = valid ? wanted : lane;
                if ((mask >>> other & 1) == 0) {
                    throw fault(warp, KernelFault.Kind.MISSING_WARP_MEMBER, lane, 0,
                            "takes the value of lane %d, which does not take part".formatted(other));
                }
                inRange |= valid ? 1 << lane : 0;
                result[lane] = from[other];
            }
            if (target != 0) {
                if (mask == Warp.ALL) {
                    System.arraycopy(result, 0, warp.registers[target], 0, Warp.SIZE);
                } else {
                    Registers.merge(warp.registers[target], result, mask);
                }
            }
            if (predicate != 0) {
                int[] to = (int[]) warp.registers[predicate];
                to[0] = to[0] & ~mask | inRange;
            }
        }
    }

    static final class Vote extends ConvergentOperation {
        enum Kind { ALL, ANY, UNI, BALLOT }

        private final Kind kind;
        private final int target;
        private final int predicate;
        private final int flip;

        Vote(Ptx.Instruction instruction, Kind kind, int target, int predicate, boolean negated, int members) {
            super(instruction, members);
            this.kind = kind;
            this.target = target;
            this.predicate = predicate;
            flip = negated ? -1 : 0;
        }

        @Override
        void run(Warp warp, int mask, int[] sets) {
            int holds = mask & (warp.predicate(predicate) ^ flip);
            if (kind == Kind.BALLOT) {
                int[] to = (int[]) warp.registers[target];
                for (int m = mask; m != 0; m &= m - 1) {
                    int lane = Integer.numberOfTrailingZeros(m);
                    to[lane] = holds & sets[lane];
                }
                return;
            }
            int result = 0;
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                int members = sets[lane] & mask;
                boolean value = switch (kind) {
                    case ALL -> (holds & members) == members;
                    case ANY -> (holds & members) != 0;
                    case UNI -> (holds & members) == members || (holds & members) == 0;
                    case BALLOT -> throw new AssertionError(kind);
                };
                result |= value ? 1 << lane : 0;
            }
            int[] to = (int[]) warp.registers[target];
            to[0] = to[0] & ~mask | result;
        }
    }

    /// `match.sync`: which threads hold the same value.
    static final class Match extends ConvergentOperation {
        private final boolean all;
        private final int target;
        private final int predicate;
        private final int source;

        Match(Ptx.Instruction instruction, boolean all, int target, int predicate, int source, int members) {
            super(instruction, members);
            this.all = all;
            this.target = target;
            this.predicate = predicate;
            this.source = source;
        }

        @Override
        void run(Warp warp, int mask, int[] sets) {
            Object values = warp.registers[source];
            int[] result = warp.gathered;
            int agree = 0;
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                int members = sets[lane] & mask;
                int same = 0;
                for (int k = members; k != 0; k &= k - 1) {
                    int other = Integer.numberOfTrailingZeros(k);
                    same |= Registers.bits(values, other) == Registers.bits(values, lane) ? 1 << other : 0;
                }
                boolean whole = same == members;
                result[lane] = all && !whole ? 0 : same;
                agree |= whole ? 1 << lane : 0;
            }
            Registers.merge(warp.registers[target], result, mask);
            if (predicate != 0) {
                int[] to = (int[]) warp.registers[predicate];
                to[0] = to[0] & ~mask | agree;
            }
        }
    }

    /// `redux.sync`: a reduction over threads.
    static final class Reduce extends ConvergentOperation {
        enum Kind { ADD, MIN_S32, MAX_S32, MIN_U32, MAX_U32, AND, OR, XOR }

        private final Kind kind;
        private final int target;
        private final int source;

        Reduce(Ptx.Instruction instruction, Kind kind, int target, int source, int members) {
            super(instruction, members);
            this.kind = kind;
            this.target = target;
            this.source = source;
        }

        @Override
        void run(Warp warp, int mask, int[] sets) {
            int[] values = (int[]) warp.registers[source];
            int[] result = warp.gathered;
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                int members = sets[lane] & mask;
                int sum = values[Integer.numberOfTrailingZeros(members)];
                for (int k = members & members - 1; k != 0; k &= k - 1) {
                    int other = values[Integer.numberOfTrailingZeros(k)];
                    sum = switch (kind) {
                        case ADD -> sum + other;
                        case MIN_S32 -> Math.min(sum, other);
                        case MAX_S32 -> Math.max(sum, other);
                        case MIN_U32 -> Integer.compareUnsigned(sum, other) <= 0 ? sum : other;
                        case MAX_U32 -> Integer.compareUnsigned(sum, other) >= 0 ? sum : other;
                        case AND -> sum & other;
                        case OR -> sum | other;
                        case XOR -> sum ^ other;
                    };
                }
                result[lane] = sum;
            }
            Registers.merge(warp.registers[target], result, mask);
        }
    }

    /// `elect.sync`: the lowest thread of the set is chosen.
    static final class Elect extends ConvergentOperation {
        private final int target;
        private final int predicate;

        Elect(Ptx.Instruction instruction, int target, int predicate, int members) {
            super(instruction, members);
            this.target = target;
            this.predicate = predicate;
        }

        @Override
        void run(Warp warp, int mask, int[] sets) {
            int[] result = warp.gathered;
            int chosen = 0;
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                result[lane] = Integer.numberOfTrailingZeros(sets[lane] & mask);
                chosen |= result[lane] == lane ? 1 << lane : 0;
            }
            if (target != 0) {
                Registers.merge(warp.registers[target], result, mask);
            }
            int[] to = (int[]) warp.registers[predicate];
            to[0] = to[0] & ~mask | chosen;
        }
    }

    /// `bar.warp.sync`: what the threads did before, each of them sees after.
    static final class WarpBarrier extends ConvergentOperation {
        WarpBarrier(Ptx.Instruction instruction, int members) {
            super(instruction, members);
        }

        @Override
        void run(Warp warp, int mask, int[] sets) {
            warp.block.cluster.tick(instruction, warp);
            warp.block.cluster.clocks.meet(warp.number);
        }
    }

    /// `activemask`.
    static final class ActiveMask extends Operation {
        private final int target;

        ActiveMask(Ptx.Instruction instruction, int target) {
            super(instruction);
            this.target = target;
        }

        @Override
        void execute(Warp warp, int mask) {
            Arrays.fill(warp.gathered, mask);
            Registers.merge(warp.registers[target], warp.gathered, mask);
        }
    }

    /// The same bits in a register of another class.
    static final class Reinterpret extends Operation {
        private final int target;
        private final int source;

        Reinterpret(Ptx.Instruction instruction, int target, int source) {
            super(instruction);
            this.target = target;
            this.source = source;
        }

        @Override
        void execute(Warp warp, int mask) {
            Object to = warp.registers[target];
            Object from = warp.registers[source];
            if (mask != Warp.ALL) {
                for (int m = mask; m != 0; m &= m - 1) {
                    int lane = Integer.numberOfTrailingZeros(m);
                    Registers.setBits(to, lane, Registers.bits(from, lane));
                }
            } else if (to instanceof float[] floats && from instanceof int[] ints) {
                for (int lane = 0; lane < Warp.SIZE; lane++) {
                    floats[lane] = Float.intBitsToFloat(ints[lane]);
                }
            } else if (to instanceof int[] ints && from instanceof float[] floats) {
                for (int lane = 0; lane < Warp.SIZE; lane++) {
                    ints[lane] = Float.floatToRawIntBits(floats[lane]);
                }
            } else {
                for (int lane = 0; lane < Warp.SIZE; lane++) {
                    Registers.setBits(to, lane, Registers.bits(from, lane));
                }
            }
        }
    }

    /// `mov` of several registers into a wider one.
    static final class Pack extends Operation {
        private final int target;
        private final int[] sources;
        private final int bits;

        /// @param bits of a source
        Pack(Ptx.Instruction instruction, int target, int[] sources, int bits) {
            super(instruction);
            this.target = target;
            this.sources = sources;
            this.bits = bits;
        }

        @Override
        void execute(Warp warp, int mask) {
            Object[] r = warp.registers;
            if (mask == Warp.ALL && sources.length == 2 && bits == 16 && r[target] instanceof int[] to
                    && r[sources[0]] instanceof int[] low && r[sources[1]] instanceof int[] high) {
                for (int lane = 0; lane < Warp.SIZE; lane++) {
                    to[lane] = low[lane] & 0xffff | high[lane] << 16;
                }
                return;
            }
            if (sources.length == 2 && bits == 32 && r[target] instanceof long[] to && r[sources[0]] instanceof int[] low
                    && r[sources[1]] instanceof int[] high) {
                for (int m = mask; m != 0; m &= m - 1) {
                    int lane = Integer.numberOfTrailingZeros(m);
                    to[lane] = low[lane] & 0xffffffffL | (long) high[lane] << 32;
                }
                return;
            }
            long ones = (1L << bits) - 1;
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                long value = 0;
                for (int i = 0; i < sources.length; i++) {
                    value |= (Registers.bits(r[sources[i]], lane) & ones) << i * bits;
                }
                Registers.setBits(r[target], lane, value);
            }
        }
    }

    /// `mov` of a register into several narrower ones.
    static final class Unpack extends Operation {
        private final int[] targets;
        private final int source;
        private final int bits;

        /// @param targets 0 where nobody wants it
        /// @param bits of a target
        Unpack(Ptx.Instruction instruction, int[] targets, int source, int bits) {
            super(instruction);
            this.targets = targets;
            this.source = source;
            this.bits = bits;
        }

        @Override
        void execute(Warp warp, int mask) {
            Object[] r = warp.registers;
            if (mask == Warp.ALL && targets.length == 2 && bits == 16 && r[source] instanceof int[] from) {
                for (int lane = 0; lane < Warp.SIZE; lane++) {
                    warp.gathered[lane] = from[lane];
                }
                for (int i = 0; i < 2; i++) {
                    if (r[targets[i]] instanceof int[] to) {
                        int shift = 16 * i;
                        for (int lane = 0; lane < Warp.SIZE; lane++) {
                            to[lane] = warp.gathered[lane] >>> shift & 0xffff;
                        }
                    }
                }
                return;
            }
            if (targets.length == 2 && bits == 32 && r[source] instanceof long[] from && !(r[targets[0]] instanceof float[])
                    && !(r[targets[1]] instanceof float[])) {
                for (int i = 0; i < 2; i++) {
                    if (r[targets[i]] instanceof int[] to) {
                        int shift = 32 * i;
                        for (int m = mask; m != 0; m &= m - 1) {
                            int lane = Integer.numberOfTrailingZeros(m);
                            to[lane] = (int) (from[lane] >>> shift);
                        }
                    }
                }
                return;
            }
            long ones = (1L << bits) - 1;
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                long value = Registers.bits(r[source], lane);
                for (int i = 0; i < targets.length; i++) {
                    if (targets[i] != 0) {
                        Registers.setBits(r[targets[i]], lane, value >>> i * bits & ones);
                    }
                }
            }
        }
    }

    /// `cvta`: between an address in a space and a generic one.
    static final class ConvertAddress extends Operation {
        private final int target;
        private final int source;
        private final long added;

        /// @param added the window's beginning, negative for the way back
        ConvertAddress(Ptx.Instruction instruction, int target, int source, long added) {
            super(instruction);
            this.target = target;
            this.source = source;
            this.added = added;
        }

        @Override
        void execute(Warp warp, int mask) {
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                Registers.setBits(warp.registers[target], lane, Registers.bits(warp.registers[source], lane) + added);
            }
        }
    }

    /// `isspacep`: whether a generic address lies in a space.
    static final class IsSpace extends Operation {
        private final int target;
        private final int source;
        private final long window;
        private final boolean own;

        /// @param own whether only the block's own part of the space counts
        IsSpace(Ptx.Instruction instruction, int target, int source, long window, boolean own) {
            super(instruction);
            this.own = own;
            this.target = target;
            this.source = source;
            this.window = window;
        }

        @Override
        void execute(Warp warp, int mask) {
            int result = 0;
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                long address = Registers.bits(warp.registers[source], lane);
                boolean isThere = address >>> MemoryOperation.WINDOW_SHIFT == window
                        && !(own && MemoryOperation.rankBits(address) != 0);
                result |= isThere ? 1 << lane : 0;
            }
            int[] to = (int[]) warp.registers[target];
            to[0] = to[0] & ~mask | result;
        }
    }

    /// `setp` with a second result, or combined with another predicate.
    static final class Compare extends Operation {
        enum Combination { NONE, AND, OR, XOR }

        private final Form form;
        private final Combination combination;
        private final int target;
        private final int opposite;
        private final int a;
        private final int b;
        private final int other;
        private final int flip;

        /// @param target 0 if nobody wants it, as `opposite`
        Compare(Ptx.Instruction instruction, Form form, Combination combination, int target, int opposite, int a, int b,
                int other, boolean negated) {
            super(instruction);
            this.form = form;
            this.combination = combination;
            this.target = target;
            this.opposite = opposite;
            this.a = a;
            this.b = b;
            this.other = other;
            flip = negated ? -1 : 0;
        }

        @Override
        void execute(Warp warp, int mask) {
            Object[] r = warp.registers;
            int[] result = (int[]) warp.scratch('P');
            form.lanes().apply(result, r[a], r[b], null, null);
            int holds = result[0];
            int with = other == 0 ? 0 : warp.predicate(other) ^ flip;
            set(r[target], combine(holds, with), mask);
            set(r[opposite], combine(~holds, with), mask);
        }

        private int combine(int holds, int with) {
            return switch (combination) {
                case NONE -> holds;
                case AND -> holds & with;
                case OR -> holds | with;
                case XOR -> holds ^ with;
            };
        }

        private static void set(Object register, int value, int mask) {
            if (register instanceof int[] to) {
                to[0] = to[0] & ~mask | value & mask;
            }
        }
    }

    /// An instruction that is about time, caches or order only.
    static final class Nothing extends Operation {
        Nothing(Ptx.Instruction instruction) {
            super(instruction);
        }

        @Override
        void execute(Warp warp, int mask) {}
    }

    /// `trap`.
    static final class Trap extends Operation {
        Trap(Ptx.Instruction instruction) {
            super(instruction);
        }

        @Override
        void execute(Warp warp, int mask) {
            throw fault(warp, KernelFault.Kind.TRAP, Integer.numberOfTrailingZeros(mask), 0, "the kernel gave up");
        }
    }
}
