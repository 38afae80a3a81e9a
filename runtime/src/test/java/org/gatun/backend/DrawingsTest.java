package org.gatun.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import org.gatun.sampling.Draws;
import org.gatun.sampling.Law;
import org.junit.jupiter.api.Test;

class DrawingsTest {
    private static final Law LAW = Law.of(0.5, 0.5);

    private static Drawings drawings(int parent, int row) {
        Drawings drawings = new Drawings(4);
        drawings.setLaw(parent, Draws.INDEPENDENT, LAW);
        drawings.add(parent, row);
        return drawings;
    }

    @Test
    void add_rowsThatCannotBe_areRefused() {
        Drawings drawings = drawings(1, 2);

        assertThrows(IllegalStateException.class, () -> drawings.setLaw(1, Draws.WITHOUT_REPLACEMENT, LAW));
        assertThrows(IllegalStateException.class, () -> drawings.add(0, 1));
        assertThrows(IndexOutOfBoundsException.class, () -> drawings.add(1, 1));
        assertThrows(IndexOutOfBoundsException.class, () -> drawings.add(1, 4));
        assertThrows(IndexOutOfBoundsException.class, () -> drawings.setLaw(4, Draws.INDEPENDENT, LAW));
        assertEquals(1, drawings.count());
    }

    @Test
    void add_oneRowManyTimes_isAsManyDrawings() {
        Drawings drawings = drawings(0, 3);
        for (int i = 0; i < 20; i++) {
            drawings.add(0, 3);
        }

        assertEquals(21, drawings.count());
        assertEquals(20, drawings.next(0, 20));
        assertEquals(-1, drawings.next(0, 21));
        drawings.clear();
        assertEquals(-1, drawings.next(0, 0));
        assertNull(drawings.law(0));
    }

    @Test
    void setDrawings_rowsThatDoNotSeeTheirParent_areRefused() {
        try (Arena arena = Arena.ofConfined()) {
            Pass pass = new Pass(arena, new PassLimits(64, 64)).beginTree(0);
            pass.addRow(0, 0, new long[] {0b001}, 0, 1);
            pass.addRow(1, 1, new long[] {0b011}, 0, 1);
            pass.addRow(1, 1, new long[] {0b101}, 0, 1);

            assertEquals("row 2 drawn below row 1 in a pass of 3 rows: expected rows that see those they were drawn below",
                    assertThrows(IllegalArgumentException.class, () -> pass.setDrawings(drawings(1, 2))).getMessage());
            assertThrows(IllegalArgumentException.class, () -> pass.setDrawings(drawings(0, 3)));
            Drawings fitting = drawings(0, 2);
            pass.setDrawings(fitting);
            assertSame(fitting, pass.drawings());
            pass.setDrawings(new Drawings(4));
            assertNull(pass.drawings(), "nothing was drawn");
            pass.setDrawings(fitting);
            assertNull(pass.beginCausal(0).drawings());
        }
    }
}
