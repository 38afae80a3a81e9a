package org.gatun.cuda.simulator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.LaunchConfiguration;
import org.junit.jupiter.api.Test;

/// Kernels that are right and slow, each beside a mended one: the model of time must tell them apart, and name what binds the slow one.
final class PlantedSlownessTest {
    private static final int MULTIPROCESSORS = DeviceModel.H200.multiprocessors();
    private static final int BLOCK_BYTES = 1 << 18;

    private record Modelled(ModelledTime time, int loadRoundTrips) {}

    /// @param body of a kernel with a buffer `p0` of zeros
    private static Modelled model(int blocks, int threads, String body, long bytes) {
        SimulatorOptions options = SimulatorOptions.defaults().withModel(new TimeModel(DeviceModel.H200, Map.of()));
        try (Machine machine = new Machine(options)) {
            CudaFunction kernel = machine.kernel(".u64", body);
            machine.run(kernel, LaunchConfiguration.of(blocks, threads), machine.buffer(new int[(int) (bytes / Integer.BYTES)]));
            LaunchReport report = machine.driver.takeReports().getFirst();
            return new Modelled(report.time().orElseThrow(), report.waits().orElseThrow().loadRoundTrips());
        }
    }

    private static void assertNamed(Modelled slow, Modelled mended, String limit, double times) {
        assertEquals(limit, slow.time.limit(), slow + "\n" + mended);
        assertNotEquals(slow.time.limit(), mended.time.limit(), slow + "\n" + mended);
        double overhead = DeviceModel.H200.figure("launch_us");
        assertTrue(slow.time.microseconds() - overhead > times * (mended.time.microseconds() - overhead), slow + "\n" + mended);
    }

    /// Each block reads [#BLOCK_BYTES], `loads` times 16 bytes a thread before it uses any.
    private static String stream(int threads, int loads, long bytes) {
        StringBuilder body = new StringBuilder("""
                ld.param.u64 %%rd1, [p0];
                mov.u32 %%r1, %%tid.x;
                mov.u32 %%r2, %%ctaid.x;
                mul.wide.u32 %%rd2, %%r2, %d;
                add.s64 %%rd1, %%rd1, %%rd2;
                mul.wide.u32 %%rd3, %%r1, 16;
                add.s64 %%rd1, %%rd1, %%rd3;
                mov.u32 %%r3, 0;
                mov.u32 %%r4, 0;
                LOOP:
                """.formatted(bytes));
        for (int i = 0; i < loads; i++) {
            body.append("ld.global.cg.v4.u32 {%%r%d, %%r%d, %%r%d, %%r%d}, [%%rd1+%d];%n".formatted(10 + 4 * i, 11 + 4 * i, 12 + 4 * i,
                    13 + 4 * i, 16 * threads * i));
        }
        for (int i = 0; i < loads; i++) {
            body.append("add.u32 %%r3, %%r3, %%r%d;%n".formatted(10 + 4 * i));
        }
        return body + """
                add.s64 %%rd1, %%rd1, %d;
                add.u32 %%r4, %%r4, 1;
                setp.lt.u32 %%p1, %%r4, %d;
                @%%p1 bra LOOP;
                """.formatted(16 * threads * loads, bytes / (16 * threads * loads));
    }

    @Test
    void stream_fewBytesUnderWay_waitsForLoads() {
        long bytes = (long) MULTIPROCESSORS * BLOCK_BYTES;
        Modelled slow = model(MULTIPROCESSORS, 64, stream(64, 1, BLOCK_BYTES), bytes);
        Modelled mended = model(MULTIPROCESSORS, 512, stream(512, 8, BLOCK_BYTES), bytes);

        assertNamed(slow, mended, "chain: loads", 4);
        assertEquals("memory", mended.time.limit());
        assertTrue(slow.time.bytesUnderWay() < 2048 && mended.time.bytesUnderWay() > 16_384, slow + "\n" + mended);
    }

    @Test
    void stream_oneBlockDoingAll_leavesTheDeviceIdle() {
        int blocks = 16;
        long bytes = (long) blocks * BLOCK_BYTES;
        Modelled slow = model(1, 512, stream(512, 8, bytes), bytes);
        Modelled mended = model(blocks, 512, stream(512, 8, BLOCK_BYTES), bytes);

        assertNamed(slow, mended, "l2, on 1 of 132 multiprocessors", 8);
    }

