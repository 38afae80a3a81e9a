package org.gatun.cuda.simulator;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.Arrays;

/// An instruction that reads or writes memory: finds the space, checks every thread's access, counts it, then moves the bytes.
abstract class MemoryOperation extends Operation {
    /// Generic addresses hold their space in the upper four bits; 0 is global memory.
    static final int WINDOW_SHIFT = 60;
    static final long SHARED_WINDOW = 1;
    static final long LOCAL_WINDOW = 2;
    static final long CONST_WINDOW = 3;
    /// Addresses in the shared memory of a cluster have in these bits 1 more than the block's number in it, or 0 for the own block, whose
    /// addresses are the same there.
    static final int RANK_SHIFT = 24;

    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
    static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;

    /// Where an instruction looks.
    ///
    /// @param space as the instruction says
    /// @param register number of the register with the address, 0 for none
    /// @param offset added to it
    record Address(Ptx.Space space, int register, long offset) {}

    /// What an access moves.
    ///
    /// @param elementBytes of one register
    /// @param count registers a thread
    record Extent(int elementBytes, int count) {
        int byteSize() {
            return elementBytes * count;
        }
    }

    private final Address address;
    final Extent extent;
    /// The piece of memory that was met last, by any warp of any driver: most likely the next one too.
    private Allocation last;

    MemoryOperation(Ptx.Instruction instruction, Address address, Extent extent) {
        super(instruction);
        this.address = address;
        this.extent = extent;
    }

    final Address address() {
        return address;
    }

    @Override
    void execute(Warp warp, int mask) {
        Ptx.Space space = address.space();
        evaluate(warp, address);
        if (space != Ptx.Space.GENERIC) {
            checkAlignment(warp, mask, extent.byteSize());
            access(warp, mask, space);
            return;
        }
        long[] addresses = warp.addresses;
        checkAlignment(warp, mask, extent.byteSize());
        int rest = mask;
        while (rest != 0) {
            long window = addresses[Integer.numberOfTrailingZeros(rest)] >>> WINDOW_SHIFT;
            int same = 0;
            for (int m = rest; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                if (addresses[lane] >>> WINDOW_SHIFT == window) {
                    same |= 1 << lane;
                    addresses[lane] &= (1L << WINDOW_SHIFT) - 1;
                }
            }
            access(warp, same, space(warp, window, same));
            rest &= ~same;
        }
    }

    private Ptx.Space space(Warp warp, long window, int mask) {
        return switch ((int) window) {
            case 0 -> Ptx.Space.GLOBAL;
            case (int) SHARED_WINDOW -> isOwn(warp, mask) ? Ptx.Space.SHARED : Ptx.Space.CLUSTER;
            case (int) LOCAL_WINDOW -> Ptx.Space.LOCAL;
            case (int) CONST_WINDOW -> Ptx.Space.CONST;
            default -> {
                int lane = Integer.numberOfTrailingZeros(mask);
                throw fault(warp, KernelFault.Kind.OUT_OF_BOUNDS, lane, window << WINDOW_SHIFT | warp.addresses[lane],
                        "an address that points nowhere");
            }
        };
    }

    /// What an address in the shared memory of a cluster has of a block: 1 more than its number, 0 for the own one.
    static long rankBits(long address) {
        return (address & (1L << WINDOW_SHIFT) - 1) >>> RANK_SHIFT;
    }

    private static boolean isOwn(Warp warp, int mask) {
        for (int m = mask; m != 0; m &= m - 1) {
            if (rankBits(warp.addresses[Integer.numberOfTrailingZeros(m)]) != 0) {
                return false;
            }
        }
        return true;
    }

    /// The block whose shared memory a thread's access is to, which knows of it then; the address is from then on the one in that block.
    final BlockRun reach(Warp warp, int lane, Ptx.Space space) {
        BlockRun block = block(warp, lane, space);
        if (block != warp.block) {
            block.shared.visit(warp.number);
        }
        return block;
    }

