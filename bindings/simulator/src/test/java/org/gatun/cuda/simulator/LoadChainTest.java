package org.gatun.cuda.simulator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.gatun.cuda.LaunchConfiguration;
import org.junit.jupiter.api.Test;

/// Round trips to global memory in the longest chain, by kernels whose chains can be counted by hand.
final class LoadChainTest {
    private static final String START = """
            .shared .align 16 .b8 tile[4096];
            ld.param.u64 %rd1, [p0];
            mov.u32 %r1, %tid.x;
            mul.wide.u32 %rd2, %r1, 4;
            add.s64 %rd1, %rd1, %rd2;
            mov.u32 %r30, tile;
            mad.lo.u32 %r30, %r1, 16, %r30;
            """;

    private static int roundTrips(int threads, String body) {
        try (Machine machine = new Machine(SimulatorOptions.defaults().withCountsWaits(true))) {
            machine.run(machine.kernel(".u64", START + body), LaunchConfiguration.of(1, threads), machine.buffer(new int[4096]));
            return machine.driver.takeReports().getFirst().waits().orElseThrow().loadRoundTrips();
        }
    }

    @Test
    void loads_orderedBeforeTheFirstUse_areOneRoundTrip() {
        assertEquals(1, roundTrips(32, """
                ld.global.u32 %r2, [%rd1];
                ld.global.u32 %r3, [%rd1+128];
                ld.global.u32 %r4, [%rd1+256];
                add.u32 %r2, %r2, %r3;
                add.u32 %r2, %r2, %r4;
                st.global.u32 [%rd1], %r2;
                """));
    }

    @Test
    void loads_fromAnAddressThatWasLoaded_areARoundTripEach() {
        assertEquals(3, roundTrips(32, """
                ld.global.u32 %r2, [%rd1];
                cvt.u64.u32 %rd3, %r2;
                add.s64 %rd4, %rd1, %rd3;
                ld.global.u32 %r3, [%rd4+128];
                cvt.u64.u32 %rd5, %r3;
                add.s64 %rd6, %rd1, %rd5;
                ld.global.u32 %r4, [%rd6+256];
                st.global.u32 [%rd1], %r4;
                """));
    }

    @Test
    void loads_thatAnAssemblerOrdersBeforeTheirUses_areOneRoundTrip() {
        assertEquals(1, roundTrips(32, """
                ld.global.u32 %r2, [%rd1];
                add.u32 %r5, %r2, 1;
                ld.global.u32 %r3, [%rd1+128];
                add.u32 %r5, %r5, %r3;
                ld.global.u32 %r4, [%rd1+256];
                add.u32 %r5, %r5, %r4;
                st.global.u32 [%rd1], %r5;
                """));
    }

    @Test
    void loads_behindAStore_stayThere() {
        assertEquals(2, roundTrips(32, """
                ld.global.u32 %r2, [%rd1];
                add.u32 %r5, %r2, 1;
                st.global.u32 [%rd1+4096], %r5;
                ld.global.u32 %r3, [%rd1+128];
                st.global.u32 [%rd1+8192], %r3;
                """));
    }

    @Test
    void loads_inALoop_areCountedEachTime() {
        assertEquals(10, roundTrips(32, """
                mov.u32 %r5, 0;
                mov.u32 %r6, 0;
                LOOP:
                ld.global.u32 %r2, [%rd1];
                add.u32 %r5, %r5, %r2;
                add.u32 %r6, %r6, 1;
                setp.lt.u32 %p1, %r6, 10;
                @%p1 bra LOOP;
                st.global.u32 [%rd1], %r5;
                """));
    }

    @Test
    void load_copiedToARegisterThatNobodyUses_isNotWaitedFor() {
        assertEquals(1, roundTrips(32, """
                ld.global.u32 %r2, [%rd1];
                mov.u32 %r3, %r2;
                ld.global.u32 %r4, [%rd1+128];
                add.u32 %r5, %r3, %r4;
                st.global.u32 [%rd1], %r5;
                """));
    }

    @Test
    void load_thatNoThreadTakes_isNone() {
        assertEquals(1, roundTrips(32, """
                setp.gt.u32 %p1, %r1, 100;
                ld.global.u32 %r2, [%rd1];
                @%p1 ld.global.u32 %r2, [%rd1+128];
                add.u32 %r2, %r2, 1;
                st.global.u32 [%rd1], %r2;
                """));
    }

    @Test
    void chain_beforeABarrier_goesOnInOtherWarps() {
        assertEquals(3, roundTrips(64, """
                setp.ge.u32 %p1, %r1, 32;
                @%p1 bra MEET;
                ld.global.u32 %r2, [%rd1];
                cvt.u64.u32 %rd3, %r2;
                add.s64 %rd4, %rd1, %rd3;
                ld.global.u32 %r3, [%rd4+128];
                add.u32 %r5, %r3, 1;
                MEET:
                bar.sync 0;
                setp.lt.u32 %p2, %r1, 32;
                @%p2 bra DONE;
                ld.global.u32 %r4, [%rd1+256];
                add.u32 %r4, %r4, 1;
                st.global.u32 [%rd1], %r4;
                DONE:
                """));
    }

    @Test
    void copies_aheadOfTheirUse_areWaitedForByGroup() {
        assertEquals(2, roundTrips(32, """
                cp.async.ca.shared.global [%r30], [%rd1], 4;
                cp.async.commit_group;
                cp.async.ca.shared.global [%r30+4], [%rd1+128], 4;
                cp.async.commit_group;
                cp.async.wait_group 1;
                cp.async.ca.shared.global [%r30+8], [%rd1+256], 4;
                cp.async.commit_group;
                cp.async.wait_group 1;
                cp.async.wait_group 0;
                """));
    }

    @Test
    void memoryBarrier_thatCountsABulkCopy_endsARoundTripLater() {
        assertEquals(2, roundTrips(64, """
                .shared .align 8 .b8 bar[8];
                mov.u32 %r20, tile;
                mov.u32 %r21, bar;
                ld.param.u64 %rd9, [p0];
                setp.ne.u32 %p0, %r1, 0;
                @%p0 bra READY;
                mbarrier.init.shared.b64 [bar], 1;
                READY:
                bar.sync 0;
                @%p0 bra WAIT;
                ld.global.u32 %r5, [%rd9];
                add.u32 %r20, %r20, %r5;
                mbarrier.arrive.expect_tx.shared.b64 %rd10, [bar], 256;
                cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r20], [%rd9], 256, [%r21];
                WAIT:
                mbarrier.try_wait.parity.shared.b64 %p1, [bar], 0;
                @!%p1 bra WAIT;
                ld.shared.u32 %r6, [tile];
                """));
    }

    @Test
    void waits_notAskedFor_areNotThere() {
        try (Machine machine = new Machine()) {
            machine.run(machine.kernel("", ""), LaunchConfiguration.of(1, 32));
            assertTrue(machine.driver.takeReports().getFirst().waits().isEmpty());
        }
    }
}
