package org.gatun.speculative;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class DraftLengthTest {

    @Test
    void observe_outcomes_growsAndShrinksWithinBounds() {
        DraftLength length = new DraftLength(4, 6);
        for (int i = 0; i < 10; i++) {
            length.observe(length.next(), length.next());
        }
        assertEquals(6, length.next());
        for (int i = 0; i < 10; i++) {
            length.observe(length.next(), 0);
        }
        assertEquals(1, length.next());
    }
}
