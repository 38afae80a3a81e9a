package org.gatun.cuda.simulator;

/// Copies that run beside the warp, and barriers in shared memory.
final class AsyncOperations {
    private AsyncOperations() {}

    /// `cp.async`: from global to shared memory. The bytes are there at once; that they might not be is what is checked.
    static final class Copy extends MemoryOperation {
        private final Address target;
        private final int sourceBytes;
        private final int ignore;

        /// @param address in global memory
        /// @param target in shared memory
        /// @param sourceBytes register with how many bytes are read, the rest being zero; 0 for all
        /// @param ignore predicate of threads that write zeros only, 0 for none
        Copy(Ptx.Instruction instruction, Address address, Address target, int bytes, int sourceBytes, int ignore) {
            super(instruction, address, new Extent(bytes, 1));
            this.target = target;
            this.sourceBytes = sourceBytes;
            this.ignore = ignore;
        }

        @Override
        void execute(Warp warp, int mask) {
            int bytes = extent.byteSize();
            evaluate(warp, target);
            checkAlignment(warp, mask, bytes);
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                int at = sharedAddress(warp, lane, bytes);
                check(warp, lane, warp.block.shared.order(at, bytes, warp.number, lane));
                warp.copies.order(at, bytes, lane);
                warp.gathered[lane] = at;
            }
            warp.block.tally.shared(warp.addresses, mask, bytes);
            super.execute(warp, mask);
        }

