package org.gatun.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.CudaDrivers;
import org.gatun.cuda.CudaEvent;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.kernels.KernelLaunch;
import org.gatun.cuda.kernels.KernelLibrary;
import org.gatun.cuda.kernels.KernelVariant;
import org.gatun.cuda.simulator.DeviceModel;
import org.gatun.cuda.simulator.LaunchCounters;
import org.gatun.cuda.simulator.LaunchReport;
import org.gatun.cuda.simulator.ModelledTime;
import org.gatun.cuda.simulator.SimulatorDriver;
import org.gatun.cuda.simulator.SimulatorOptions;
import org.gatun.cuda.simulator.TimeModel;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// Lists the CUDA kernels, or runs them one by one.
@Command(name = "kernels", description = "Lists the CUDA kernels, or launches each and says what it did.", footer = {
        "", "The simulator runs the kernels without a GPU, checks every access and counts; a GPU is timed.",
        "", "Examples:",
        "  gatun kernels",
        "  gatun kernels --run",
        "  gatun kernels --run norm_rms_bf16 --rows 8 --width 4096 --json",
        "  gatun kernels --run matmul_bf16_16x128 --model h200 --rows 1 --width 4096"})
final class KernelsCommand implements Callable<Integer> {
    private static final int TIMED_LAUNCHES = 21;
    private static final long MODELLED_MEMORY_BYTES = 8L << 30;
    private static final String MODELLED_HEAD = "%-40s %12s %11s %8s %6s %6s %9s %6s  %s".formatted("kernel", "grid x block",
            "modelled us", "floor us", "waves", "warps", "under way", "trips", "limit");

    private final Console console;

    @Parameters(paramLabel = "KERNEL", description = "names of kernels; all if none is given")
    private List<String> kernels = new ArrayList<>();

    @Option(names = "--run", description = "launch them on random operands")
    private boolean run;

    @Option(names = "--driver", paramLabel = "NAME", defaultValue = "simulator",
            description = "what to launch them on, see gatun devices (default: ${DEFAULT-VALUE})")
    private String driver;

    @Option(names = "--model", paramLabel = "DEVICE",
            description = "say how long each would take on h200, h100, a100, rtx4090, rtx3090 or b200, by a model of time")
    private String model;

    @Option(names = "--rows", paramLabel = "N", defaultValue = "16", description = "rows of activations (default: ${DEFAULT-VALUE})")
    private int rows;

    @Option(names = "--width", paramLabel = "N", defaultValue = "1024",
            description = "elements of a row; the vocabulary is eight times that (default: ${DEFAULT-VALUE})")
    private int width;

    @Option(names = "--outputs", paramLabel = "N", description = "outputs of products (default: the width)")
    private Integer outputs;

    @Option(names = "--context", paramLabel = "N", defaultValue = "256",
            description = "slots of the key-value cache that are filled (default: ${DEFAULT-VALUE})")
    private int context;

    @Option(names = "--json", description = "print a JSON list")
    private boolean json;

    KernelsCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        List<KernelVariant> shipped = KernelVariant.all();
        List<String> names = shipped.stream().map(KernelVariant::kernel).distinct().toList();
        for (String name : kernels) {
            if (!names.contains(name)) {
                throw new IllegalArgumentException("unknown kernel '" + name + "': expected one of " + String.join(", ", names));
            }
        }
        List<String> chosen = kernels.isEmpty() ? names : kernels;
        if (model != null && (!run || !driver.equals("simulator"))) {
            throw new IllegalArgumentException("--model: expected --run, and the driver simulator");
        }
        if (run) {
            launch(chosen);
        } else {
            list(shipped.stream().filter(variant -> chosen.contains(variant.kernel())).toList());
        }
        return 0;
    }

    private void list(List<KernelVariant> variants) {
        if (json) {
            ArrayNode list = JsonNodeFactory.instance.arrayNode();
            for (KernelVariant variant : variants) {
                ObjectNode registers = list.addObject().put("kernel", variant.kernel()).put("ptx", variant.ptx())
                        .put("shared_bytes", variant.sharedBytes()).putObject("registers");
                variant.registers().forEach((capability, count) -> registers.put("sm_" + capability, count));
            }
            console.println(list.toString());
            return;
        }
        console.println("%-32s  %-18s  %12s  %s".formatted("kernel", "ptx", "shared bytes", "registers"));
        for (KernelVariant variant : variants) {
            List<String> registers = new ArrayList<>();
            variant.registers().forEach((capability, count) -> registers.add("sm_" + capability + " " + count));
            console.println("%-32s  %-18s  %12d  %s".formatted(variant.kernel(), variant.ptx(), variant.sharedBytes(),
                    String.join(", ", registers)));
        }
    }

    private void launch(List<String> names) {
        CudaDriver opened = model == null ? CudaDrivers.open(driver) : modelled(DeviceModel.of(model), KernelVariant.all());
        ArrayNode results = JsonNodeFactory.instance.arrayNode();
        if (!json) {
            console.println(model != null ? MODELLED_HEAD : opened instanceof SimulatorDriver
                    ? "%-32s %12s %10s %10s %10s %10s %9s %8s %7s".formatted("kernel", "grid x block", "thread ins",
                            "bytes read", "written", "coalesced", "conflicts", "barriers", "matrix")
                    : "%-32s %12s %14s".formatted("kernel", "grid x block", "microseconds"));
        }
        try (Progress progress = new Progress(console, "launching kernels", names.size());
                CudaContext device = CudaContext.open(opened, 0); KernelLibrary library = new KernelLibrary(device);
                CudaStream stream = device.createStream()) {
            for (int i = 0; i < names.size(); i++) {
                if (kernels.isEmpty() && !library.has(names.get(i))) {
                    continue; // for another compute capability
                }
                try (KernelSamples samples = new KernelSamples(library, rows, width, outputs == null ? width : outputs, context)) {
                    KernelLaunch launch = samples.launch(names.get(i));
                    ObjectNode result = results.addObject().put("kernel", names.get(i)).put("driver", opened.name())
                            .put("blocks", launch.configuration().blocks())
                            .put("block_threads", launch.configuration().blockThreads());
                    if (model != null) {
                        model((SimulatorDriver) opened, stream, launch, result);
                    } else if (opened instanceof SimulatorDriver simulator) {
                        count(simulator, stream, launch, result);
                    } else {
                        time(stream, launch, result);
                    }
                }
                progress.at(i + 1);
            }
        }
        if (json) {
            console.println(results.toString());
        }
    }

    private static CudaDriver modelled(DeviceModel device, List<KernelVariant> shipped) {
        Map<String, Integer> registers = new HashMap<>();
        for (KernelVariant variant : shipped) {
            if (variant.runsOn(device.computeCapability())) {
                registers.put(variant.kernel(), variant.registers().getOrDefault(device.computeCapability(), 0));
            }
        }
        return SimulatorDriver.open(SimulatorOptions.defaults().withMemoryBytes(MODELLED_MEMORY_BYTES)
                .withModel(new TimeModel(device, registers)));
    }

    private void model(SimulatorDriver simulator, CudaStream stream, KernelLaunch launch, ObjectNode result) {
        simulator.takeReports();
        launch.on(stream);
        stream.synchronize();
        LaunchReport report = simulator.takeReports().getFirst();
        ModelledTime time = report.time().orElseThrow();
        result.put("model", model).put("modelled_us", time.microseconds()).put("floor_us", time.floorMicroseconds())
                .put("limit", time.limit()).put("resident_blocks", time.residentBlocks()).put("waves", time.waves())
                .put("warps_per_scheduler", time.warpsPerScheduler()).put("bytes_under_way", time.bytesUnderWay())
                .put("load_round_trips", report.waits().orElseThrow().loadRoundTrips()).put("atomics_share", time.atomicsShare())
                .put("sampled_blocks", time.sampledBlocks());
        if (!Double.isNaN(time.stagesFull())) {
            result.put("stages_full", time.stagesFull());
        }
        if (!json) {
            console.println(String.format(Locale.ROOT, "%-40s %12s %11.1f %8.1f %6.1f %6.1f %9.0f %6d  %s", launch.function().name(),
                    size(launch), time.microseconds(), time.floorMicroseconds(), time.waves(), time.warpsPerScheduler(),
                    time.bytesUnderWay(), report.waits().orElseThrow().loadRoundTrips(), time.limit()));
        }
    }

    private void count(SimulatorDriver simulator, CudaStream stream, KernelLaunch launch, ObjectNode result) {
        simulator.takeReports();
        launch.on(stream);
        stream.synchronize();
        LaunchCounters counters = simulator.takeReports().getFirst().counters();
        LaunchCounters.Global global = counters.global();
        result.put("warp_instructions", counters.warpInstructions()).put("thread_instructions", counters.threadInstructions())
                .put("global_requests", global.requests()).put("global_bytes_read", global.loadedBytes())
                .put("global_bytes_written", global.storedBytes()).put("global_sectors_read", global.loadedSectors())
                .put("global_sectors_written", global.storedSectors()).put("coalescing", global.coalescing())
                .put("shared_requests", counters.shared().requests()).put("bank_conflicts", counters.shared().bankConflicts())
                .put("barriers", counters.barriers()).put("matrix_instructions", counters.matrixInstructions())
                .put("divergent_branches", counters.divergentBranches());
        ObjectNode classes = result.putObject("thread_instructions_by_class");
        counters.byClass().forEach((kind, count) -> classes.put(kind.name().toLowerCase(Locale.ROOT), count));
        if (!json) {
            console.println(String.format(Locale.ROOT, "%-32s %12s %10d %10d %10d %9.1f%% %9d %8d %7d", launch.function().name(),
                    size(launch), counters.threadInstructions(), global.loadedBytes(), global.storedBytes(),
                    100 * global.coalescing(), counters.shared().bankConflicts(), counters.barriers(),
                    counters.matrixInstructions()));
        }
    }

    /// The median of launches that follow each other; what is between them, some microseconds, is in it.
    private void time(CudaStream stream, KernelLaunch launch, ObjectNode result) {
        CudaEvent before = launch.function().module().context().createTimingEvent();
        CudaEvent after = launch.function().module().context().createTimingEvent();
        double[] microseconds = new double[TIMED_LAUNCHES];
        for (int i = 0; i < TIMED_LAUNCHES; i++) {
            stream.record(before);
            launch.on(stream);
            stream.record(after);
            after.synchronize();
            microseconds[i] = 1000 * after.millisSince(before);
        }
        Arrays.sort(microseconds);
        double median = microseconds[TIMED_LAUNCHES / 2];
        result.put("microseconds", median);
        if (!json) {
            console.println(String.format(Locale.ROOT, "%-32s %12s %14.1f", launch.function().name(), size(launch), median));
        }
    }

    private static String size(KernelLaunch launch) {
        return launch.configuration().blocks() + " x " + launch.configuration().blockThreads();
    }
}