    @Test
    void loads_eachFromTheAddressBefore_areOneChain() {
        StringBuilder chain = new StringBuilder("""
                ld.param.u64 %rd1, [p0];
                mov.u32 %r1, %tid.x;
                mul.wide.u32 %rd2, %r1, 4;
                add.s64 %rd1, %rd1, %rd2;
                mov.u32 %r3, 0;
                """);
        StringBuilder beside = new StringBuilder(chain);
        for (int i = 0; i < 32; i++) {
            chain.append("""
                    ld.global.cg.u32 %%r2, [%%rd1+%d];
                    add.u32 %%r3, %%r3, %%r2;
                    cvt.u64.u32 %%rd3, %%r2;
                    add.s64 %%rd1, %%rd1, %%rd3;
                    """.formatted(128 * i));
            beside.append("ld.global.cg.u32 %%r%d, [%%rd1+%d];%n".formatted(10 + i, 128 * i));
        }
        for (int i = 0; i < 32; i++) {
            beside.append("add.u32 %%r3, %%r3, %%r%d;%n".formatted(10 + i));
        }
        beside.append("add.u32 %r3, %r3, 1;\n".repeat(200));
        chain.append("add.u32 %r3, %r3, 1;\n".repeat(200));

        Modelled slow = model(1, 32, chain.toString(), 4096 * 4);
        Modelled mended = model(1, 32, beside.toString(), 4096 * 4);

        assertEquals(32, slow.loadRoundTrips);
        assertEquals(1, mended.loadRoundTrips);
        assertNamed(slow, mended, "chain: loads, on 1 of 132 multiprocessors", 4);
    }

    private static final String COPIES = """
            cp.async.cg.shared.global [%r20], [%rd1], 16;
            cp.async.cg.shared.global [%r20+512], [%rd1+512], 16;
            cp.async.commit_group;
            """;

    private static String tableKernel(boolean copiesFirst) {
        return """
                .shared .align 16 .b8 stage[1024];
                .shared .align 16 .b8 table[8192];
                ld.param.u64 %rd1, [p0];
                mov.u32 %r1, %tid.x;
                mul.wide.u32 %rd2, %r1, 16;
                add.s64 %rd1, %rd1, %rd2;
                mov.u32 %r20, stage;
                mad.lo.u32 %r20, %r1, 16, %r20;
                mov.u32 %r21, table;
                mad.lo.u32 %r21, %r1, 4, %r21;
                mov.u32 %r4, 0;
                """ + (copiesFirst ? COPIES : "") + """
                LOOP:
                xor.b32 %r5, %r4, %r1;
                st.shared.u32 [%r21], %r5;
                add.u32 %r21, %r21, 128;
                add.u32 %r4, %r4, 1;
                setp.lt.u32 %p1, %r4, 48;
                @%p1 bra LOOP;
                """ + (copiesFirst ? "" : COPIES) + """
                cp.async.wait_group 0;
                ld.shared.u32 %r6, [%r20];
                """;
    }

    @Test
    void table_filledBeforeTheFirstCopy_delaysIt() {
        Modelled slow = model(1, 32, tableKernel(false), 4096);
        Modelled mended = model(1, 32, tableKernel(true), 4096);

        assertNamed(slow, mended, "chain: copies, on 1 of 132 multiprocessors", 1.3);
    }

    private static String atomics(String operation, int stride) {
        return """
                .shared .align 8 .b8 bins[2048];
                mov.u32 %%r1, %%tid.x;
                mov.u32 %%r20, bins;
                mad.lo.u32 %%r21, %%r1, 8, %%r20;
                mov.u64 %%rd1, 0;
                st.shared.u64 [%%r21], %%rd1;
                bar.sync 0;
                and.b32 %%r2, %%r1, 31;
                mad.lo.u32 %%r20, %%r2, %d, %%r20;
                mov.u64 %%rd2, 1;
                mov.u32 %%r3, 1;
                mov.u32 %%r4, 0;
                LOOP:
                %s
                add.u32 %%r4, %%r4, 1;
                setp.lt.u32 %%p1, %%r4, 32;
                @%%p1 bra LOOP;
                """.formatted(stride, operation);
    }

    @Test
    void atomics_of64BitsThatCollide_takeTurns() {
        Modelled slow = model(1, 256, atomics("red.shared.add.u64 [%r20], %rd2;", 0), 4096);
        Modelled mended = model(1, 256, atomics("red.shared.add.u32 [%r20], %r3;", 4), 4096);

        assertNamed(slow, mended, "chain: atomics, on 1 of 132 multiprocessors", 20);
        assertTrue(slow.time.atomicsShare() > 0.9 && mended.time.atomicsShare() < 0.1, slow + "\n" + mended);
    }