    /// The block whose shared memory a thread's address is in; it is from then on the one in that block.
    final BlockRun block(Warp warp, int lane, Ptx.Space space) {
        long at = warp.addresses[lane];
        if (space == Ptx.Space.SHARED || at >>> RANK_SHIFT == 0) {
            return warp.block;
        }
        int rank = (int) Math.min((at >>> RANK_SHIFT) - 1, Integer.MAX_VALUE);
        warp.addresses[lane] = at & (1 << RANK_SHIFT) - 1;
        return block(warp, lane, rank);
    }

    /// A block of the cluster that a thread reaches.
    final BlockRun block(Warp warp, int lane, int rank) {
        ClusterRun cluster = warp.block.cluster;
        if (rank >= cluster.size()) {
            throw fault(warp, KernelFault.Kind.OUT_OF_BOUNDS, lane, warp.addresses[lane],
                    "block %d of a cluster of %d".formatted(rank, cluster.size()));
        }
        BlockRun block = cluster.block(rank);
        if (!block.isLive()) {
            throw fault(warp, KernelFault.Kind.BLOCK_ENDED, lane, warp.addresses[lane],
                    "reaches shared memory of block %s, which has ended".formatted(block.coordinates()));
        }
        return block;
    }

    /// Writes the addresses of all lanes to [Warp#addresses].
    static void evaluate(Warp warp, Address address) {
        long[] addresses = warp.addresses;
        long offset = address.offset();
        switch (warp.registers[address.register()]) {
            case long[] base -> {
                for (int lane = 0; lane < Warp.SIZE; lane++) {
                    addresses[lane] = base[lane] + offset;
                }
            }
            case int[] base -> {
                for (int lane = 0; lane < Warp.SIZE; lane++) {
                    addresses[lane] = (base[lane] & 0xffffffffL) + offset;
                }
            }
            case null -> Arrays.fill(addresses, offset);
            default -> throw new AssertionError(address);
        }
    }

    final void checkAlignment(Warp warp, int mask, int bytes) {
        if (mask == Warp.ALL) {
            long all = 0;
            for (long each : warp.addresses) {
                all |= each;
            }
            if ((all & bytes - 1) == 0) {
                return;
            }
        }
        for (int m = mask; m != 0; m &= m - 1) {
            int lane = Integer.numberOfTrailingZeros(m);
            if ((warp.addresses[lane] & bytes - 1) != 0) {
                throw fault(warp, KernelFault.Kind.MISALIGNED, lane, warp.addresses[lane],
                        "an access of %d bytes at 0x%x, which is no multiple of that".formatted(bytes, warp.addresses[lane]));
            }
        }
    }

    /// Moves the bytes for the threads in `mask`, whose addresses are offsets in `space` and aligned.
    abstract void access(Warp warp, int mask, Ptx.Space space);

    /// Whether all 32 threads access what follows on from the thread before.
    static boolean isConsecutive(long[] addresses, int mask, int bytes) {
        if (mask != Warp.ALL) {
            return false;
        }
        long first = addresses[0];
        long different = 0;
        for (int lane = 0; lane < Warp.SIZE; lane++) {
            different |= addresses[lane] - first - (long) lane * bytes;
        }
        return different == 0;
    }

    /// The global memory that a thread's access lies in.
    final Allocation allocation(Warp warp, int lane, long bytes) {
        long at = warp.addresses[lane];
        Allocation allocation = last;
        GlobalMemory memory = warp.block.launch.memory;
        if (allocation == null || allocation.memory != memory || allocation.isFreed() || !allocation.contains(at, bytes)) {
            allocation = memory.find(at);
            if (allocation == null || !allocation.contains(at, bytes)) {
                boolean freed = memory.wasFreed(at);
                throw fault(warp, freed ? KernelFault.Kind.USE_AFTER_FREE : KernelFault.Kind.OUT_OF_BOUNDS, lane, at,
                        "an access of %d bytes at 0x%x: %s".formatted(bytes, at,
                                allocation == null ? memory.describe(at)
                                        : "it ends past a buffer of %d bytes".formatted(allocation.size)));
            }
            last = allocation;
        }
        return allocation;
    }

