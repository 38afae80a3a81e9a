package org.gatun.cuda.simulator;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;

/// Runs what clusters did again, in cycles of a device: on one multiprocessor, or as many as a cluster has blocks, with as many clusters
/// at a time as find room.
///
/// Each of the four schedulers takes an instruction a cycle; a warp takes its own in order, and waits where one reads what is not there
/// yet. Units, the way to L2 and the multiprocessor's part of the memory are queues. Of each warp stands where the time went on the chain
/// that led to it: where it waited for others, theirs goes on in it.
final class Replay {
    /// What a chain's time goes to.
    enum Chain {
        ISSUE("issue"), ARITHMETIC("arithmetic"), SHARED("shared memory"), LOADS("loads"), COPIES("copies"), PRODUCTS("products"),
        ATOMICS("atomics"), BARRIERS("barriers"), START("start of blocks");

        final String words;

        Chain(String words) {
            this.words = words;
        }
    }

    /// What the clusters of a launch share.
    ///
    /// @param memoryShare by class of clusters and buffer: the part of what is moved that comes from memory, not from L2
    record Job(DeviceModel device, TimedKernel kernel, int blocks, double[][] memoryShare) {}

    /// @param trace what it did
    /// @param kind its class
    /// @param sharers multiprocessors that share the memory while it runs
    record Unit(ClusterTrace trace, int kind, double sharers) {}

    /// @param cycles until all have ended
    /// @param chain cycles by [Chain], on the chain that ended last
    /// @param busy cycles that the busiest of each pipe was busy, by [Pipe]
    /// @param stages full when a consumer comes to wait for one, on average; NaN if there was no such wait
    /// @param underWay bytes of a multiprocessor that were asked for and not there, on average
    record Result(double cycles, double[] chain, double[] busy, double stages, double underWay) {}

    /// What can be busy all the time.
    enum Pipe {
        ISSUE("issue"), ALU("alu"), FMA("fma"), SPECIAL("special functions"), CONVERT("conversions"), DOUBLE("fp64"), TENSOR("tensor"),
        SHARED("shared"), L2("l2"), MEMORY("memory");

        final String words;

        Pipe(String words) {
            this.words = words;
        }
    }

    private static final int SCHEDULERS = 4;
    private static final int SECTOR = 32;
    /// Cycles over which it is looked how busy the memory is.
    private static final double WINDOW = 2000;

    private final Job job;
    private final DeviceModel device;
    private final InstructionCost[] costs;
    private final double[][] free;
    private final double[][] busy;
    private final double[] recent;
    private final double[] recentAt;
    private final double busyLatency;
    private final double signalLatency;
    private final double barrierLatency;
    private final PriorityQueue<Warp> queue = new PriorityQueue<>(Comparator.<Warp>comparingDouble(warp -> warp.time)
            .thenComparingInt(warp -> warp.order));
    private final ArrayDeque<Unit> waiting;
    private int slots;
    private int order;
    private double end;
    private double[] endChain = new double[Chain.values().length];
    /// Bytes times the cycles that they were under way.
    private double underWay;
    private long waits;
    private long stages;
    private long groupWaits;
    private long groupStages;

    /// @param units in the order in which they get room
    /// @param resident how many at a time
    static Result run(Job job, List<Unit> units, int resident) {
        Replay replay = new Replay(job, units);
        for (int i = 0; i < resident; i++) {
            replay.start(0, new double[Chain.values().length]);
        }
        replay.run();
        double[] most = new double[Pipe.values().length];
        for (double[] each : replay.busy) {
            for (int i = 0; i < most.length; i++) {
                most[i] = Math.max(most[i], each[i]);
            }
        }
        return new Result(replay.end, replay.endChain, most, replay.fullStages(),
                replay.underWay / Math.max(1, replay.end) / job.blocks);
    }

    /// Where stages are handed over by barriers, what copies look at themselves says nothing of it.
    private double fullStages() {
        return waits > 0 ? (double) stages / waits : groupWaits > 0 ? (double) groupStages / groupWaits : Double.NaN;
    }

    private Replay(Job job, List<Unit> units) {
        this.job = job;
        device = job.device;
        waiting = new ArrayDeque<>(units);
        costs = job.kernel.costs(device);
        // By multiprocessor and scheduler; what is the multiprocessor's stands at its first scheduler.
        free = new double[job.blocks * SCHEDULERS][Pipe.values().length];
        busy = new double[job.blocks * SCHEDULERS][Pipe.values().length];
        recent = new double[job.blocks];
        recentAt = new double[job.blocks];
        signalLatency = device.figure("signal_latency");
        barrierLatency = device.figure("barrier_latency");
        busyLatency = device.figure("memory_busy_ns") * device.figure("clock_ghz");
    }

