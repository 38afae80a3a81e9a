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
    void setDraftDistributions_rowsThatDoNotAttendToTheirParent_areRefused() {
        try (Arena arena = Arena.ofConfined()) {
            Segment segment = new Segment(arena, new BatchLimits(64, 64)).beginTree(0);
            segment.addRow(0, 0, new long[] {0b001}, 0, 1);
            segment.addRow(1, 1, new long[] {0b011}, 0, 1);
            segment.addRow(1, 1, new long[] {0b101}, 0, 1);

            assertEquals("row 2 sampled below row 1 in a segment of 3 rows: expected rows that attend to those they were sampled below",
                    assertThrows(IllegalArgumentException.class, () -> segment.setDraftDistributions(draftDistributions(1, 2))).getMessage());
            assertThrows(IllegalArgumentException.class, () -> segment.setDraftDistributions(draftDistributions(0, 3)));
            DraftDistributions fitting = draftDistributions(0, 2);
            segment.setDraftDistributions(fitting);
            assertSame(fitting, segment.draftDistributions());
            segment.setDraftDistributions(new DraftDistributions(4));
            assertNull(segment.draftDistributions(), "nothing was sampled");
            segment.setDraftDistributions(fitting);
            assertNull(segment.beginCausal(0).draftDistributions());
        }
    }
}
