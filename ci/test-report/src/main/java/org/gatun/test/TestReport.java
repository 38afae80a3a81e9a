package org.gatun.test;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;

/// Prints, at the end of a test run, how many tests ran and, grouped by reason, what was skipped; where processes share a module's
/// tests, each of them says its part. JUnit finds it by `META-INF/services` in every module that has it on its test class path.
public final class TestReport implements TestExecutionListener {
    private final AtomicInteger passed = new AtomicInteger();
    private final AtomicInteger failed = new AtomicInteger();
    private final Map<String, AtomicInteger> skipped = new ConcurrentHashMap<>();

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
        skip(test, reason);
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        switch (result.getStatus()) {
            case SUCCESSFUL -> {
                if (test.isTest()) {
                    passed.incrementAndGet();
                }
            }
            case FAILED -> failed.incrementAndGet();
            case ABORTED -> skip(test, result.getThrowable().map(Throwable::getMessage).orElse("no reason given"));
        }
    }

    private void skip(TestIdentifier test, String reason) {
        skipped.computeIfAbsent(className(test) + ": " + reason, _ -> new AtomicInteger()).incrementAndGet();
    }

    private static String className(TestIdentifier test) {
        return test.getSource().map(source -> switch (source) {
            case MethodSource method -> method.getClassName();
            case ClassSource type -> type.getClassName();
            default -> test.getDisplayName();
        }).orElse(test.getDisplayName());
    }

    @Override
    public void testPlanExecutionFinished(TestPlan plan) {
        int skips = skipped.values().stream().mapToInt(AtomicInteger::get).sum();
        if (passed.get() + failed.get() + skips == 0) {
            return;
        }
        System.out.println(passed + " passed, " + failed + " failed, " + skips + " skipped");
        new TreeMap<>(skipped).forEach((reason, count) -> System.out.println("  skipped " + count + " of " + reason));
    }
}
