package org.gatun.cuda.simulator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gatun.cuda.CudaException;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.LaunchConfiguration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Clusters of blocks by the definitions of the PTX ISA: who is who, memory that they share, barriers, copies that a barrier counts.
///
/// Bodies run in clusters of two blocks of 64 threads, with 128 words `p0` that are written and as many `p1`, of which `%rd1` and `%rd2`
/// point to this thread's. `%r1` is the thread, `%r10` the block's number in the cluster, `%r11` the other's; `%r3` is the thread's word
/// in shared memory and `%r12` the same in the other block. A barrier `bar` of one arrival is there, and another behind it.
final class ClusterTest {
    private static final int THREADS = 64;

    private static final String MEET = "barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;";

    private static final String START = """
            .shared .align 128 .b8 tile[512];
            .shared .align 8 .b8 bar[16];
            ld.param.u64 %rd1, [p0];
            ld.param.u64 %rd9, [p0];
            ld.param.u64 %rd2, [p1];
            mov.u32 %r1, %tid.x;
            mov.u32 %r2, %ctaid.x;
            mad.lo.u32 %r2, %r2, 64, %r1;
            mul.wide.u32 %rd3, %r2, 4;
            add.s64 %rd1, %rd1, %rd3;
            add.s64 %rd2, %rd2, %rd3;
            mov.u32 %r3, tile;
            mad.lo.u32 %r3, %r1, 4, %r3;
            mov.u32 %r10, %cluster_ctarank;
            xor.b32 %r11, %r10, 1;
            mapa.shared::cluster.u32 %r12, %r3, %r11;
            setp.eq.u32 %p0, %r1, 0;
            setp.eq.u32 %p1, %r10, 0;
            and.pred %p2, %p0, %p1;
            mov.u16 %rs1, 3;
            mov.u32 %r20, tile;
            mov.u32 %r21, bar;
            @!%p0 bra READY;
            mbarrier.init.shared.b64 [bar], 1;
            mbarrier.init.shared.b64 [bar+8], 1;
            fence.mbarrier_init.release.cluster;
            READY:
            """;

    private static String ptx(String directives, String body) {
        return Machine.ptx(".u64 .u64", body).replace("sm_80", "sm_90").replaceFirst("\\)\\n\\{", ")\n" + directives + "\n{");
    }

    private static LaunchConfiguration clusters(int blocks, int size) {
        return new LaunchConfiguration(blocks, 1, 1, THREADS, 1, 1, 0, size, false, false);
    }

    /// Runs a body that leaves a word of each thread in `p1`.
    private static int[] run(long seed, String body) {
        try (Machine machine = new Machine(SimulatorOptions.defaults().withOrderSeed(seed))) {
            CudaFunction kernel = machine.context.load("test", ptx("", START + body)).function("test");
            DeviceBuffer in = machine.buffer(IntStream.range(0, 2 * THREADS).map(i -> 1000 + i).toArray());
            DeviceBuffer out = machine.context.allocate(2 * THREADS * Integer.BYTES);
            machine.run(kernel, clusters(2, 2), in, out);
            return Machine.ints(out);
        }
    }

    private static void check(String body, IntUnaryOperator expected) {
        for (long seed = 0; seed < 4; seed++) {
            assertArrayEquals(IntStream.range(0, 2 * THREADS).map(expected).toArray(), run(seed, body), "seed " + seed + ": " + body);
        }
    }