    final void checkGlobalWritten(Warp warp, Allocation allocation, int lane, long bytes) {
        if (allocation.isComplete()) {
            return;
        }
        long offset = warp.addresses[lane] - allocation.base;
        long missing = allocation.firstUnwritten(offset, bytes);
        if (missing >= 0) {
            int culprit = lane + (int) ((missing - offset) / extent.byteSize());
            throw fault(warp, KernelFault.Kind.UNINITIALIZED_GLOBAL, culprit, allocation.base + missing,
                    "reads byte %d of a buffer of %d bytes, which nothing wrote".formatted(missing, allocation.size));
        }
    }

    final int sharedAddress(Warp warp, int lane, int bytes) {
        long at = warp.addresses[lane];
        if (at < 0 || at > warp.block.shared.byteSize() - bytes) {
            throw fault(warp, KernelFault.Kind.OUT_OF_BOUNDS, lane, at,
                    "an access of %d bytes at %d of %d bytes of shared memory".formatted(bytes, at, warp.block.shared.byteSize()));
        }
        return (int) at;
    }

    final void check(Warp warp, int lane, SharedMemory.Finding finding) {
        if (finding != null) {
            throw fault(warp, finding.kind(), lane, warp.addresses[lane], finding.message());
        }
    }

    final int localAddress(Warp warp, int lane, int bytes) {
        long at = warp.addresses[lane];
        int size = warp.kernel.localBytes();
        if (at < 0 || at > size - bytes) {
            throw fault(warp, KernelFault.Kind.OUT_OF_BOUNDS, lane, at,
                    "an access of %d bytes at %d of %d bytes of local memory".formatted(bytes, at, size));
        }
        return lane * size + (int) at;
    }

    static long get(MemorySegment data, long offset, int bytes) {
        return switch (bytes) {
            case 1 -> data.get(BYTE, offset) & 0xffL;
            case 2 -> data.get(SHORT, offset) & 0xffffL;
            case 4 -> data.get(INT, offset) & 0xffffffffL;
            default -> data.get(LONG, offset);
        };
    }

    static void set(MemorySegment data, long offset, int bytes, long value) {
        switch (bytes) {
            case 1 -> data.set(BYTE, offset, (byte) value);
            case 2 -> data.set(SHORT, offset, (short) value);
            case 4 -> data.set(INT, offset, (int) value);
            default -> data.set(LONG, offset, value);
        }
    }

    static long get(byte[] data, int offset, int bytes) {
        long value = 0;
        for (int i = 0; i < bytes; i++) {
            value |= (data[offset + i] & 0xffL) << 8 * i;
        }
        return value;
    }

    static void set(byte[] data, int offset, int bytes, long value) {
        for (int i = 0; i < bytes; i++) {
            data[offset + i] = (byte) (value >>> 8 * i);
        }
    }

    static long extend(long bits, int bytes, boolean signed) {
        int shift = 64 - 8 * bytes;
        return signed ? bits << shift >> shift : bits;
    }

    /// `ld`: one register or several a thread.
    static final class Load extends MemoryOperation {
        private final int[] targets;
        private final boolean signed;
        /// Of the registers, which may be wider than the elements.
        private final boolean sixteenBits;

        /// @param targets numbers of registers, 0 for one nobody wants
        Load(Ptx.Instruction instruction, Address address, Extent extent, int[] targets, boolean signed, boolean sixteenBits) {
            super(instruction, address, extent);
            this.targets = targets;
            this.signed = signed;
            this.sixteenBits = sixteenBits;
        }

        private void put(Warp warp, int element, int lane, long bits) {
            if (targets[element] != 0) {
                long value = extend(bits, extent.elementBytes(), signed);
                Registers.setBits(warp.registers[targets[element]], lane, sixteenBits ? value & 0xffff : value);
            }
        }