    private void start(double time, double[] chain) {
        Unit unit = waiting.poll();
        if (unit == null) {
            return;
        }
        Running running = new Running(unit);
        int perBlock = unit.trace.warps.length / job.blocks;
        double begin = time + device.figure("block_start");
        for (int i = 0; i < unit.trace.warps.length; i++) {
            Warp warp = new Warp(running, unit.trace.warps[i], i / perBlock, (slots + i % perBlock) % SCHEDULERS);
            warp.time = begin;
            System.arraycopy(chain, 0, warp.chain, 0, chain.length);
            warp.chain[Chain.START.ordinal()] += begin - time;
            queue.add(warp);
        }
        slots += perBlock;
    }

    private void run() {
        for (Warp warp = queue.poll(); warp != null; warp = queue.poll()) {
            if (warp.run()) {
                queue.add(warp);
            }
        }
    }

    /// Occupies a pipe from a time on, or as soon as it is free.
    ///
    /// @return when it begins
    private double occupy(int at, Pipe pipe, double time, double cycles) {
        double[] line = free[at];
        int i = pipe.ordinal();
        double begin = Math.max(time, line[i]);
        line[i] = begin + cycles;
        busy[at][i] += cycles;
        return begin;
    }

    /// When bytes are there that are asked for.
    private double fetch(Running unit, int rank, double time, double bytes, int buffer) {
        double done = arrival(unit, rank, time, bytes, buffer);
        underWay += bytes * (done - time);
        return done;
    }

    private double arrival(Running unit, int rank, double time, double bytes, int buffer) {
        double share = job.memoryShare[unit.unit.kind][buffer];
        double sharers = unit.unit.sharers;
        double port = Math.max(1 / device.figure("l2_port_bytes"), sharers / device.l2BytesPerCycle());
        double begin = occupy(rank * SCHEDULERS, Pipe.L2, time, bytes * port);
        double done = begin + bytes * port;
        if (share == 0) {
            return done + device.figure("l2_latency");
        }
        double cycles = bytes * share * sharers / device.memoryBytesPerCycle();
        double from = occupy(rank * SCHEDULERS, Pipe.MEMORY, time, cycles);
        recent[rank] = recent[rank] * Math.exp(Math.min(0, recentAt[rank] - time) / WINDOW) + cycles;
        recentAt[rank] = Math.max(recentAt[rank], time);
        double load = Math.min(1, recent[rank] / WINDOW);
        double idle = device.figure("memory_latency");
        double latency = share < 0.5 ? device.figure("l2_latency") : idle + Math.max(0, busyLatency - idle) * load * load;
        return Math.max(done, from + cycles) + latency;
    }

    /// A cluster that has room.
    private final class Running {
        final Unit unit;
        final int[] missing;
        final double[] times;
        final double[][] chains;
        final List<List<Warp>> sleeping = new ArrayList<>();
        int live;

        Running(Unit unit) {
            this.unit = unit;
            missing = unit.trace.arrivals();
            times = new double[missing.length];
            chains = new double[missing.length][];
            for (int i = 0; i < missing.length; i++) {
                sleeping.add(null);
            }
            live = unit.trace.warps.length;
        }

        /// Somebody comes to a meeting.
        void come(int meeting, double time, double[] chain, Chain last, double since) {
            if (chains[meeting] == null || time >= times[meeting]) {
                times[meeting] = time;
                chains[meeting] = chain.clone();
                chains[meeting][last.ordinal()] += time - since;
            }
            if (--missing[meeting] == 0 && sleeping.get(meeting) != null) {
                sleeping.get(meeting).forEach(queue::add);
                sleeping.set(meeting, null);
            }
        }

        void end(Warp warp) {
            if (warp.time >= end) {
                end = warp.time;
                endChain = warp.chain;
            }
            live--;
            if (live == 0) {
                start(warp.time, warp.chain);
            }
        }
    }

    private final class Warp {
        final Running unit;
        final ClusterTrace.WarpTrace trace;
        final int rank;
        final int scheduler;
        final int order = Replay.this.order++;
        final double[] chain = new double[Chain.values().length];
        final double[] ready;
        final Chain[] why;
        final ArrayDeque<Double> copyGroups = new ArrayDeque<>();
        final ArrayDeque<Double> productGroups = new ArrayDeque<>();
        /// Whether it fills stages rather than using them.
        final boolean copier;
        double copies;
        double products;
        double time;
        private int memoryWaits;
        int at;