    /// A warp feeds four stages, which another multiplies.
    ///
    /// @param ahead steps whose copies run before the first of them is handed over
    private static String ring(int ahead, int steps) {
        StringBuilder feeder = new StringBuilder();
        StringBuilder consumer = new StringBuilder();
        for (int step = 0; step < steps + ahead; step++) {
            int stage = step % 4;
            if (step < steps) {
                if (step >= 4) {
                    feeder.append(waitFor("E" + step, 32 + 8 * stage, step / 4 % 2 ^ 1));
                }
                feeder.append("cp.async.cg.shared.global [%%r20+%d], [%%rd1+%d], 16;%n".formatted(512 * stage, 512 * step));
            }
            feeder.append("cp.async.commit_group;\n");
            if (step >= ahead) {
                feeder.append("cp.async.wait_group %d;%nbar.warp.sync -1;%n".formatted(ahead))
                        .append("@%%p0 mbarrier.arrive.shared.b64 %%rd9, [bars+%d];%n".formatted(8 * ((step - ahead) % 4)));
            }
        }
        for (int step = 0; step < steps; step++) {
            int stage = step % 4;
            consumer.append(waitFor("F" + step, 8 * stage, step / 4 % 2))
                    .append("ld.shared.v4.u32 {%%r30, %%r31, %%r32, %%r33}, [%%r20+%d];%n".formatted(512 * stage));
            for (int i = 0; i < 80; i++) {
                int d = 4 * (i % 8);
                consumer.append("""
                        mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%%f%1$d, %%f%2$d, %%f%3$d, %%f%4$d}, {%%r30, %%r31, %%r32, %%r33},
                        {%%r30, %%r31}, {%%f%1$d, %%f%2$d, %%f%3$d, %%f%4$d};
                        """.formatted(d, d + 1, d + 2, d + 3));
            }
            consumer.append("bar.warp.sync -1;%n@%%p0 mbarrier.arrive.shared.b64 %%rd9, [bars+%d];%n".formatted(32 + 8 * stage));
        }
        StringBuilder zeros = new StringBuilder();
        for (int i = 0; i < 32; i++) {
            zeros.append("mov.f32 %%f%d, 0f00000000;%n".formatted(i));
        }
        return """
                .shared .align 16 .b8 stages[2048];
                .shared .align 8 .b8 bars[64];
                ld.param.u64 %rd1, [p0];
                mov.u32 %r1, %tid.x;
                and.b32 %r2, %r1, 31;
                setp.eq.u32 %p0, %r2, 0;
                mul.wide.u32 %rd2, %r2, 16;
                add.s64 %rd1, %rd1, %rd2;
                mov.u32 %r20, stages;
                mad.lo.u32 %r20, %r2, 16, %r20;
                setp.ne.u32 %p1, %r1, 0;
                @%p1 bra READY;
                mbarrier.init.shared.b64 [bars], 1;
                mbarrier.init.shared.b64 [bars+8], 1;
                mbarrier.init.shared.b64 [bars+16], 1;
                mbarrier.init.shared.b64 [bars+24], 1;
                mbarrier.init.shared.b64 [bars+32], 1;
                mbarrier.init.shared.b64 [bars+40], 1;
                mbarrier.init.shared.b64 [bars+48], 1;
                mbarrier.init.shared.b64 [bars+56], 1;
                READY:
                bar.sync 0;
                setp.ge.u32 %p2, %r1, 32;
                @%p2 bra FEED;
                """ + zeros + consumer + "bra DONE;\nFEED:\n" + feeder + "DONE:\n";
    }

    private static String waitFor(String label, int barrier, int parity) {
        return """
                %1$s:
                mbarrier.try_wait.parity.shared.b64 %%p3, [bars+%2$d], %3$d;
                @!%%p3 bra %1$s;
                """.formatted(label, barrier, parity);
    }

    @Test
    void ring_thatHandsOverOneStageAtATime_hasNoneFull() {
        Modelled slow = model(1, 64, ring(3, 32), 512 * 64);
        Modelled mended = model(1, 64, ring(2, 32), 512 * 64);

        assertNamed(slow, mended, "chain: products, on 1 of 132 multiprocessors", 1.1);
        assertEquals("tensor, on 1 of 132 multiprocessors", mended.time.limit());
        assertTrue(slow.time.stagesFull() < 0.2 && mended.time.stagesFull() > 0.9, slow + "\n" + mended);
    }

    @Test
    void launch_ofManyBlocksThatAreAlike_isModelledFromSome() {
        long bytes = (long) MULTIPROCESSORS * BLOCK_BYTES;
        Modelled modelled = model(MULTIPROCESSORS, 512, stream(512, 8, BLOCK_BYTES), bytes);

        assertEquals(6, modelled.time.sampledBlocks());
        double floor = bytes / DeviceModel.H200.memoryBytesPerMicrosecond();
        assertEquals(floor, modelled.time.floorMicroseconds(), 0.02 * floor, modelled.toString());
        assertTrue(modelled.time.microseconds() >= floor, modelled.toString());
    }
}