        @Override
        void access(Warp warp, int mask, Ptx.Space space) {
            switch (space) {
                case GLOBAL -> loadGlobal(warp, mask);
                case SHARED, CLUSTER -> loadShared(warp, mask, space);
                case LOCAL -> {
                    for (int m = mask; m != 0; m &= m - 1) {
                        int lane = Integer.numberOfTrailingZeros(m);
                        int at = localAddress(warp, lane, extent.byteSize());
                        for (int i = 0; i < extent.byteSize(); i++) {
                            if (warp.localWritten[at + i] == 0) {
                                throw fault(warp, KernelFault.Kind.UNINITIALIZED_LOCAL, lane, warp.addresses[lane],
                                        "reads byte %d of local memory, which nothing wrote".formatted(warp.addresses[lane] + i));
                            }
                        }
                        loadBytes(warp, lane, warp.local, at);
                    }
                }
                case CONST -> loadFixed(warp, mask, warp.kernel.constantMemory(), "constant memory");
                case PARAM -> loadFixed(warp, mask, warp.block.launch.parameters, "parameters");
                case GENERIC -> throw new AssertionError(space);
            }
        }

        private void loadFixed(Warp warp, int mask, byte[] data, String what) {
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                long at = warp.addresses[lane];
                if (at < 0 || at > data.length - extent.byteSize()) {
                    throw fault(warp, KernelFault.Kind.OUT_OF_BOUNDS, lane, at,
                            "an access of %d bytes at %d of %d bytes of %s".formatted(extent.byteSize(), at, data.length, what));
                }
                loadBytes(warp, lane, data, (int) at);
            }
        }

        private void loadBytes(Warp warp, int lane, byte[] data, int at) {
            for (int e = 0; e < targets.length; e++) {
                put(warp, e, lane, get(data, at + e * extent.elementBytes(), extent.elementBytes()));
            }
        }

