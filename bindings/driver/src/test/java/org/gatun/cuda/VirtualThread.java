package org.gatun.cuda;

import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;

/// A virtual thread that goes on on another thread of the system when it is told to.
final class VirtualThread {
    /// Of the scheduler, which has so many threads of the system, its carriers.
    private static final int CARRIERS = Integer.getInteger("jdk.virtualThreadScheduler.parallelism",
            Runtime.getRuntime().availableProcessors());

    @FunctionalInterface
    interface Work {
        void run(VirtualThread thread) throws InterruptedException;
    }

    private VirtualThread() {}

    /// Runs what may throw an assertion in a virtual thread.
    static void run(Work work) throws InterruptedException {
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread.ofVirtual().start(() -> {
            try {
                work.run(new VirtualThread());
            } catch (Throwable e) {
                failure.set(e);
            }
        }).join();
        if (failure.get() != null) {
            throw new AssertionError(failure.get());
        }
    }

    /// Others take all carriers, the last one that which this thread leaves while it waits for them; then the first lets go of its own.
    ///
    /// @param before done on each carrier, before this thread may come there
    void changeCarrier(Runnable before) {
        String left = carrier();
        AtomicInteger started = new AtomicInteger();
        CountDownLatch all = new CountDownLatch(CARRIERS);
        CountDownLatch back = new CountDownLatch(1);
        for (int i = 0; i < CARRIERS; i++) {
            Thread.ofVirtual().start(() -> {
                before.run();
                boolean first = started.incrementAndGet() == 1;
                all.countDown();
                while (first ? all.getCount() > 0 : back.getCount() > 0) {
                    Thread.onSpinWait();
                }
            });
        }
        while (started.get() < CARRIERS - 1) {
            Thread.onSpinWait();
        }
        try {
            all.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        back.countDown();
        assertNotEquals(left, carrier());
    }

    /// As the JDK names it.
    private static String carrier() {
        return Stream.of(Thread.currentThread().toString().split("@")).reduce((_, last) -> last).orElseThrow();
    }
}