        Warp(Running unit, ClusterTrace.WarpTrace trace, int rank, int scheduler) {
            this.unit = unit;
            this.trace = trace;
            this.rank = rank;
            this.scheduler = rank * SCHEDULERS + scheduler;
            ready = new double[job.kernel.kernel.registerKinds().length];
            why = new Chain[ready.length];
            copier = trace.copies();
        }

        private void pass(double until, Chain reason) {
            if (until > time) {
                chain[reason.ordinal()] += until - time;
                time = until;
            }
        }

        /// Goes on until another warp is earlier; false if it sleeps or has ended.
        boolean run() {
            while (at < trace.size()) {
                if (!queue.isEmpty() && queue.peek().time < time) {
                    return true;
                }
                int code = trace.code(at);
                if (code >= 0) {
                    if (!take(job.kernel.instruction(code), costs[code])) {
                        continue; // what it needs is free later
                    }
                    at += job.kernel.instruction(code).isNoted() ? 2 : 1;
                    continue;
                }
                int meeting = trace.code(at + 1);
                if (code == ClusterTrace.WAIT && unit.missing[meeting] > 0) {
                    if (unit.sleeping.get(meeting) == null) {
                        unit.sleeping.set(meeting, new ArrayList<>());
                    }
                    unit.sleeping.get(meeting).add(this);
                    return false;
                }
                meet(code, meeting);
                at += code == ClusterTrace.BULK_COPY ? 4 : 2;
            }
            unit.end(this);
            return false;
        }

        private void meet(int code, int meeting) {
            switch (code) {
                case ClusterTrace.WAIT -> {
                    boolean inMemory = unit.unit.trace.isInMemory(meeting);
                    if (inMemory && !copier) {
                        waits++;
                        stages += full();
                    }
                    double there = unit.times[meeting];
                    if (there > time) { // the chain of the last to come goes on here
                        System.arraycopy(unit.chains[meeting], 0, chain, 0, chain.length);
                        time = there;
                    }
                    pass(there + (inMemory ? signalLatency : barrierLatency), Chain.BARRIERS);
                }
                case ClusterTrace.BULK_COPY -> {
                    double done = fetch(unit, rank, time, trace.code(at + 2), trace.code(at + 3));
                    unit.come(meeting, done, chain, Chain.COPIES, time);
                }
                case ClusterTrace.ARRIVE_AFTER_COPIES -> {
                    double done = Math.max(time, copies);
                    for (double group : copyGroups) {
                        done = Math.max(done, group);
                    }
                    unit.come(meeting, done, chain, Chain.COPIES, time);
                }
                default -> unit.come(meeting, time, chain, Chain.BARRIERS, time);
            }
        }

        /// Stages that are full, the one that is waited for first.
        private int full() {
            int next = memoryWaits++;
            int count = 0;
            for (; next < trace.memoryWaits(); next++) {
                int meeting = trace.memoryWait(next);
                if (unit.missing[meeting] > 0 || unit.times[meeting] > time) {
                    break;
                }
                count++;
            }
            return count;
        }

        /// Takes an instruction, if all that it needs is there; else goes on to when it may be.
        private boolean take(TimedInstruction instruction, InstructionCost cost) {
            double needs = time;
            Chain reason = Chain.ISSUE;
            for (int register : instruction.reads()) {
                if (ready[register] > needs) {
                    needs = ready[register];
                    reason = why[register];
                }
            }
            if (instruction.role() == TimedInstruction.Role.MOVE) {
                write(instruction, needs, reason);
                return true;
            }
            if (needs > time) {
                pass(needs, reason);
                return false;
            }
            double issue = free[scheduler][Pipe.ISSUE.ordinal()];
            Pipe pipe = pipe(cost.unit());
            double unitFree = pipe == null || pipe == Pipe.SHARED ? 0 : free[scheduler][pipe.ordinal()];
            if (issue > time || unitFree > time) {
                pass(Math.max(issue, unitFree), issue >= unitFree ? Chain.ISSUE
                        : pipe == Pipe.TENSOR ? Chain.PRODUCTS : Chain.ARITHMETIC);
                return false;
            }
            occupy(scheduler, Pipe.ISSUE, time, 1);
            execute(instruction, cost, pipe);
            pass(time + 1, Chain.ISSUE);
            return true;
        }

