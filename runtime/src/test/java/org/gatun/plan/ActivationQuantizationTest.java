package org.gatun.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class ActivationQuantizationTest {

    @Test
    void parse_everyName_comesBack() {
        for (ActivationQuantization one : ActivationQuantization.values()) {
            assertEquals(one, ActivationQuantization.parse(one.toString()));
        }
    }

    @Test
    void parse_formerName_isNone() {
        assertEquals(ActivationQuantization.NONE, ActivationQuantization.parse("as-is"));
    }

    @Test
    void parse_otherName_namesWhatIsExpected() {
        assertEquals("found 'int4', expected one of none, int8, int8-outliers",
                assertThrows(IllegalArgumentException.class, () -> ActivationQuantization.parse("int4")).getMessage());
    }
}
