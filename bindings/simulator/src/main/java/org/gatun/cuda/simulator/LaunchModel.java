package org.gatun.cuda.simulator;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.gatun.cuda.LaunchConfiguration;
import org.gatun.cuda.simulator.Replay.Chain;
import org.gatun.cuda.simulator.Replay.Pipe;

/// Gathers what clusters of a launch did, and says how long all would take.
///
/// Clusters that did as many instructions are taken to be alike: one of each kind is kept. Used by the workers of a launch.
final class LaunchModel {
    private static final int SAMPLES = 6;
    /// Launches up to so many clusters are run whole.
    private static final int WHOLE = 8;
    private static final int SCHEDULERS = 4;
    /// From this part of the time on a pipe is what binds.
    private static final double BUSY = 0.8;
    private static final int REGISTER_UNIT = 256;
    private static final int SHARED_RESERVED = 1024;

    /// @param kind its number
    /// @param bytes moved, L1 left out
    private record Kind(int kind, ClusterTrace trace, List<ClusterFootprint.Traffic> traffic, double bytes) {}

    private final TimeModel model;
    private final DeviceModel device;
    private final TimedKernel kernel;
    private final LaunchConfiguration configuration;
    private final int blocks;
    private final int clusters;
    /// By length of the trace.
    private final Map<Long, Kind> kinds = new HashMap<>();
    /// By number of the cluster, null where it was not run.
    private final Kind[] ran;
    private int sampled;

    /// @param blocks of a cluster
    LaunchModel(TimeModel model, TimedKernel kernel, LaunchConfiguration configuration, int blocks) {
        this.model = model;
        device = model.device();
        this.kernel = kernel;
        this.configuration = configuration;
        this.blocks = blocks;
        clusters = (int) (configuration.blocks() / blocks);
        ran = new Kind[clusters];
    }

    /// The clusters to run; null for all. Blocks that may hear of each other are run whole.
    long[] sample() {
        if (kernel.hasGlobalAtomics() || clusters <= WHOLE) {
            return null;
        }
        long[] sample = new long[SAMPLES];
        Arrays.setAll(sample, i -> (long) i * (clusters - 1) / (SAMPLES - 1));
        return sample;
    }

    /// A cluster has run.
    synchronized void add(ClusterTrace trace) {
        long size = 0;
        for (ClusterTrace.WarpTrace warp : trace.warps) {
            size = size * 31 + warp.size();
        }
        Kind kind = kinds.get(size);
        if (kind == null) {
            List<ClusterFootprint.Traffic> traffic = trace.footprint.traffic();
            kind = new Kind(kinds.size(), trace, traffic, traffic.stream().mapToLong(ClusterFootprint.Traffic::bytes).sum());
            kinds.put(size, kind);
        }
        ran[(int) trace.index] = kind;
        sampled++;
    }

    /// Takes those that were not run to be like the nearest that was, but for the first and the last.
    private Kind[] all() {
        if (sampled == clusters) {
            return ran;
        }
        Kind[] all = ran.clone();
        long[] sample = sample();
        for (int i = 0; i < clusters; i++) {
            if (all[i] == null) {
                int nearest = Math.clamp(Math.round((double) i * (SAMPLES - 1) / (clusters - 1)), 1, SAMPLES - 2);
                all[i] = ran[(int) sample[nearest]];
            }
        }
        return all;
    }

    /// Blocks that run on a multiprocessor at a time.
    private int resident() {
        int warps = Math.ceilDiv(configuration.blockThreads(), Warp.SIZE);
        int registers = model.registers().getOrDefault(kernel.kernel.name(), 0);
        int shared = kernel.kernel.dynamicSharedOffset() + configuration.dynamicSharedBytes() + SHARED_RESERVED;
        double most = Math.min(device.figure("blocks"), Math.floor(device.figure("threads") / (warps * Warp.SIZE)));
        most = Math.min(most, Math.floor(device.figure("shared_bytes") / shared));
        if (registers > 0) {
            int warp = Math.ceilDiv(registers * Warp.SIZE, REGISTER_UNIT) * REGISTER_UNIT;
            most = Math.min(most, (double) (DeviceModel.REGISTERS / warp) / warps);
        }
        return Math.max(1, (int) most);
    }

    /// By buffer: bytes moved by all, and those of them that are distinct.
    private Map<Allocation, double[]> traffic(Kind[] all) {
        Map<Allocation, double[]> sums = new HashMap<>();
        long[] counts = new long[kinds.size()];
        for (Kind each : all) {
            counts[each.kind]++;
        }
        for (Kind each : kinds.values()) {
            for (ClusterFootprint.Traffic traffic : each.traffic) {
                double[] sum = sums.computeIfAbsent(traffic.buffer(), _ -> new double[2]);
                sum[0] += (double) counts[each.kind] * traffic.bytes();
                sum[1] = Math.min(traffic.buffer().size, sum[1] + (double) counts[each.kind] * traffic.distinct());
            }
        }
        return sums;
    }