        private void execute(TimedInstruction instruction, InstructionCost cost, Pipe pipe) {
            switch (instruction.role()) {
                case COMPUTE, SYNC -> {
                    if (pipe == Pipe.SHARED) { // a shuffle
                        double begin = occupy(rank * SCHEDULERS, Pipe.SHARED, time, cost.cycles());
                        write(instruction, begin + cost.latency(), Chain.SHARED);
                    } else {
                        if (pipe != null) {
                            occupy(scheduler, pipe, time, cost.cycles());
                        }
                        write(instruction, time + cost.latency(), pipe == Pipe.TENSOR ? Chain.PRODUCTS : Chain.ARITHMETIC);
                    }
                }
                case LOAD, STORE, ATOMIC, SHARED, COPY -> access(instruction, cost, trace.code(at + 1));
                case COPY_COMMIT -> {
                    copyGroups.addLast(copies);
                    copies = 0;
                }
                case COPY_WAIT -> await(copyGroups, instruction.pending(), Chain.COPIES);
                case PRODUCT -> {
                    double begin = occupy(scheduler, Pipe.TENSOR, time, cost.cycles());
                    free[scheduler][Pipe.TENSOR.ordinal()] = begin + cost.cycles();
                    products = Math.max(products, begin + cost.cycles() + cost.latency());
                }
                case PRODUCT_COMMIT -> {
                    productGroups.addLast(products);
                    products = 0;
                }
                case PRODUCT_WAIT -> await(productGroups, instruction.pending(), Chain.PRODUCTS);
                case MOVE -> throw new AssertionError(instruction);
            }
        }

        private void await(ArrayDeque<Double> groups, int pending, Chain reason) {
            int full = 0;
            for (double group : groups) {
                full += group > 0 && group <= time ? 1 : 0;
            }
            int wanted = 0;
            double until = time;
            while (groups.size() > pending) {
                until = Math.max(until, groups.removeFirst());
                wanted++;
            }
            if (reason == Chain.COPIES && wanted > 0) {
                groupWaits++;
                groupStages += full;
            }
            pass(until, reason);
        }

        private void access(TimedInstruction instruction, InstructionCost cost, int moved) {
            int sectors = Moved.sectors(moved);
            int turns = Math.max(1, Moved.turns(moved));
            if (instruction.role() == TimedInstruction.Role.ATOMIC) {
                atomic(instruction, cost, sectors, turns);
                return;
            }
            boolean shared = instruction.role() == TimedInstruction.Role.SHARED || instruction.role() == TimedInstruction.Role.COPY
                    || sectors == 0;
            double begin = occupy(rank * SCHEDULERS, Pipe.SHARED, time, shared ? turns : 1);
            if (sectors == 0) {
                write(instruction, begin + turns - 1 + device.figure("shared_latency"), Chain.SHARED);
                return;
            }
            double done = Moved.isNear(moved) ? begin + cost.latency() + sectors / 4.0
                    : fetch(unit, rank, begin, (double) sectors * SECTOR, Moved.buffer(moved));
            switch (instruction.role()) {
                case COPY -> copies = Math.max(copies, done);
                case LOAD -> write(instruction, done, Chain.LOADS);
                default -> {} // nobody waits for a store
            }
        }

        private void atomic(TimedInstruction instruction, InstructionCost cost, int sectors, int together) {
            if (sectors > 0) {
                occupy(rank * SCHEDULERS, Pipe.L2, time, together);
                write(instruction, time + device.figure("l2_latency") + 2.0 * together, Chain.ATOMICS);
                return;
            }
            // Where there is no unit for it, each of those that meet reads, adds and compares in turn.
            boolean loop = instruction.isCompareAndSwapLoop();
            double begin = occupy(rank * SCHEDULERS, Pipe.SHARED, time, loop ? 2.0 * together : together);
            double done = begin + (loop ? together * 2 * cost.latency() : together + cost.latency());
            if (loop) {
                pass(done, Chain.ATOMICS); // a loop, which the warp itself runs
            }
            write(instruction, done, Chain.ATOMICS);
        }

        private void write(TimedInstruction instruction, double when, Chain reason) {
            for (int register : instruction.writes()) {
                if (!instruction.isGuarded() || when > ready[register]) {
                    ready[register] = when;
                    why[register] = reason;
                }
            }
        }
    }

    private static Pipe pipe(InstructionCost.Unit unit) {
        return switch (unit) {
            case NONE -> null;
            case ALU -> Pipe.ALU;
            case FMA -> Pipe.FMA;
            case SPECIAL -> Pipe.SPECIAL;
            case CONVERT -> Pipe.CONVERT;
            case DOUBLE -> Pipe.DOUBLE;
            case TENSOR -> Pipe.TENSOR;
            case SHARED -> Pipe.SHARED;
        };
    }
}