        private void loadShared(Warp warp, int mask, Ptx.Space space) {
            int bytes = extent.byteSize();
            warp.block.tally.shared(warp.addresses, mask, bytes);
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                SharedMemory shared = reach(warp, lane, space).shared;
                int at = sharedAddress(warp, lane, bytes);
                check(warp, lane, shared.read(at, bytes, warp.number, lane));
                for (int e = 0; e < targets.length; e++) {
                    put(warp, e, lane, shared.get(at + e * extent.elementBytes(), extent.elementBytes()));
                }
            }
        }

        private void loadGlobal(Warp warp, int mask) {
            long[] addresses = warp.addresses;
            int bytes = extent.byteSize();
            if (isConsecutive(addresses, mask, bytes)) {
                Allocation allocation = allocation(warp, 0, bytes);
                if (allocation.contains(addresses[0], 32L * bytes)) {
                    checkGlobalWritten(warp, allocation, 0, 32L * bytes);
                    warp.block.tally.global(addresses[0], 32L * bytes, false);
                    for (int e = 0; e < targets.length; e++) {
                        gather(warp, allocation, mask, e);
                    }
                    return;
                }
            }
            warp.block.tally.global(addresses, mask, bytes, false);
            int rest = mask;
            while (rest != 0) {
                int lane = Integer.numberOfTrailingZeros(rest);
                Allocation allocation = allocation(warp, lane, bytes);
                int same = 0;
                for (int m = rest; m != 0; m &= m - 1) {
                    int each = Integer.numberOfTrailingZeros(m);
                    if (allocation.contains(addresses[each], bytes)) {
                        same |= 1 << each;
                        checkGlobalWritten(warp, allocation, each, bytes);
                    }
                }
                for (int e = 0; e < targets.length; e++) {
                    gather(warp, allocation, same, e);
                }
                rest &= ~same;
            }
        }

        private void gather(Warp warp, Allocation allocation, int mask, int element) {
            if (targets[element] == 0) {
                return;
            }
            long[] addresses = warp.addresses;
            MemorySegment data = allocation.data;
            long shift = (long) element * extent.elementBytes() - allocation.base;
            Object target = warp.registers[targets[element]];
            if (mask == Warp.ALL && extent.elementBytes() == 4) {
                if (target instanceof float[] floats) {
                    for (int lane = 0; lane < Warp.SIZE; lane++) {
                        floats[lane] = data.get(FLOAT, addresses[lane] + shift);
                    }
                    return;
                }
                if (target instanceof int[] ints) {
                    for (int lane = 0; lane < Warp.SIZE; lane++) {
                        ints[lane] = data.get(INT, addresses[lane] + shift);
                    }
                    return;
                }
            }
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                put(warp, element, lane, get(data, addresses[lane] + shift, extent.elementBytes()));
            }
        }
    }

    /// `st`: one register or several a thread. Where threads write the same place the last lane's value stays.
    static final class Store extends MemoryOperation {
        private final int[] sources;

        Store(Ptx.Instruction instruction, Address address, Extent extent, int[] sources) {
            super(instruction, address, extent);
            this.sources = sources;
        }

        @Override
        void access(Warp warp, int mask, Ptx.Space space) {
            switch (space) {
                case GLOBAL -> storeGlobal(warp, mask);
                case SHARED, CLUSTER -> {
                    int bytes = extent.byteSize();
                    warp.block.tally.shared(warp.addresses, mask, bytes);
                    for (int m = mask; m != 0; m &= m - 1) {
                        int lane = Integer.numberOfTrailingZeros(m);
                        SharedMemory shared = reach(warp, lane, space).shared;
                        int at = sharedAddress(warp, lane, bytes);
                        check(warp, lane, shared.write(at, bytes, warp.number, lane));
                        for (int e = 0; e < sources.length; e++) {
                            shared.set(at + e * extent.elementBytes(), extent.elementBytes(),
                                    Registers.bits(warp.registers[sources[e]], lane));
                        }
                    }
                }
                case LOCAL -> {
                    for (int m = mask; m != 0; m &= m - 1) {
                        int lane = Integer.numberOfTrailingZeros(m);
                        int at = localAddress(warp, lane, extent.byteSize());
                        Arrays.fill(warp.localWritten, at, at + extent.byteSize(), (byte) 1);
                        for (int e = 0; e < sources.length; e++) {
                            set(warp.local, at + e * extent.elementBytes(), extent.elementBytes(),
                                    Registers.bits(warp.registers[sources[e]], lane));
                        }
                    }
                }
                case CONST, PARAM -> throw fault(warp, KernelFault.Kind.READ_ONLY, Integer.numberOfTrailingZeros(mask),
                        warp.addresses[Integer.numberOfTrailingZeros(mask)], "writes memory that is only for reading");
                case GENERIC -> throw new AssertionError(space);
            }
        }

        private void storeGlobal(Warp warp, int mask) {
            long[] addresses = warp.addresses;
            int bytes = extent.byteSize();
            if (isConsecutive(addresses, mask, bytes)) {
                warp.block.tally.global(addresses[0], 32L * bytes, true);
                Allocation allocation = allocation(warp, 0, bytes);
                if (allocation.contains(addresses[0], 32L * bytes)) {
                    for (int e = 0; e < sources.length; e++) {
                        scatter(warp, allocation, mask, e);
                    }
                    allocation.markWritten(addresses[0] - allocation.base, 32L * bytes);
                    return;
                }
            } else {
                warp.block.tally.global(addresses, mask, bytes, true);
            }
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                Allocation allocation = allocation(warp, lane, bytes);
                for (int e = 0; e < sources.length; e++) {
                    scatter(warp, allocation, 1 << lane, e);
                }
                allocation.markWritten(addresses[lane] - allocation.base, bytes);
            }
        }

        private void scatter(Warp warp, Allocation allocation, int mask, int element) {
            long[] addresses = warp.addresses;
            MemorySegment data = allocation.data;
            long shift = (long) element * extent.elementBytes() - allocation.base;
            Object source = warp.registers[sources[element]];
            if (mask == Warp.ALL && extent.elementBytes() == 4) {
                if (source instanceof float[] floats) {
                    for (int lane = 0; lane < Warp.SIZE; lane++) {
                        data.set(FLOAT, addresses[lane] + shift, floats[lane]);
                    }
                    return;
                }
                if (source instanceof int[] ints) {
                    for (int lane = 0; lane < Warp.SIZE; lane++) {
                        data.set(INT, addresses[lane] + shift, ints[lane]);
                    }
                    return;
                }
            }
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                set(data, addresses[lane] + shift, extent.elementBytes(), Registers.bits(source, lane));
            }
        }
    }

    /// `atom` and `red`: each thread in turn reads, combines and writes, and gets what was there before.
    static final class Atomic extends MemoryOperation {
        /// What is written for what was there.
        @FunctionalInterface
        interface Combination {
            long apply(long before, long operand, long second);
        }

        private final int target;
        private final int operand;
        private final int second;
        private final Combination combination;

        /// @param target register for what was there, 0 if nobody wants it
        /// @param second operand of `cas`, else 0
        Atomic(Ptx.Instruction instruction, Address address, int bytes, int target, int operand, int second,
                Combination combination) {
            super(instruction, address, new Extent(bytes, 1));
            this.target = target;
            this.operand = operand;
            this.second = second;
            this.combination = combination;
        }

        @Override
        void access(Warp warp, int mask, Ptx.Space space) {
            int bytes = extent.elementBytes();
            if (space == Ptx.Space.GLOBAL) {
                warp.block.tally.global(warp.addresses, mask, bytes, true);
            } else if (space == Ptx.Space.SHARED || space == Ptx.Space.CLUSTER) {
                warp.block.tally.shared(warp.addresses, mask, bytes);
            }
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                long value = Registers.bits(warp.registers[operand], lane);
                long other = second == 0 ? 0 : Registers.bits(warp.registers[second], lane);
                long before = switch (space) {
                    case GLOBAL -> global(warp, lane, bytes, value, other);
                    case SHARED, CLUSTER -> {
                        SharedMemory shared = reach(warp, lane, space).shared;
                        int at = sharedAddress(warp, lane, bytes);
                        check(warp, lane, shared.update(at, bytes, warp.number, lane));
                        long was = shared.get(at, bytes);
                        shared.set(at, bytes, combination.apply(was, value, other));
                        yield was;
                    }
                    case LOCAL, CONST, PARAM, GENERIC -> throw fault(warp, KernelFault.Kind.READ_ONLY, lane, warp.addresses[lane],
                            "an atomic operation on memory that is neither global nor shared");
                };
                if (target != 0) {
                    Registers.setBits(warp.registers[target], lane, before);
                }
            }
        }

        private long global(Warp warp, int lane, int bytes, long value, long other) {
            Allocation allocation = allocation(warp, lane, bytes);
            checkGlobalWritten(warp, allocation, lane, bytes);
            long offset = warp.addresses[lane] - allocation.base;
            if (bytes == 8) {
                while (true) {
                    long before = (long) LONGS.getVolatile(allocation.data, offset);
                    if (LONGS.compareAndSet(allocation.data, offset, before, combination.apply(before, value, other))) {
                        return before;
                    }
                }
            }
            // A narrower place is changed within its word.
            long word = offset & ~3;
            int shift = (int) (offset & 3) * 8;
            long ones = bytes == 4 ? 0xffffffffL : 0xffffL;
            while (true) {
                int before = (int) INTS.getVolatile(allocation.data, word);
                long was = (before & 0xffffffffL) >>> shift & ones;
                long now = combination.apply(was, value, other) & ones;
                if (INTS.compareAndSet(allocation.data, word, before, (int) (before & ~(ones << shift) | now << shift))) {
                    return was;
                }
            }
        }

        private static final VarHandle INTS = ValueLayout.JAVA_INT.varHandle();
        private static final VarHandle LONGS = ValueLayout.JAVA_LONG.varHandle();
    }
}
