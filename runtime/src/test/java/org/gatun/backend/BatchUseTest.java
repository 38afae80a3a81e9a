package org.gatun.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.gatun.backend.cpu.CpuBackend;
import org.gatun.backend.cpu.CpuOptions;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.sampling.Sampling;
import org.gatun.tensor.DType;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// What batches of many sequences leave behind on the heap, and what happens to them when their pages are closed.
class BatchUseTest {
    private static final BatchLimits LIMITS = new BatchLimits(64, 64, 64, 12);
    private static final KvLayout LAYOUT = KvLayout.uniform(1, 2, BatchTest.HEAD_DIM, DType.F16);

    /// Sequences that decode together.
    private static final class Decoding implements AutoCloseable {
        private final Arena arena = Arena.ofShared();
        private final Executable executable;
        private final KvPool pool;
        private final List<PageTable> tables = new ArrayList<>();
        private final List<Segment> segments = new ArrayList<>();
        private final Batch batch = new Batch();
        private final int[] text = new int[512];

        Decoding(Backend backend, int sequences) {
            executable = backend.compile(BatchTest.plan(arena, 0), LIMITS);
            pool = backend.openKvPool(LAYOUT, 8 * sequences);
            for (int i = 0; i < sequences; i++) {
                tables.add(pool.openTable(512));
                segments.add(new Segment(arena, LIMITS));
                batch.add(segments.get(i), tables.get(i), new VerificationResult(LIMITS.treeRows()));
            }
        }

        /// One step of each, at different lengths.
        void step(int length) {
            for (int i = 0; i < segments.size(); i++) {
                segments.get(i).beginCausal(length + (length == 0 ? 0 : i)).addRow(i);
                for (int row = 0; length == 0 && row < i; row++) {
                    segments.get(i).addRow(row);
                }
                segments.get(i).sample(Sampling.GREEDY, text, 0);
            }
            executable.verify(batch);
        }

        void rewind() {
            for (int i = 0; i < tables.size(); i++) {
                tables.get(i).rewind(0);
            }
        }

        @Override
        public void close() {
            executable.close();
            pool.close();
            arena.close();
        }
    }

    @Test
    void verify_manySegmentsThatTakeAndGiveBackPages_allocatesNothing() {
        ThreadMXBean thread = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (CpuBackend backend = CpuBackend.open(CpuOptions.threads(2)); Decoding decoding = new Decoding(backend, 6)) {
            long least = Long.MAX_VALUE; // compilers allocate now and then, when they take back what they compiled
            for (int round = 0; round < 20; round++) {
                long before = thread.getCurrentThreadAllocatedBytes();
                for (int length = 0; length < 200; length++) {
                    decoding.step(length);
                }
                decoding.rewind();
                least = Math.min(least, thread.getCurrentThreadAllocatedBytes() - before);
            }
            assertEquals(0, least, "bytes of 200 steps");
        }
    }

    static Stream<Backend> backends() {
        return Stream.of(new ReferenceBackend(), CpuBackend.open(CpuOptions.threads(2)));
    }

    @ParameterizedTest
    @MethodSource("backends")
    void close_pagesOfABatchThatRuns_waitsAndRefusesTheNext(Backend backend) throws InterruptedException {
        long seed = TestScale.seed();
        SplittableRandom random = new SplittableRandom(seed);
        int refused = 0;
        for (int round = 0; round < TestScale.rounds(60, 5_000); round++) {
            try (Decoding decoding = new Decoding(backend, 3)) {
                AtomicReference<Throwable> failure = new AtomicReference<>();
                CountDownLatch begun = new CountDownLatch(1);
                Thread runner = Thread.ofPlatform().start(() -> {
                    try {
                        for (int length = 0; length < 300; length++) {
                            decoding.step(length);
                            begun.countDown();
                        }
                    } catch (Throwable e) {
                        failure.set(e);
                    }
                    begun.countDown();
                });
                begun.await();
                LockSupport.parkNanos(random.nextInt(2_000_000));
                AutoCloseable closed = switch (random.nextInt(3)) {
                    case 0 -> decoding.tables.get(random.nextInt(3));
                    case 1 -> decoding.pool;
                    default -> decoding.executable;
                };
                close(closed);
                runner.join();
                assertTrue(failure.get() == null || failure.get() instanceof IllegalStateException,
                        () -> "seed " + seed + ": " + failure.get());
                refused += failure.get() == null ? 0 : 1;
            }
        }
        backend.close();
        assertTrue(refused > 0, "nothing was closed while it ran");
    }

    private static void close(AutoCloseable closed) {
        try {
            closed.close();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