    ModelledTime time() {
        Kind[] all = all();
        Map<Allocation, double[]> traffic = traffic(all);
        double[][] shares = new double[kinds.size()][128];
        for (Kind kind : kinds.values()) {
            for (int i = 0; i < Math.min(128, kind.traffic.size()); i++) {
                double[] sum = traffic.get(kind.traffic.get(i).buffer());
                shares[kind.kind][i] = sum[0] == 0 ? 0 : Math.min(1, sum[1] / sum[0]);
            }
        }
        int groups = Math.max(1, device.multiprocessors() / blocks);
        int resident = resident();
        List<Replay.Unit> units = heaviest(all, groups);
        Replay.Job job = new Replay.Job(device, kernel, blocks, shares);
        Replay.Result result = replay(job, units, resident);
        double distinct = traffic.values().stream().mapToDouble(sum -> sum[1]).sum();
        double memory = distinct / device.memoryBytesPerMicrosecond();
        double replayed = result.cycles() / device.cyclesPerMicrosecond();
        int warps = Math.ceilDiv(configuration.blockThreads(), Warp.SIZE);
        double perScheduler = (double) Math.min(resident, Math.ceilDiv(clusters, groups)) * warps / SCHEDULERS;
        double chain = Arrays.stream(result.chain()).sum();
        return new ModelledTime(device.figure("launch_us") + Math.max(replayed, memory), Math.max(memory, products(all)),
                memory > replayed ? Pipe.MEMORY.words : limit(result, Math.min(groups, clusters) * blocks), resident,
                (double) clusters / groups / resident, perScheduler, result.underWay(), result.stages(),
                result.chain()[Chain.ATOMICS.ordinal()] / chain, (long) sampled * blocks);
    }

    /// Microseconds in which the tensor cores do the products of all.
    private double products(Kind[] all) {
        InstructionCost[] costs = kernel.costs(device);
        double[] cycles = new double[kinds.size()];
        for (Kind kind : kinds.values()) {
            for (ClusterTrace.WarpTrace warp : kind.trace.warps) {
                cycles[kind.kind] += warp.instructions(number -> costs[number].unit() == InstructionCost.Unit.TENSOR
                        ? costs[number].cycles() / SCHEDULERS : 0);
            }
        }
        double sum = 0;
        for (Kind kind : all) {
            sum += cycles[kind.kind];
        }
        return sum / device.multiprocessors() / device.cyclesPerMicrosecond();
    }

    /// What the multiprocessors with most to do run, in order: clusters go round.
    private List<Replay.Unit> heaviest(Kind[] all, int groups) {
        double[] work = new double[Math.min(groups, clusters)];
        for (int i = 0; i < clusters; i++) {
            for (ClusterTrace.WarpTrace warp : all[i].trace.warps) {
                work[i % groups] += warp.size();
            }
        }
        int group = 0;
        for (int i = 1; i < work.length; i++) {
            group = work[i] > work[group] ? i : group;
        }
        List<Replay.Unit> units = new ArrayList<>();
        for (int layer = 0; layer * groups + group < clusters; layer++) {
            double bytes = 0;
            for (int i = layer * groups; i < Math.min(clusters, (layer + 1) * groups); i++) {
                bytes += all[i].bytes;
            }
            Kind kind = all[layer * groups + group];
            double sharers = kind.bytes == 0 ? 1 : Math.max(1, bytes / kind.bytes * blocks);
            units.add(new Replay.Unit(kind.trace, kind.kind, sharers));
        }
        return units;
    }

    /// Runs units again; of many that are alike some, and the others take as long.
    private Replay.Result replay(Replay.Job job, List<Replay.Unit> units, int resident) {
        int few = 2 * resident;
        boolean alike = units.stream().allMatch(each -> each.kind() == units.getFirst().kind());
        if (units.size() <= few + 2 * resident || !alike) {
            return Replay.run(job, units, resident);
        }
        Replay.Result some = Replay.run(job, units.subList(0, few), resident);
        Replay.Result more = Replay.run(job, units.subList(0, few + resident), resident);
        double times = (double) (units.size() - few - resident) / resident;
        double[] chain = more.chain().clone();
        double[] busy = more.busy().clone();
        for (int i = 0; i < chain.length; i++) {
            chain[i] += times * (more.chain()[i] - some.chain()[i]);
        }
        for (int i = 0; i < busy.length; i++) {
            busy[i] += times * (more.busy()[i] - some.busy()[i]);
        }
        return new Replay.Result(more.cycles() + times * (more.cycles() - some.cycles()), chain, busy, more.stages(), more.underWay());
    }

    private String limit(Replay.Result result, int multiprocessors) {
        int pipe = most(result.busy());
        String binds = result.busy()[pipe] >= BUSY * result.cycles() ? Pipe.values()[pipe].words
                : "chain: " + Chain.values()[most(result.chain())].words;
        return 2 * multiprocessors <= device.multiprocessors()
                ? "%s, on %d of %d multiprocessors".formatted(binds, multiprocessors, device.multiprocessors()) : binds;
    }

    private static int most(double[] values) {
        int most = 0;
        for (int i = 1; i < values.length; i++) {
            most = values[i] > values[most] ? i : most;
        }
        return most;
    }
}
