package org.gatun.cuda.simulator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.EnumSet;
import java.util.Set;
import java.util.stream.Stream;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.LaunchConfiguration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Every kind of fault, planted in a small kernel: it must be found there, at its line, and nothing in the kernel's right twin.
///
/// Each kernel has an input buffer of 64 words that is written (`p0`), an output of 64 words that is not (`p1`), and runs in one
/// block of 64 threads. `%rd1` and `%rd2` point to this thread's word of each, `%r1` is the thread, `%r2` its place in bytes.
final class PlantedBugTest {
    private static final int THREADS = 64;

    /// @param bug the line that is wrong
    /// @param right what stands there in the twin
    /// @param body with `#` in place of that line
    record Planted(String name, KernelFault.Kind kind, String bug, String right, String body) {
        String with(String line) {
            return """
                    .shared .align 16 .b8 tile[512];
                    .shared .align 8 .b8 bar[8];
                    .local .align 4 .b8 own[16];
                    ld.param.u64 %rd1, [p0];
                    ld.param.u64 %rd2, [p1];
                    mov.u32 %r1, %tid.x;
                    shl.b32 %r2, %r1, 2;
                    mul.wide.u32 %rd3, %r1, 4;
                    add.s64 %rd1, %rd1, %rd3;
                    add.s64 %rd2, %rd2, %rd3;
                    mov.u32 %r3, tile;
                    add.s32 %r3, %r3, %r2;
                    """ + body.replace("#", line);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Planted> bugs() {
        return Stream.of(
                new Planted("a load past a buffer", KernelFault.Kind.OUT_OF_BOUNDS,
                        "ld.global.u32 %r4, [%rd1+4];", "ld.global.u32 %r4, [%rd1];", "# st.global.u32 [%rd2], %r4;"),
                new Planted("a load before a buffer", KernelFault.Kind.OUT_OF_BOUNDS,
                        "ld.global.u32 %r4, [%rd1+-4];", "ld.global.u32 %r4, [%rd1];", "# st.global.u32 [%rd2], %r4;"),
                new Planted("a store past a buffer", KernelFault.Kind.OUT_OF_BOUNDS,
                        "st.global.u32 [%rd2+8], %r1;", "st.global.u32 [%rd2], %r1;", "#"),
                new Planted("an atomic past a buffer", KernelFault.Kind.OUT_OF_BOUNDS,
                        "atom.global.add.u32 %r4, [%rd1+256], 1;", "atom.global.add.u32 %r4, [%rd1], 1;", "#"),
                new Planted("an access of a null pointer", KernelFault.Kind.OUT_OF_BOUNDS,
                        "mov.u64 %rd4, 0;", "mov.u64 %rd4, %rd1;", "# ld.global.u32 %r4, [%rd4]; st.global.u32 [%rd2], %r4;"),
                new Planted("shared memory past its end", KernelFault.Kind.OUT_OF_BOUNDS,
                        "st.shared.u32 [%r3+512], %r1;", "st.shared.u32 [%r3], %r1;", "#"),
                new Planted("local memory past its end", KernelFault.Kind.OUT_OF_BOUNDS,
                        "st.local.u32 [own+16], %r1;", "st.local.u32 [own+12], %r1;", "#"),
                new Planted("a word at an odd address", KernelFault.Kind.MISALIGNED,
                        "add.s64 %rd4, %rd1, 2;", "add.s64 %rd4, %rd1, 0;", "# ld.global.u32 %r4, [%rd4]; st.global.u32 [%rd2], %r4;"),
                new Planted("a vector at the address of a word", KernelFault.Kind.MISALIGNED,
                        "ld.global.v2.u32 {%r4, %r5}, [%rd1];", "ld.global.u32 %r4, [%rd1];", "# st.global.u32 [%rd2], %r4;"),
                new Planted("shared memory at an odd address", KernelFault.Kind.MISALIGNED,
                        "st.shared.u32 [%r3+2], %r1;", "st.shared.u16 [%r3+2], %r1;", "#"),
                new Planted("a read of what no kernel wrote", KernelFault.Kind.UNINITIALIZED_GLOBAL,
                        "ld.global.u32 %r4, [%rd2];", "ld.global.u32 %r4, [%rd1];", "# st.global.u32 [%rd2], %r4;"),
                new Planted("a read of half-written words", KernelFault.Kind.UNINITIALIZED_GLOBAL,
                        "st.global.u16 [%rd2], %r1;", "st.global.u32 [%rd2], %r1;", "# ld.global.u32 %r4, [%rd2];"),
                new Planted("a read of shared memory nothing wrote", KernelFault.Kind.UNINITIALIZED_SHARED,
                        "ld.shared.u32 %r4, [%r3+256];", "ld.shared.u32 %r4, [%r3];", "st.shared.u32 [%r3], %r1; # st.global.u32 [%rd2], %r4;"),
                new Planted("a read of local memory nothing wrote", KernelFault.Kind.UNINITIALIZED_LOCAL,
                        "ld.local.u32 %r4, [own+4];", "ld.local.u32 %r4, [own];", "st.local.u32 [own], %r1; # st.global.u32 [%rd2], %r4;"),
                new Planted("a register written on one path only", KernelFault.Kind.UNINITIALIZED_REGISTER,
                        "setp.lt.s32 %p1, %r1, 40;", "setp.lt.s32 %p1, %r1, 99;",
                        "# @!%p1 bra SKIP; mov.u32 %r9, 7; SKIP: st.global.u32 [%rd2], %r9;"),
                new Planted("a register written under a guard", KernelFault.Kind.UNINITIALIZED_REGISTER,
                        "setp.ne.s32 %p1, %r1, 33;", "setp.ne.s32 %p1, %r1, 99;",
                        "# @%p1 mov.u32 %r9, 7; add.s32 %r10, %r9, 1; st.global.u32 [%rd2], %r10;"),
                new Planted("a branch on a predicate nothing wrote", KernelFault.Kind.UNINITIALIZED_REGISTER,
                        "mov.u32 %r4, 0;", "setp.lt.s32 %p2, %r1, 9;", "# @%p2 bra SKIP; st.global.u32 [%rd2], %r1; SKIP:"),
                new Planted("a read with no barrier after another warp's write", KernelFault.Kind.SHARED_RACE,
                        "mov.u32 %r4, 0;", "bar.sync 0;",
                        "st.shared.u32 [%r3], %r2; bar.sync 0;"
                                + " xor.b32 %r5, %r2, 128; mov.u32 %r6, tile; add.s32 %r6, %r6, %r5; st.shared.u32 [%r3], %r1;"
                                + " st.shared.u32 [%r3+256], %r1; # ld.shared.u32 %r4, [%r6]; st.global.u32 [%rd2], %r4;"),
                new Planted("a read with no warp barrier after another lane's write", KernelFault.Kind.SHARED_RACE,
                        "mov.u32 %r4, 0;", "bar.warp.sync 0xffffffff;",
                        "xor.b32 %r5, %r2, 4; mov.u32 %r6, tile; add.s32 %r6, %r6, %r5; st.shared.u32 [%r3], %r1;"
                                + " # ld.shared.u32 %r4, [%r6]; st.global.u32 [%rd2], %r4;"),
                new Planted("a write with no barrier after another warp's read", KernelFault.Kind.SHARED_RACE,
                        "mov.u32 %r9, 0;", "bar.sync 0;",
                        "xor.b32 %r5, %r2, 128; mov.u32 %r6, tile; add.s32 %r6, %r6, %r5; st.shared.u32 [%r3], %r1; bar.sync 0;"
                                + " ld.shared.u32 %r4, [%r6]; # st.shared.u32 [%r3], %r4;"),
                new Planted("two threads write one place", KernelFault.Kind.SHARED_RACE,
                        "mov.u32 %r5, tile;", "mov.u32 %r5, %r3;", "# st.shared.u32 [%r5], %r1;"),
                new Planted("neighbouring bytes are no race, the same byte is", KernelFault.Kind.SHARED_RACE,
                        "shr.u32 %r5, %r1, 1;", "mov.u32 %r5, %r1;",
                        "# mov.u32 %r6, tile; add.s32 %r6, %r6, %r5; st.shared.u8 [%r6], %r1;"),
                new Planted("a plain write beside atomics", KernelFault.Kind.SHARED_RACE,
                        "st.shared.u32 [tile], %r1;", "atom.shared.add.u32 %r5, [tile], 1;",
                        "setp.ne.s32 %p1, %r1, 0; @%p1 bra READY; st.shared.u32 [tile], 0; READY: bar.sync 0;"
                                + " atom.shared.add.u32 %r4, [tile], 1; #"),
                new Planted("a named barrier of too few warps", KernelFault.Kind.SHARED_RACE,
                        "bar.sync 1, 32;", "bar.sync 1, 64;",
                        "st.shared.u32 [%r3], %r2; bar.sync 0;"
                                + " xor.b32 %r5, %r2, 128; mov.u32 %r6, tile; add.s32 %r6, %r6, %r5; st.shared.u32 [%r3], %r1;"
                                + " # ld.shared.u32 %r4, [%r6]; st.global.u32 [%rd2], %r4;"),
                new Planted("a barrier for some threads of a warp", KernelFault.Kind.DIVERGENT_BARRIER,
                        "setp.lt.s32 %p1, %r1, 16;", "setp.lt.s32 %p1, %r1, 0;",
                        "# @%p1 bra SKIP; bar.sync 0; SKIP: st.global.u32 [%rd2], %r1;"),
                new Planted("warps that wait at different barriers", KernelFault.Kind.DIVERGENT_BARRIER,
                        "setp.lt.s32 %p1, %r1, 32;", "setp.lt.s32 %p1, %r1, 99;",
                        "# @%p1 bra OTHER; bar.sync 0; bra DONE; OTHER: bar.sync 0; DONE: st.global.u32 [%rd2], %r1;"),
                new Planted("a barrier that waits for warps that do not come", KernelFault.Kind.DEADLOCK,
                        "bar.sync 1, 96;", "bar.sync 1, 64;", "# st.global.u32 [%rd2], %r1;"),
                new Planted("a shuffle that some members skip", KernelFault.Kind.MISSING_WARP_MEMBER,
                        "setp.lt.s32 %p1, %r1, 8;", "setp.lt.s32 %p1, %r1, 0;",
                        "mov.u32 %r5, 0; # @%p1 bra SKIP; shfl.sync.bfly.b32 %r5, %r1, 1, 31, 0xffffffff; SKIP: st.global.u32 [%rd2], %r5;"),
                new Planted("a shuffle by a thread that is no member", KernelFault.Kind.MISSING_WARP_MEMBER,
                        "shfl.sync.bfly.b32 %r5, %r1, 1, 31, 0xffff;", "shfl.sync.bfly.b32 %r5, %r1, 1, 31, 0xffffffff;",
                        "# st.global.u32 [%rd2], %r5;"),
                new Planted("a shuffle from a thread that takes no part", KernelFault.Kind.MISSING_WARP_MEMBER,
                        "shfl.sync.idx.b32 %r5, %r1, 20, 31, 0xff;", "shfl.sync.idx.b32 %r5, %r1, 5, 31, 0xff;",
                        "mov.u32 %r5, 0; and.b32 %r6, %r1, 31; setp.ge.s32 %p1, %r6, 8; @%p1 bra SKIP; # SKIP: st.global.u32 [%rd2], %r5;"),
                new Planted("a vote that some members skip", KernelFault.Kind.MISSING_WARP_MEMBER,
                        "setp.lt.s32 %p1, %r1, 8;", "setp.lt.s32 %p1, %r1, 0;",
                        "mov.u32 %r5, 0; # @%p1 bra SKIP; vote.sync.ballot.b32 %r5, %p1, 0xffffffff; SKIP: st.global.u32 [%rd2], %r5;"),
                new Planted("a matrix load by some threads of a warp", KernelFault.Kind.MISSING_WARP_MEMBER,
                        "setp.lt.s32 %p1, %r1, 8;", "setp.lt.s32 %p1, %r1, 0;",
                        "st.shared.u32 [%r3], %r1; st.shared.u32 [%r3+256], %r1; bar.sync 0; mov.u32 %r5, tile; # @%p1 bra SKIP;"
                                + " ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r6}, [%r5]; SKIP: st.global.u32 [%rd2], %r1;"),
                new Planted("an asynchronous copy that is read at once", KernelFault.Kind.ASYNC_COPY_NOT_AWAITED,
                        "cp.async.commit_group;", "cp.async.wait_all;",
                        "cp.async.ca.shared.global [%r3], [%rd1], 4; # ld.shared.u32 %r4, [%r3]; st.global.u32 [%rd2], %r4;"),
                new Planted("an asynchronous copy of a group that may still run", KernelFault.Kind.ASYNC_COPY_NOT_AWAITED,
                        "cp.async.wait_group 1;", "cp.async.wait_group 0;",
                        "cp.async.ca.shared.global [%r3], [%rd1], 4; cp.async.commit_group;"
                                + " cp.async.ca.shared.global [%r3+256], [%rd1], 4; cp.async.commit_group; #"
                                + " ld.shared.u32 %r4, [%r3+256]; st.global.u32 [%rd2], %r4;"),
                new Planted("an asynchronous copy awaited by another thread only", KernelFault.Kind.SHARED_RACE,
                        "mov.u32 %r9, 0;", "bar.sync 0;",
                        "st.shared.u32 [%r3], %r2; bar.sync 0;"
                                + " xor.b32 %r5, %r2, 128; mov.u32 %r6, tile; add.s32 %r6, %r6, %r5; cp.async.ca.shared.global [%r3], [%rd1], 4;"
                                + " cp.async.wait_all; # ld.shared.u32 %r4, [%r6]; st.global.u32 [%rd2], %r4;"),
                new Planted("a barrier object that is not awaited", KernelFault.Kind.SHARED_RACE,
                        "setp.eq.s32 %p2, %r1, %r1;", "mbarrier.test_wait.parity.shared.b64 %p2, [bar], 0;",
                        "setp.ne.s32 %p1, %r1, 0; @%p1 bra READY; mbarrier.init.shared.b64 [bar], 64; READY:"
                                + " st.shared.u32 [%r3], %r2; bar.sync 0; xor.b32 %r5, %r2, 128; mov.u32 %r6, tile; add.s32 %r6, %r6, %r5; st.shared.u32 [%r3], %r1;"
                                + " mbarrier.arrive.shared.b64 %rd5, [bar]; WAIT: # @!%p2 bra WAIT; ld.shared.u32 %r4, [%r6];"
                                + " st.global.u32 [%rd2], %r4;"),
                new Planted("a barrier object that was not initialised", KernelFault.Kind.UNINITIALIZED_SHARED,
                        "mov.u32 %r4, 0;", "mbarrier.init.shared.b64 [bar], 64;",
                        "setp.ne.s32 %p1, %r1, 0; @%p1 bra READY; # READY: bar.sync 0; mbarrier.arrive.shared.b64 %rd5, [bar];"),
                new Planted("more arrivals than a barrier object takes", KernelFault.Kind.LIMIT,
                        "mbarrier.arrive.shared.b64 %rd5, [bar], 65;", "mbarrier.arrive.shared.b64 %rd5, [bar], 64;",
                        "setp.ne.s32 %p1, %r1, 0; @%p1 bra SKIP; mbarrier.init.shared.b64 [bar], 64; # SKIP:"),
                new Planted("a store to constants", KernelFault.Kind.READ_ONLY,
                        "mov.u64 %rd6, 3458764513820540928;", "mov.u64 %rd6, %rd2;", "# st.u32 [%rd6], %r1;"),
                new Planted("a kernel that gives up", KernelFault.Kind.TRAP,
                        "setp.eq.s32 %p1, %r1, 5;", "setp.eq.s32 %p1, %r1, 99;", "# @%p1 trap; st.global.u32 [%rd2], %r1;"));
    }

    private static void run(Planted planted, String line) {
        try (Machine machine = new Machine()) {
            CudaFunction kernel = machine.kernel(".u64 .u64", planted.with(line));
            DeviceBuffer in = machine.buffer(new int[THREADS]);
            DeviceBuffer out = machine.context.allocate(4 * THREADS);
            machine.run(kernel, LaunchConfiguration.of(1, THREADS), in, out);
        }
    }

    @ParameterizedTest
    @MethodSource("bugs")
    void launch_plantedBug_isFound(Planted planted) {
        KernelFault fault = assertThrows(KernelFaultException.class, () -> run(planted, planted.bug())).fault();
        assertEquals(planted.kind(), fault.kind(), fault.toString());
        assertEquals("test", fault.kernel());
        assertTrue(fault.ptxLine() > 10 && !fault.instruction().isEmpty(), fault.toString());
    }

    @ParameterizedTest
    @MethodSource("bugs")
    void launch_rightTwin_findsNothing(Planted planted) {
        run(planted, planted.right());
    }

    @Test
    void launch_bufferFreedBefore_isUseAfterFree() {
        try (Machine machine = new Machine()) {
            CudaFunction kernel = machine.kernel(".u64", "ld.param.u64 %rd1, [p0]; ld.global.u32 %r1, [%rd1];");
            DeviceBuffer buffer = machine.buffer(1, 2, 3);
            long address = buffer.address();
            machine.run(kernel, LaunchConfiguration.of(1, 1), address);
            buffer.close();
            KernelFault fault = assertThrows(KernelFaultException.class,
                    () -> machine.run(kernel, LaunchConfiguration.of(1, 1), address)).fault();
            assertEquals(KernelFault.Kind.USE_AFTER_FREE, fault.kind());
        }
    }

    @Test
    void bugs_kinds_areAllPlanted() {
        Set<KernelFault.Kind> missing = EnumSet.allOf(KernelFault.Kind.class);
        bugs().forEach(planted -> missing.remove(planted.kind()));
        missing.remove(KernelFault.Kind.USE_AFTER_FREE); // planted above
        WarpgroupMultiplyTest.bugs().forEach(planted -> missing.remove(planted.kind()));
        ClusterTest.bugs().forEach(planted -> missing.remove(planted.kind()));
        assertEquals(Set.of(), missing);
    }

    @Test
    void fault_message_namesKernelLineBlockThreadAndAddress() {
        try (Machine machine = new Machine()) {
            String ptx = Machine.ptx(".u64", """
                    ld.param.u64 %rd1, [p0];
                    mov.u32 %r1, %ctaid.x;
                    mul.wide.u32 %rd2, %r1, 4;
                    add.s64 %rd1, %rd1, %rd2;
                    .loc 1 42 7
                    ld.global.u32 %r2, [%rd1];
                    """) + ".file 1 \"some/where/kernel.cu\"\n";
            CudaFunction kernel = machine.context.load("test", ptx).function("test");
            DeviceBuffer buffer = machine.buffer(1, 2, 3);
            KernelFault fault = assertThrows(KernelFaultException.class,
                    () -> machine.run(kernel, LaunchConfiguration.of(5, 1), buffer)).fault();
            assertEquals("kernel.cu:42", fault.source());
            assertEquals("(3, 0, 0)", fault.block());
            assertEquals("(0, 0, 0)", fault.thread());
            assertEquals(buffer.address() + 12, fault.address());
            assertEquals("ld.global.u32 %r2, [%rd1]", fault.instruction());
            assertEquals(17, fault.ptxLine());
        }
    }
}
