package org.gatun.cuda.simulator;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.function.IntUnaryOperator;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.LaunchConfiguration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What the threads of a warp tell each other, and where they part and meet, by the definitions of the PTX ISA.
class WarpOperationsTest {
    /// Runs code that leaves a thread's result in %r9; %r0 is the lane, %r1 a value of 7 times the lane.
    private static void check(String code, IntUnaryOperator expected) {
        try (Machine machine = new Machine()) {
            DeviceBuffer out = machine.buffer(new int[32]);
            machine.run(machine.kernel(".u64", """
                    mov.u32 %r0, %tid.x; mul.lo.u32 %r1, %r0, 7; mov.u32 %r9, -1;
                    CODE
                    DONE: mul.wide.u32 %rd1, %r0, 4; ld.param.u64 %rd0, [p0]; add.s64 %rd0, %rd0, %rd1; st.global.u32 [%rd0], %r9;
                    """.replace("CODE", code)), LaunchConfiguration.of(1, 32), out);
            int[] found = Machine.ints(out);
            for (int lane = 0; lane < 32; lane++) {
                assertEquals(expected.applyAsInt(lane), found[lane], "lane " + lane + " of " + code);
            }
        }
    }

    /// c holds the clamp in bits 0 to 4 and the segment mask in bits 8 to 12.
    @ParameterizedTest
    @CsvSource({"up, 1, 32", "up, 3, 8", "down, 1, 32", "down, 5, 16", "bfly, 1, 32", "bfly, 16, 32", "bfly, 3, 4", "bfly, 9, 8",
        "idx, 5, 32", "idx, 9, 8", "idx, 31, 32"})
    void shfl_everyModeAndWidth_readsTheLaneOfTheDefinition(String mode, int b, int width) {
        int segment = 32 - width;
        int clamp = mode.equals("up") ? 0 : 31;
        IntUnaryOperator source = lane -> {
            int first = lane & segment;
            int last = mode.equals("up") ? first : first | clamp & ~segment;
            int j = switch (mode) {
                case "up" -> lane - b;
                case "down" -> lane + b;
                case "bfly" -> lane ^ b;
                default -> first | b & ~segment;
            };
            boolean inside = mode.equals("up") ? j >= last : j <= last;
            return inside ? j : -1 - lane;
        };
        int c = segment << 8 | clamp;
        check("shfl.sync.%s.b32 %%r9, %%r1, %d, %d, -1;".formatted(mode, b, c),
                lane -> 7 * (source.applyAsInt(lane) >= 0 ? source.applyAsInt(lane) : lane));
        check("shfl.sync.%s.b32 %%r8|%%p1, %%r1, %d, %d, -1; selp.u32 %%r9, 1, 0, %%p1;".formatted(mode, b, c),
                lane -> source.applyAsInt(lane) >= 0 ? 1 : 0);
    }

    @Test
    void vote_allAnyUniBallot_countTheMembers() {
        check("setp.lt.u32 %p1, %r0, 5; vote.sync.ballot.b32 %r9, %p1, -1;", _ -> 0b11111);
        check("setp.lt.u32 %p1, %r0, 5; vote.sync.any.pred %p2, %p1, -1; selp.u32 %r9, 1, 0, %p2;", _ -> 1);
        check("setp.lt.u32 %p1, %r0, 5; vote.sync.all.pred %p2, %p1, -1; selp.u32 %r9, 1, 0, %p2;", _ -> 0);
        check("setp.lt.u32 %p1, %r0, 32; vote.sync.uni.pred %p2, %p1, -1; selp.u32 %r9, 1, 0, %p2;", _ -> 1);
        // the even lanes among themselves
        check("and.b32 %r2, %r0, 1; setp.eq.u32 %p1, %r2, 1; @%p1 bra DONE; setp.gt.u32 %p2, %r0, 20; "
                + "vote.sync.ballot.b32 %r9, %p2, 0x55555555;", lane -> lane % 2 == 1 ? -1 : 0x55400000);
        check("setp.lt.u32 %p1, %r0, 9; @!%p1 bra DONE; activemask.b32 %r9;", lane -> lane < 9 ? 0x1ff : -1);
    }

    @Test
    void matchAndRedux_groupsOfEqualValues_areFound() {
        check("and.b32 %r2, %r0, 3; match.any.sync.b32 %r9, %r2, -1;", lane -> 0x11111111 << lane % 4);
        check("mov.u32 %r2, 5; match.all.sync.b32 %r9|%p1, %r2, -1;", _ -> -1);
        check("redux.sync.add.s32 %r9, %r1, -1;", _ -> 7 * 496);
        check("redux.sync.max.u32 %r9, %r1, -1;", _ -> 217);
        check("redux.sync.min.s32 %r9, %r1, -1;", _ -> 0);
        check("redux.sync.or.b32 %r9, %r0, -1;", _ -> 31);
        check("redux.sync.and.b32 %r9, %r0, -1;", _ -> 0);
        check("redux.sync.xor.b32 %r9, %r0, -1;", _ -> 0);
    }

    /// Each lane takes its own number of steps; within them it goes one of two ways.
    @Test
    void loop_anotherTripCountForEachLane_givesEachItsOwnResult() {
        check("""
                mov.u32 %r9, 0; mov.u32 %r2, 0;
                LOOP: setp.ge.u32 %p1, %r2, %r0; @%p1 bra DONE;
                and.b32 %r3, %r2, 1; setp.eq.u32 %p2, %r3, 0; @%p2 bra EVEN;
                add.u32 %r9, %r9, 100; bra NEXT;
                EVEN: add.u32 %r9, %r9, 1;
                NEXT: add.u32 %r2, %r2, 1; bra LOOP;
                """, lane -> lane / 2 * 100 + (lane + 1) / 2);
    }

    /// After an if and its else all 32 go on together: a member is missing from the vote otherwise, which is a fault.
    @Test
    void branches_bothSidesTaken_meetAtTheirPostDominator() {
        check("""
                setp.lt.u32 %p1, %r0, 11; @%p1 bra LEFT;
                setp.lt.u32 %p2, %r0, 22; @%p2 bra INNER; mov.u32 %r2, 3; bra MEET;
                INNER: mov.u32 %r2, 2; bra MEET;
                LEFT: mov.u32 %r2, 1;
                MEET: setp.eq.u32 %p3, %r2, 2; vote.sync.ballot.b32 %r9, %p3, -1;
                """, _ -> 0x3ff800);
    }
}