    @Test
    void specialRegisters_everyBlock_tellItsPlaceInItsCluster() {
        List<String> names = List.of("cluster_ctarank", "cluster_nctarank", "cluster_ctaid.x", "cluster_ctaid.y", "cluster_ctaid.z",
                "cluster_nctaid.x", "cluster_nctaid.y", "cluster_nctaid.z", "clusterid.x", "clusterid.y", "clusterid.z", "nclusterid.x",
                "nclusterid.y", "nclusterid.z");
        StringBuilder body = new StringBuilder("""
                ld.param.u64 %rd2, [p1]; mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ctaid.y; mov.u32 %r3, %ctaid.z;
                mad.lo.u32 %r4, %r3, 4, %r2; mad.lo.u32 %r4, %r4, 6, %r1; mul.wide.u32 %rd3, %r4, 56; add.s64 %rd2, %rd2, %rd3;
                """);
        for (int i = 0; i < names.size(); i++) {
            body.append("mov.u32 %r9, %").append(names.get(i)).append("; st.global.u32 [%rd2+").append(4 * i).append("], %r9;\n");
        }
        try (Machine machine = new Machine()) {
            CudaFunction kernel = machine.context.load("test", ptx(".explicitcluster\n.reqnctapercluster 3, 2, 1", body.toString()))
                    .function("test");
            DeviceBuffer out = machine.buffer(new int[6 * 4 * 2 * names.size()]);
            machine.run(kernel, new LaunchConfiguration(6, 4, 2, 1, 1, 1, 0, 1, false, false), out, out);
            List<Integer> expected = new ArrayList<>();
            for (int z = 0; z < 2; z++) {
                for (int y = 0; y < 4; y++) {
                    for (int x = 0; x < 6; x++) {
                        expected.addAll(List.of(x % 3 + y % 2 * 3, 6, x % 3, y % 2, 0, 3, 2, 1, x / 3, y / 2, z, 2, 2, 2));
                    }
                }
            }
            assertEquals(expected, Arrays.stream(Machine.ints(out)).boxed().toList());
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            ld.shared::cluster.u32 %r4, [%r12];
            ld.shared::cluster.b32 %r4, [%r12];
            ld.shared::cluster.u8 %r4, [%r12]; ld.shared::cluster.u8 %r5, [%r12+1]; mad.lo.u32 %r4, %r5, 256, %r4;
            ld.shared::cluster.u16 %r4, [%r12];
            ld.shared::cluster.v2.u32 {%r5, %r4}, [%r12+-4];
            mapa.u64 %rd5, %rd4, %r11; ld.u32 %r4, [%rd5];
            cvt.u64.u32 %rd5, %r12; cvta.shared::cluster.u64 %rd5, %rd5; ld.u32 %r4, [%rd5];
            cvt.u64.u32 %rd5, %r12; cvta.shared::cluster.u64 %rd5, %rd5; atom.cas.b32 %r4, [%rd5], 5, 6;
            atom.shared::cluster.add.u32 %r4, [%r12], 1;
            """)
    void load_fromTheOtherBlock_readsWhatIsThere(String load) {
        String own = "cvt.u64.u32 %rd4, %r3; cvta.shared.u64 %rd4, %rd4; add.u32 %r7, %r3, 4;";
        String line = load.contains("v2") ? "and.b32 %r6, %r1, 1; setp.eq.u32 %p5, %r6, 0; @%p5 ld.shared::cluster.u32 %r4, [%r12]; @!%p5 "
                + load : load;
        check(own + "ld.global.u32 %r4, [%rd1]; st.shared.u32 [%r3], %r4; " + MEET + line + MEET + "st.global.u32 [%rd2], %r4;",
                i -> 1000 + (i ^ THREADS));
    }

    @ParameterizedTest
    @ValueSource(strings = {"st.shared::cluster.u32 [%r12], %r4;",
        "st.shared::cluster.u16 [%r12], %r4; shr.u32 %r5, %r4, 16; st.shared::cluster.u16 [%r12+2], %r5;",
        "cvt.u64.u32 %rd4, %r3; cvta.shared.u64 %rd4, %rd4; mapa.u64 %rd5, %rd4, %r11; st.u32 [%rd5], %r4;",
        "st.shared.u32 [%r3], 0; " + MEET + "atom.shared::cluster.add.u32 %r5, [%r12], %r4;",
        "st.shared.u32 [%r3], 0; " + MEET + "red.shared::cluster.max.u32 [%r12], %r4;"})
    void store_toTheOtherBlock_isReadThere(String store) {
        check("ld.global.u32 %r4, [%rd1];" + MEET + store + MEET + "ld.shared.u32 %r4, [%r3]; st.global.u32 [%rd2], %r4;",
                i -> 1000 + (i ^ THREADS));
    }

    @Test
    void getctarank_addressesOfBothBlocks_saysWhoseTheyAre() {
        check("""
                getctarank.shared::cluster.u32 %r4, %r12; getctarank.shared::cluster.u32 %r5, %r3;
                cvt.u64.u32 %rd4, %r3; cvta.shared.u64 %rd4, %rd4; mapa.u64 %rd5, %rd4, %r11; getctarank.u64 %r6, %rd5;
                isspacep.shared %p5, %rd4; isspacep.shared %p6, %rd5; isspacep.shared::cluster %p7, %rd5;
                selp.u32 %r7, 1, 0, %p5; selp.u32 %r8, 2, 0, %p6; selp.u32 %r9, 4, 0, %p7; add.u32 %r7, %r7, %r8; add.u32 %r7, %r7, %r9;
                mad.lo.u32 %r4, %r4, 10, %r5; mad.lo.u32 %r4, %r4, 10, %r6; mad.lo.u32 %r4, %r4, 10, %r7; st.global.u32 [%rd2], %r4;
                """, i -> i < THREADS ? 1015 : 105);
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 256; @!%p1 bra DONE; COPY.multicast::cluster [%r20], [%rd9], 256, [%r21], %rs1;",
        // each block brings half of it, in two copies each
        """
        mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [bar], 256; mbarrier.arrive.shared.b64 _, [bar]; mul.lo.u32 %r5, %r10, 128;
        add.u32 %r20, %r20, %r5; cvt.u64.u32 %rd5, %r5; add.s64 %rd9, %rd9, %rd5; COPY.multicast::cluster [%r20], [%rd9], 64, [%r21], %rs1;
        COPY.multicast::cluster [%r20+64], [%rd9+64], 64, [%r21], %rs1;""",
        // to the other alone, through its addresses
        """
        mbarrier.arrive.expect_tx.shared.b64 _, [bar], 256; mapa.shared::cluster.u32 %r20, %r20, %r11;
        mapa.shared::cluster.u32 %r21, %r21, %r11; COPY [%r20], [%rd9], 256, [%r21];""",
        // which also can be told from here what to expect
        """
        mapa.shared::cluster.u32 %r20, %r20, %r11; mapa.shared::cluster.u32 %r21, %r21, %r11; COPY [%r20], [%rd9], 256, [%r21];
        mbarrier.arrive.expect_tx.release.cluster.shared::cluster.b64 _, [%r21], 256;""",
        "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 256; LOCAL [%r20], [%rd9], 256, [%r21];"})
    void bulkCopy_everyWay_bringsTheSameBytesToBothBlocks(String copy) {
        String filled = copy.replace("COPY", "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes")
                .replace("LOCAL", "cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes");
        check(MEET + "@!%p0 bra DONE; " + filled + """
                DONE: mbarrier.try_wait.parity.shared.b64 %p5, [bar], 0; @!%p5 bra DONE;
                ld.shared.u32 %r4, [%r3]; st.global.u32 [%rd2], %r4;
                """ + MEET, i -> 1000 + i % THREADS);
    }

    @Test
    void bulkCopy_toBothBlocks_readsGlobalMemoryOnce() {
        try (Machine machine = new Machine()) {
            CudaFunction kernel = machine.context.load("test", ptx("", START + MEET + """
                    @!%p0 bra DONE; mbarrier.arrive.expect_tx.shared.b64 _, [bar], 256; @!%p1 bra DONE;
                    cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r20], [%rd9], 256, [%r21], %rs1;
                    DONE: mbarrier.try_wait.parity.shared.b64 %p5, [bar], 0; @!%p5 bra DONE;
                    """)).function("test");
            machine.run(kernel, clusters(6, 2), machine.buffer(new int[THREADS]), machine.buffer(new int[1]));
            LaunchCounters counters = machine.driver.takeReports().getLast().counters();

            assertEquals(3 * 256, counters.global().loadedBytes());
            assertEquals(3 * 256 / 32, counters.global().loadedSectors());
            assertEquals(3, counters.byClass().get(InstructionClass.ASYNC_COPY));
        }
    }

    /// Two stages for eight steps: each block brings half of every step to both, after both have handed the stage back.
    @Test
    void ring_stagesHandedBackByBothBlocks_carriesEveryStep() {
        check("""
                @!%p0 bra SET; mbarrier.init.shared.b64 [empty], 2; mbarrier.init.shared.b64 [empty+8], 2; SET:
                .shared .align 8 .b8 empty[16];
                """ + MEET + """
                mov.u32 %r30, 0; mov.u32 %r31, 0; mapa.shared::cluster.u32 %r40, %r21, 0; mov.u32 %r41, empty;
                LOOP: and.b32 %r32, %r30, 1; shl.b32 %r33, %r32, 3; shr.u32 %r34, %r30, 1; and.b32 %r34, %r34, 1;
                add.u32 %r35, %r21, %r33; add.u32 %r36, %r41, %r33;
                @!%p0 bra FULL;
                setp.lt.u32 %p5, %r30, 2; @%p5 bra FREE; xor.b32 %r37, %r34, 1;
                WAIT: mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p6, [%r36], %r37; @!%p6 bra WAIT;
                FREE: mbarrier.arrive.expect_tx.shared.b64 _, [%r35], 32;
                mul.lo.u32 %r38, %r10, 16; mad.lo.u32 %r39, %r32, 256, %r38; add.u32 %r39, %r39, %r20;
                mad.lo.u32 %r38, %r30, 32, %r38; cvt.u64.u32 %rd5, %r38; add.s64 %rd5, %rd9, %rd5;
                cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r39], [%rd5], 16, [%r35], %rs1;
                FULL: mbarrier.try_wait.parity.shared.b64 %p6, [%r35], %r34; @!%p6 bra FULL;
                and.b32 %r42, %r1, 7; shl.b32 %r42, %r42, 2; mad.lo.u32 %r42, %r32, 256, %r42; add.u32 %r42, %r42, %r20;
                ld.shared.u32 %r43, [%r42]; add.u32 %r31, %r31, %r43;
                bar.sync 0; setp.lt.u32 %p7, %r1, 2; @!%p7 bra NEXT; mapa.shared::cluster.u32 %r44, %r36, %r1;
                mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r44];
                NEXT: add.u32 %r30, %r30, 1; setp.lt.u32 %p8, %r30, 8; @%p8 bra LOOP; st.global.u32 [%rd2], %r31;
                """ + MEET, i -> IntStream.range(0, 8).map(step -> 1000 + 8 * step + i % 8).sum());
    }

    @Test
    void barrier_nonAlignedArrivals_waitForAllThreads() {
        check("st.shared.u32 [%r3], %r1; @%p0 barrier.cluster.arrive.release; @!%p0 barrier.cluster.arrive.release;"
                + "barrier.cluster.wait.acquire; ld.shared::cluster.u32 %r4, [%r12]; barrier.cluster.arrive; barrier.cluster.wait;"
                + "st.global.u32 [%rd2], %r4;", i -> i % THREADS);
    }

    private static final String COPY = "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes";
    private static final String BEGUN = MEET + "@!%p0 bra DONE; mbarrier.arrive.expect_tx.shared.b64 _, [bar], 256; @!%p1 bra DONE; ";
    private static final String MULTICAST = COPY + ".multicast::cluster [%r20], [%rd9], 256, [%r21], %rs1;";
    private static final String AWAITED = "DONE: mbarrier.try_wait.parity.shared.b64 %p5, [bar], 0; @!%p5 bra DONE;";
    private static final String READ = "ld.shared.u32 %r4, [%r3]; st.global.u32 [%rd2], %r4;" + MEET;

    private static PlantedBugTest.Planted planted(String name, KernelFault.Kind kind, String bug, String right, String body) {
        return new PlantedBugTest.Planted(name, kind, bug, right, body);
    }

    static Stream<PlantedBugTest.Planted> bugs() {
        String written = "st.shared.u32 [%r3], 7; " + MEET;
        return Stream.of(
                planted("a read of another block's memory with no barrier after it wrote", KernelFault.Kind.SHARED_RACE,
                        "mov.u32 %r9, 0;", MEET, written + "st.shared.u32 [%r3], 8; # ld.shared::cluster.u32 %r4, [%r12];" + MEET),
                planted("a barrier of the block only", KernelFault.Kind.SHARED_RACE,
                        "bar.sync 0;", MEET, written + "st.shared.u32 [%r3], 8; # ld.shared::cluster.u32 %r4, [%r12];" + MEET),
                planted("a barrier that orders nothing", KernelFault.Kind.SHARED_RACE,
                        "barrier.cluster.arrive.relaxed.aligned;", "barrier.cluster.arrive.release.aligned;",
                        written + "st.shared.u32 [%r3], 8; # barrier.cluster.wait.acquire.aligned; ld.shared::cluster.u32 %r4, [%r12];"
                                + MEET),
                planted("a write to another block's memory with no barrier after it read", KernelFault.Kind.SHARED_RACE,
                        "mov.u32 %r9, 0;", MEET, written + "ld.shared.u32 %r4, [%r3]; # st.shared::cluster.u32 [%r12], %r4;" + MEET),
                planted("a block that ends while another may still read its memory", KernelFault.Kind.BLOCK_ENDED,
                        "mov.u32 %r9, 0;", MEET, written + "ld.shared::cluster.u32 %r4, [%r12]; #"),
                planted("a read of another block's memory after that has ended", KernelFault.Kind.BLOCK_ENDED,
                        "@%p1 bra OUT;", "mov.u32 %r9, 0;", written + "# bar.sync 0; bar.sync 0; ld.shared::cluster.u32 %r4, [%r12];"
                                + MEET + "OUT:"),
                planted("another block's memory past its end", KernelFault.Kind.OUT_OF_BOUNDS,
                        "ld.shared::cluster.u32 %r4, [%r12+528];", "ld.shared::cluster.u32 %r4, [%r12];", written + "#" + MEET),
                planted("another block's address in the own block's space", KernelFault.Kind.OUT_OF_BOUNDS,
                        "ld.shared.u32 %r4, [%r12];", "ld.shared::cluster.u32 %r4, [%r12];", written + "#" + MEET),
                planted("a block that is not in the cluster", KernelFault.Kind.OUT_OF_BOUNDS,
                        "mapa.shared::cluster.u32 %r4, %r3, 2;", "mapa.shared::cluster.u32 %r4, %r3, 1;", "#"),
                planted("a cluster's barrier arrived at twice", KernelFault.Kind.LIMIT,
                        "barrier.cluster.arrive;", "barrier.cluster.wait;", "barrier.cluster.arrive; # st.global.u32 [%rd2], %r1;"),
                planted("a cluster's barrier waited for without arriving", KernelFault.Kind.LIMIT,
                        "mov.u32 %r9, 0;", "barrier.cluster.arrive;", "# barrier.cluster.wait; st.global.u32 [%rd2], %r1;"),
                planted("an aligned barrier for some threads of a warp", KernelFault.Kind.DIVERGENT_BARRIER,
                        "barrier.cluster.arrive.aligned;", "barrier.cluster.arrive;",
                        "@%p0 bra FIRST; barrier.cluster.arrive; bra MET; FIRST: # MET: barrier.cluster.wait;"),
                planted("a cluster's barrier that a block does not come to", KernelFault.Kind.DEADLOCK,
                        "bar.sync 1, 96;", "bar.sync 1, 64;", "@!%p1 bra OTHER; # OTHER:" + MEET),
                planted("a barrier in another block before its initialisation can be seen", KernelFault.Kind.SHARED_RACE,
                        "mov.u32 %r9, 0;", MEET, "# mapa.shared::cluster.u32 %r5, %r21, 0; setp.eq.u32 %p6, %r2, 64; @!%p6 bra OVER;"
                                + " mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r5]; OVER:" + MEET),
                planted("fewer bytes expected than are copied", KernelFault.Kind.DEADLOCK,
                        "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 128;", "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 256;",
                        MEET + "@!%p0 bra DONE; # @!%p1 bra DONE; " + MULTICAST + AWAITED + READ),
                planted("more bytes expected than are copied", KernelFault.Kind.DEADLOCK,
                        "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 272;", "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 256;",
                        MEET + "@!%p0 bra DONE; # @!%p1 bra DONE; " + MULTICAST + AWAITED + READ),
                planted("a copy to one block that both await", KernelFault.Kind.DEADLOCK, "mov.u16 %rs1, 1;", "mov.u16 %rs1, 3;",
                        BEGUN + "# " + MULTICAST + AWAITED + READ),
                planted("a copy that is read at once", KernelFault.Kind.ASYNC_COPY_NOT_AWAITED,
                        "DONE:", AWAITED, BEGUN + MULTICAST + " # bar.sync 0; " + READ),
                planted("a copy that another barrier counts than is awaited", KernelFault.Kind.ASYNC_COPY_NOT_AWAITED,
                        AWAITED.replace("[bar]", "[bar+8]"), AWAITED,
                        MEET + "@!%p0 bra NONE; mbarrier.arrive.shared.b64 _, [bar+8]; NONE:"
                                + BEGUN.substring(MEET.length()) + MULTICAST + " # " + READ),
                planted("a copy that nobody awaits before the block ends", KernelFault.Kind.ASYNC_COPY_NOT_AWAITED,
                        "DONE:", AWAITED, BEGUN + MULTICAST + " # " + MEET),
                planted("a copy over what another warp may still read", KernelFault.Kind.SHARED_RACE,
                        "mov.u32 %r9, 0;", MEET, written + "ld.shared.u32 %r5, [%r3]; # " + BEGUN.substring(MEET.length()) + MULTICAST
                                + AWAITED + READ),
                planted("a copy of an odd size", KernelFault.Kind.MISALIGNED,
                        COPY + ".multicast::cluster [%r20], [%rd9], 248, [%r21], %rs1;", MULTICAST, BEGUN + "#" + AWAITED + READ),
                planted("a copy to an odd address", KernelFault.Kind.MISALIGNED,
                        COPY + ".multicast::cluster [%r20+8], [%rd9], 256, [%r21], %rs1;", MULTICAST, BEGUN + "#" + AWAITED + READ),
                planted("a copy from an odd address", KernelFault.Kind.MISALIGNED,
                        COPY + ".multicast::cluster [%r20], [%rd9+8], 256, [%r21], %rs1;", MULTICAST, BEGUN + "#" + AWAITED + READ),
                planted("a copy past the end of shared memory", KernelFault.Kind.OUT_OF_BOUNDS,
                        COPY + ".multicast::cluster [%r20+384], [%rd9], 256, [%r21], %rs1;", MULTICAST, BEGUN + "#" + AWAITED + READ),
                planted("a copy from past the end of a buffer", KernelFault.Kind.OUT_OF_BOUNDS,
                        COPY + ".multicast::cluster [%r20], [%rd9+384], 256, [%r21], %rs1;", MULTICAST, BEGUN + "#" + AWAITED + READ),
                planted("a copy to blocks that are not in the cluster", KernelFault.Kind.OUT_OF_BOUNDS,
                        "mov.u16 %rs1, 7;", "mov.u16 %rs1, 3;", BEGUN + "# " + MULTICAST + AWAITED + READ),
                planted("a copy that a barrier of another block counts", KernelFault.Kind.OUT_OF_BOUNDS,
                        "mapa.shared::cluster.u32 %r21, %r21, 1;", "mov.u32 %r9, 0;",
                        MEET + "@!%p2 bra OVER; mbarrier.arrive.expect_tx.shared.b64 _, [bar], 256; # " + COPY
                                + " [%r20], [%rd9], 256, [%r21]; DONE: mbarrier.try_wait.parity.shared.b64 %p5, [bar], 0; @!%p5 bra DONE;"
                                + " OVER:" + MEET));
    }

    @ParameterizedTest
    @MethodSource("bugs")
    void launch_plantedBug_isFound(PlantedBugTest.Planted planted) {
        KernelFault fault = assertThrows(KernelFaultException.class, () -> run(0, planted.body().replace("#", planted.bug()))).fault();
        assertEquals(planted.kind(), fault.kind(), fault.toString());
        assertTrue(fault.ptxLine() > 10 && !fault.instruction().isEmpty(), fault.toString());
    }

    @ParameterizedTest
    @MethodSource("bugs")
    void launch_rightTwin_findsNothing(PlantedBugTest.Planted planted) {
        for (long seed = 0; seed < 3; seed++) {
            run(seed, planted.body().replace("#", planted.right()) + " st.global.u32 [%rd2], %r1;");
        }
    }

    @Test
    void hang_message_saysWhatTheBarrierAwaits() {
        String message = assertThrows(KernelFaultException.class, () -> run(0, BEGUN.replace("256", "272") + MULTICAST + AWAITED + READ))
                .fault().message();
        assertEquals("waits for the barrier at 512, which awaits 0 arrivals and 16 bytes more, and none can come", message);
    }

    @Test
    void launch_clustersThatCannotBe_areRefused() {
        try (Machine machine = new Machine()) {
            DeviceBuffer buffer = machine.buffer(1);
            CudaFunction any = machine.context.load("any", ptx("", "")).function("test");
            CudaFunction three = machine.context.load("three", ptx(".reqnctapercluster 3, 1, 1", "")).function("test");
            machine.run(any, clusters(8, 8), buffer, buffer);
            machine.run(three, clusters(6, 3), buffer, buffer);
            assertRefused("clusters of 2 x 1 x 1", () -> machine.run(any, clusters(5, 2), buffer, buffer));
            assertRefused("clusters of 9 x 1 x 1", () -> machine.run(any, clusters(9, 9), buffer, buffer));
            assertRefused("clusters of 3 x 1 x 1", () -> machine.run(three, clusters(4, 1), buffer, buffer));
            assertRefused("clusters of 3 x 1 x 1", () -> machine.run(three, clusters(6, 2), buffer, buffer));
            assertRefused("clusters of 3 x 3 x 1 blocks, expected 8 at most",
                    () -> machine.context.load("nine", ptx(".reqnctapercluster 3, 3", "")));
        }
        try (Machine machine = new Machine(SimulatorOptions.defaults().withComputeCapability(89))) {
            CudaFunction any = machine.kernel(".u64", "");
            assertRefused("the device has no clusters", () -> machine.run(any, clusters(2, 2), machine.buffer(1)));
        }
    }

    private static void assertRefused(String said, Executable action) {
        String message = assertThrows(CudaException.class, action).getMessage();
        assertTrue(message.contains(said), message);
    }
}
