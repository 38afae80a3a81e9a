package org.gatun.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.TokenDistribution;
import org.junit.jupiter.api.Test;

class DraftDistributionsTest {
    private static final TokenDistribution DISTRIBUTION = TokenDistribution.of(0.5, 0.5);

    private static DraftDistributions draftDistributions(int parent, int row) {
        DraftDistributions draftDistributions = new DraftDistributions(4);
        draftDistributions.setDistribution(parent, ProposalSampling.INDEPENDENT, DISTRIBUTION);
        draftDistributions.add(parent, row);
        return draftDistributions;
    }

    @Test
    void add_rowsThatCannotBe_areRefused() {
        DraftDistributions draftDistributions = draftDistributions(1, 2);

        assertThrows(IllegalStateException.class,
                () -> draftDistributions.setDistribution(1, ProposalSampling.WITHOUT_REPLACEMENT, DISTRIBUTION));
        assertThrows(IllegalStateException.class, () -> draftDistributions.add(0, 1));
        assertThrows(IndexOutOfBoundsException.class, () -> draftDistributions.add(1, 1));
        assertThrows(IndexOutOfBoundsException.class, () -> draftDistributions.add(1, 4));
        assertThrows(IndexOutOfBoundsException.class,
                () -> draftDistributions.setDistribution(4, ProposalSampling.INDEPENDENT, DISTRIBUTION));
        assertEquals(1, draftDistributions.count());
    }

    @Test
    void add_oneRowManyTimes_isAsManySamples() {
        DraftDistributions draftDistributions = draftDistributions(0, 3);
        for (int i = 0; i < 20; i++) {
            draftDistributions.add(0, 3);
        }

        assertEquals(21, draftDistributions.count());
        assertEquals(20, draftDistributions.next(0, 20));
        assertEquals(-1, draftDistributions.next(0, 21));
        draftDistributions.clear();
        assertEquals(-1, draftDistributions.next(0, 0));
        assertNull(draftDistributions.distribution(0));
    }

    @Test
    void setDrawings_rowsThatDoNotAttendToTheirParent_areRefused() {
        try (Arena arena = Arena.ofConfined()) {
            Pass pass = new Pass(arena, new PassLimits(64, 64)).beginTree(0);
            pass.addRow(0, 0, new long[] {0b001}, 0, 1);
            pass.addRow(1, 1, new long[] {0b011}, 0, 1);
            pass.addRow(1, 1, new long[] {0b101}, 0, 1);

            assertEquals("row 2 sampled below row 1 in a pass of 3 rows: expected rows that attend to those they were sampled below",
                    assertThrows(IllegalArgumentException.class, () -> pass.setDraftDistributions(draftDistributions(1, 2))).getMessage());
            assertThrows(IllegalArgumentException.class, () -> pass.setDraftDistributions(draftDistributions(0, 3)));
            DraftDistributions fitting = draftDistributions(0, 2);
            pass.setDraftDistributions(fitting);
            assertSame(fitting, pass.draftDistributions());
            pass.setDraftDistributions(new DraftDistributions(4));
            assertNull(pass.draftDistributions(), "nothing was sampled");
            pass.setDraftDistributions(fitting);
            assertNull(pass.beginCausal(0).draftDistributions());
        }
    }
}
