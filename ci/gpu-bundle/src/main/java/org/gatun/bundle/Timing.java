package org.gatun.bundle;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaEvent;
import org.gatun.cuda.CudaGraph;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.kernels.KernelLaunch;

/// How long a launch takes.
///
/// @param median of the replays, in µs
/// @param min of them
/// @param max of them
record Timing(double median, double min, double max) {
    private static final int WARM_UP = 3;
    /// A graph takes this long at least, so that its own launch does not count.
    private static final double GRAPH_MICROS = 500;
    private static final int MAX_LAUNCHES = 512;

    /// Replays a graph of the launches, each as often as the others, and divides its time by their number.
    ///
    /// @param replays how many count
    /// @param launches of the same work on different data, which together exceed the L2 cache
    static Timing of(CudaContext context, int replays, List<KernelLaunch> launches) {
        try (CudaStream stream = context.createStream(); CudaEvent start = context.createTimingEvent();
                CudaEvent end = context.createTimingEvent()) {
            double once = replay(stream, start, end, launches, 2)[1];
            int rounds = (int) Math.clamp(GRAPH_MICROS / (once * launches.size()), 1, Math.max(1, MAX_LAUNCHES / launches.size()));
            List<KernelLaunch> all = new ArrayList<>();
            for (int i = 0; i < rounds; i++) {
                all.addAll(launches);
            }
            double[] micros = Arrays.copyOfRange(replay(stream, start, end, all, WARM_UP + replays), WARM_UP, WARM_UP + replays);
            Arrays.sort(micros);
            return new Timing(micros[micros.length / 2], micros[0], micros[micros.length - 1]);
        }
    }

    private static double[] replay(CudaStream stream, CudaEvent start, CudaEvent end, List<KernelLaunch> launches, int times) {
        double[] micros = new double[times];
        try (CudaGraph graph = stream.capture(() -> launches.forEach(launch -> launch.on(stream)))) {
            for (int i = 0; i < times; i++) {
                stream.record(start);
                stream.launch(graph);
                stream.record(end);
                end.synchronize();
                micros[i] = 1e3 * end.millisSince(start) / launches.size();
            }
        }
        return micros;
    }
}