        @Override
        void access(Warp warp, int mask, Ptx.Space space) {
            int bytes = extent.byteSize();
            SharedMemory shared = warp.block.shared;
            int reading = 0;
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                int wanted = sourceBytes == 0 ? bytes : ((int[]) warp.registers[sourceBytes])[lane];
                if (wanted < 0 || wanted > bytes) {
                    throw fault(warp, KernelFault.Kind.OUT_OF_BOUNDS, lane, warp.addresses[lane],
                            "a source of %d bytes for a copy of %d".formatted(wanted, bytes));
                }
                if (ignore != 0 && (warp.predicate(ignore) >>> lane & 1) != 0) {
                    wanted = 0;
                }
                int at = warp.gathered[lane];
                for (int i = 0; i < bytes; i += 4) {
                    shared.setInt(at + i, 0);
                }
                if (wanted == 0) {
                    continue;
                }
                reading |= 1 << lane;
                Allocation allocation = allocation(warp, lane, wanted);
                checkGlobalWritten(warp, allocation, lane, wanted);
                long from = warp.addresses[lane] - allocation.base;
                int i = 0;
                for (; i + 4 <= wanted; i += 4) {
                    shared.setInt(at + i, allocation.data.get(INT, from + i));
                }
                for (; i < wanted; i++) {
                    shared.set(at + i, 1, allocation.data.get(BYTE, from + i));
                }
            }
            if (reading != 0) {
                warp.block.tally.global(warp.addresses, reading, bytes, false);
            }
        }
    }

    /// `cp.async.commit_group`.
    static final class Commit extends Operation {
        Commit(Ptx.Instruction instruction) {
            super(instruction);
        }

        @Override
        void execute(Warp warp, int mask) {
            warp.copies.commit(mask);
        }
    }

    /// `cp.async.wait_group` and `cp.async.wait_all`.
    static final class Await extends Operation {
        private final int pending;
        private final boolean all;

        /// @param pending groups that may still run
        Await(Ptx.Instruction instruction, int pending, boolean all) {
            super(instruction);
            this.pending = pending;
            this.all = all;
        }

        @Override
        void execute(Warp warp, int mask) {
            warp.copies.await(warp.block.shared, warp.number, mask, pending, all);
        }
    }

    /// An instruction on a barrier object in shared memory, for each thread in turn.
    abstract static class OnMemoryBarrier extends MemoryOperation {
        OnMemoryBarrier(Ptx.Instruction instruction, Address address) {
            super(instruction, address, new Extent(Long.BYTES, 1));
        }

        @Override
        final void access(Warp warp, int mask, Ptx.Space space) {
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                if (space != Ptx.Space.SHARED && space != Ptx.Space.CLUSTER) {
                    throw fault(warp, KernelFault.Kind.OUT_OF_BOUNDS, lane, warp.addresses[lane],
                            "a barrier that is not in shared memory");
                }
                BlockRun block = reach(warp, lane, space);
                run(warp, lane, block, sharedAddress(warp, lane, Long.BYTES));
            }
        }

        /// @param block in whose memory the barrier is
        abstract void run(Warp warp, int lane, BlockRun block, int at);

        final void count(Warp warp, int lane, BlockRun block, int at, int bytes) {
            if (bytes < 0 || !barrier(this, warp, lane, block, at).count(bytes)) {
                throw fault(warp, KernelFault.Kind.LIMIT, lane, at, "a barrier that is to count " + bytes + " bytes more");
            }
        }
    }

    /// The barrier at an address, whose initialisation the thread has seen.
    private static MemoryBarrier barrier(MemoryOperation operation, Warp warp, int lane, BlockRun block, int at) {
        MemoryBarrier barrier = block.memoryBarriers.get(at);
        if (barrier == null) {
            throw operation.fault(warp, KernelFault.Kind.UNINITIALIZED_SHARED, lane, at,
                    "no barrier was initialised at %d".formatted(at));
        }
        operation.check(warp, lane, block.shared.read(at, Long.BYTES, warp.number, lane));
        return barrier;
    }

    static final class InitBarrier extends OnMemoryBarrier {
        private final int count;
        private final boolean invalidate;

        /// @param count register with the number of arrivals; 0 to end the barrier
        InitBarrier(Ptx.Instruction instruction, Address address, int count) {
            super(instruction, address);
            this.count = count;
            invalidate = count == 0;
        }

        @Override
        void run(Warp warp, int lane, BlockRun block, int at) {
            if (invalidate) {
                barrier(this, warp, lane, block, at);
                block.memoryBarriers.remove(at);
                return;
            }
            int expected = ((int[]) warp.registers[count])[lane];
            if (expected < 1) {
                throw fault(warp, KernelFault.Kind.LIMIT, lane, at, "a barrier of " + expected + " arrivals: expected 1 at least");
            }
            check(warp, lane, block.shared.write(at, Long.BYTES, warp.number, lane));
            block.memoryBarriers.put(at, new MemoryBarrier(expected, block.cluster.clocks.warps()));
        }
    }

    static final class ArriveAtBarrier extends OnMemoryBarrier {
        private final int state;
        private final int count;
        private final int bytes;
        private final boolean afterCopies;

        /// @param state register for the phase, 0 if nobody wants it
        /// @param count register with how many arrive, 0 for one; negative for none
        /// @param bytes register with how many are announced, 0 for none
        /// @param afterCopies whether the thread's copies are waited for before
        ArriveAtBarrier(Ptx.Instruction instruction, Address address, int state, int count, int bytes, boolean afterCopies) {
            super(instruction, address);
            this.state = state;
            this.count = count;
            this.bytes = bytes;
            this.afterCopies = afterCopies;
        }

        @Override
        void run(Warp warp, int lane, BlockRun block, int at) {
            MemoryBarrier barrier = barrier(this, warp, lane, block, at);
            if (afterCopies) {
                warp.copies.await(warp.block.shared, warp.number, 1 << lane, 0, true);
            }
            if (state != 0) {
                Registers.setBits(warp.registers[state], lane, barrier.phase());
            }
            if (bytes != 0) {
                count(warp, lane, block, at, ((int[]) warp.registers[bytes])[lane]);
            }
            int arriving = count == 0 ? 1 : count < 0 ? 0 : ((int[]) warp.registers[count])[lane];
            if (warp.trace != null) {
                if (afterCopies) {
                    warp.trace.arriveAfterCopies(barrier, barrier.phase());
                } else {
                    warp.trace.arrive(barrier, barrier.phase());
                }
            }
            warp.block.cluster.tick(instruction, warp);
            if (arriving != 0 && !barrier.arrive(warp.block.cluster.clocks, warp.number, arriving)) {
                throw fault(warp, KernelFault.Kind.LIMIT, lane, at, "more threads arrive at the barrier than it was initialised for");
            }
        }
    }

    /// `mbarrier.expect_tx`: announces bytes that copies will bring.
    static final class ExpectBytes extends OnMemoryBarrier {
        private final int bytes;

        ExpectBytes(Ptx.Instruction instruction, Address address, int bytes) {
            super(instruction, address);
            this.bytes = bytes;
        }

        @Override
        void run(Warp warp, int lane, BlockRun block, int at) {
            count(warp, lane, block, at, ((int[]) warp.registers[bytes])[lane]);
        }
    }

    /// `mbarrier.test_wait` and `try_wait`.
    static final class TestBarrier extends OnMemoryBarrier {
        private final int target;
        private final int state;
        private final boolean parity;

        TestBarrier(Ptx.Instruction instruction, Address address, int target, int state, boolean parity) {
            super(instruction, address);
            this.target = target;
            this.state = state;
            this.parity = parity;
        }

        @Override
        void run(Warp warp, int lane, BlockRun block, int at) {
            MemoryBarrier barrier = barrier(this, warp, lane, block, at);
            long wanted = Registers.bits(warp.registers[state], lane);
            boolean ended = parity ? (barrier.phase() & 1) != (wanted & 1) : barrier.phase() != wanted;
            if (warp.trace != null) {
                if (!ended) {
                    warp.trace.spin();
                } else if (barrier.phase() > 0) {
                    warp.trace.await(barrier, barrier.phase() - 1);
                }
            }
            int[] to = (int[]) warp.registers[target];
            to[0] = barrier.test(instruction, block, warp, lane, ended) ? to[0] | 1 << lane : to[0] & ~(1 << lane);
            if (!ended) {
                warp.failedTest = this;
                warp.failedLane = lane;
                warp.failedAddress = at;
            }
        }

        /// A warp that looks again and again while nothing else happens.
        static Warp.Fault hang(Warp warp) {
            int at = warp.failedAddress;
            return warp.failedTest.fault(warp, KernelFault.Kind.DEADLOCK, warp.failedLane, at,
                    "waits for the barrier at %d, which awaits %s more, and none can come".formatted(at,
                            warp.block.memoryBarriers.get(at).awaited()));
        }
    }

    /// `cp.async.bulk`: from global memory to the shared memory of one block or of several, where a barrier counts the bytes. They are
    /// there at once; that they might not be is what is checked.
    static final class BulkCopy extends MemoryOperation {
        private static final int UNIT = 16;

        private final Address target;
        private final int size;
        private final Address barrier;
        private final int blocks;

        /// @param address in global memory
        /// @param target in shared memory
        /// @param size register with the bytes
        /// @param barrier in shared memory
        /// @param blocks register with a bit for each block of the cluster that the bytes go to; 0 for the one that `target` lies in
        BulkCopy(Ptx.Instruction instruction, Address address, Address target, int size, Address barrier, int blocks) {
            super(instruction, address, new Extent(UNIT, 1));
            this.target = target;
            this.size = size;
            this.barrier = barrier;
            this.blocks = blocks;
        }

        @Override
        void access(Warp warp, int mask, Ptx.Space space) {
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                int bytes = ((int[]) warp.registers[size])[lane];
                if (bytes <= 0 || bytes % UNIT != 0) {
                    throw fault(warp, KernelFault.Kind.MISALIGNED, lane, warp.addresses[lane],
                            "a copy of %d bytes, which is no multiple of %d above 0".formatted(bytes, UNIT));
                }
                Allocation allocation = allocation(warp, lane, bytes);
                checkGlobalWritten(warp, allocation, lane, bytes);
                warp.block.tally.global(warp.addresses[lane], bytes, false);
                long from = warp.addresses[lane] - allocation.base;
                if (blocks == 0) {
                    copy(warp, lane, allocation, from, bytes, -1);
                }
                int chosen = blocks == 0 ? 0 : ((int[]) warp.registers[blocks])[lane] & 0xffff;
                for (int rest = chosen; rest != 0; rest &= rest - 1) {
                    copy(warp, lane, allocation, from, bytes, Integer.numberOfTrailingZeros(rest));
                }
                evaluate(warp, address());
            }
        }

        /// @param rank of the block, negative for the one that the target lies in
        private void copy(Warp warp, int lane, Allocation allocation, long from, int bytes, int rank) {
            evaluate(warp, barrier);
            checkAlignment(warp, 1 << lane, Long.BYTES);
            BlockRun counting = block(warp, lane, Ptx.Space.CLUSTER);
            int barrierAt = sharedAddress(warp, lane, Long.BYTES);
            evaluate(warp, target);
            checkAlignment(warp, 1 << lane, UNIT);
            BlockRun block = block(warp, lane, Ptx.Space.CLUSTER);
            int at = sharedAddress(warp, lane, bytes);
            if (block != counting) {
                throw fault(warp, KernelFault.Kind.OUT_OF_BOUNDS, lane, barrierAt, "a barrier of another block than the copy's target");
            }
            if (rank >= 0) {
                block = block(warp, lane, rank);
            }
            MemoryBarrier counter = barrier(this, warp, lane, block, barrierAt);
            if (warp.trace != null) {
                warp.trace.copy(counter, counter.phase(), allocation.base + from, bytes);
            }
            check(warp, lane, block.shared.order(at, bytes, warp.number, lane));
            for (int i = 0; i < bytes; i += Integer.BYTES) {
                block.shared.setInt(at + i, allocation.data.get(INT, from + i));
            }
            if (!counter.copied(at, bytes)) {
                throw fault(warp, KernelFault.Kind.LIMIT, lane, barrierAt, "more bytes than a barrier counts");
            }
        }
    }
}
