package org.gatun.bundle;

import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.platform.engine.CancellationToken;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.TagFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherConfig;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherExecutionRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/// The tests of all modules that are tagged `gpu`, run on a driver.
final class GpuTests {
    /// Those of every op, kernel and decoder. A test of this module holds the list to the sources.
    static final List<String> CLASSES = List.of("org.gatun.bundle.SafeLayerOnDeviceTest", "org.gatun.bundle.StoriesOnDeviceTest",
            "org.gatun.cuda.jcuda.SharingTest", "org.gatun.backend.BackendDifferentialTest",
            "org.gatun.backend.cuda.CudaKernelDifferentialTest", "org.gatun.generation.CloseStormTest", "org.gatun.model.ModelTest",
            "org.gatun.model.NonFiniteLogitsTest", "org.gatun.speculative.LosslessTest", "org.gatun.speculative.TreePassTest");
    /// The short set, for tools that slow every access down.
    static final List<String> KERNELS = List.of("org.gatun.backend.cuda.CudaKernelDifferentialTest");

    private static final String DRIVER = "gatun.test.driver";
    private static final Duration BETWEEN_LINES = Duration.ofSeconds(10);

    private GpuTests() {}

    /// What came of a run.
    ///
    /// @param failures name of each test that failed, and why
    /// @param skips likewise of each that was skipped
    /// @param cut whether time ran out
    record Outcome(int passed, List<String> failures, List<String> skips, boolean cut) {
        Outcome plus(Outcome other) {
            return new Outcome(passed + other.passed, concat(failures, other.failures), concat(skips, other.skips), cut || other.cut);
        }

        private static List<String> concat(List<String> a, List<String> b) {
            return Stream.concat(a.stream(), b.stream()).toList();
        }

        boolean isGood() {
            return failures.isEmpty() && passed > 0 && !cut;
        }

        @Override
        public String toString() {
            return passed + " passed, " + failures.size() + " failed, " + skips.size() + " skipped" + (cut ? ", cut off by time" : "");
        }
    }

    /// Runs tests.
    ///
    /// @param driver that they run on
    /// @param limit no test is begun after it
    static Outcome run(String driver, List<String> classes, Duration limit, PrintStream out) {
        System.setProperty(DRIVER, driver);
        Listener listener = new Listener(driver, Instant.now().plus(limit), out);
        LauncherConfig quiet = LauncherConfig.builder().enableTestExecutionListenerAutoRegistration(false).build();
        LauncherFactory.create(quiet).execute(LauncherExecutionRequestBuilder.request(LauncherDiscoveryRequestBuilder.request()
                .selectors(classes.stream().map(DiscoverySelectors::selectClass).toList())
                .filters(TagFilter.includeTags("gpu"))
                .build()).cancellationToken(listener.cancellation).listeners(listener).build());
        Outcome outcome = new Outcome(listener.passed, List.copyOf(listener.failures), List.copyOf(listener.skips),
                listener.cancellation.isCancellationRequested());
        out.println(driver + ": " + outcome);
        return outcome;
    }

    private static final class Listener implements TestExecutionListener {
        private final String driver;
        private final Instant end;
        private final PrintStream out;
        private final CancellationToken cancellation = CancellationToken.create();
        private final List<String> failures = new ArrayList<>();
        private final List<String> skips = new ArrayList<>();
        private int passed;
        private Instant said = Instant.EPOCH;

        Listener(String driver, Instant end, PrintStream out) {
            this.driver = driver;
            this.end = end;
            this.out = out;
        }

        @Override
        public void executionStarted(TestIdentifier test) {
            Instant now = Instant.now();
            if (now.isAfter(end)) {
                cancellation.cancel();
            } else if (Duration.between(said, now).compareTo(BETWEEN_LINES) >= 0) {
                said = now;
                out.println(driver + ": " + passed + " passed, " + failures.size() + " failed, at " + name(test));
            }
        }

        @Override
        public void executionSkipped(TestIdentifier test, String reason) {
            if (!cancellation.isCancellationRequested()) {
                skips.add(name(test) + ": " + reason);
            }
        }

        @Override
        public void executionFinished(TestIdentifier test, TestExecutionResult result) {
            String reason = result.getThrowable().map(Throwable::toString).orElse("no reason given");
            switch (result.getStatus()) {
                case SUCCESSFUL -> passed += test.isTest() ? 1 : 0;
                case ABORTED -> skips.add(name(test) + ": " + reason);
                case FAILED -> {
                    failures.add(name(test) + ": " + reason);
                    out.println("FAILED " + failures.getLast());
                }
            }
        }

        private static String name(TestIdentifier test) {
            return test.getUniqueIdObject().getSegments().stream().skip(1).map(segment -> segment.getValue())
                    .reduce((a, b) -> a + " " + b).orElse("all") + " (" + test.getDisplayName() + ")";
        }
    }
}
