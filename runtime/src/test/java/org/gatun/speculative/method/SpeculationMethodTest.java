package org.gatun.speculative.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SpeculationMethodTest {

    @Test
    void parse_optionsGiven_overrideStandards() {
        assertEquals(Map.of("first", "4", "most", "12", "lead", "5", "ahead", "auto"),
                SpeculationMethod.parse("draft:most=12").settings().values());
    }

    @ParameterizedTest
    @CsvSource({"magic, unknown speculation method 'magic'", "draft:size=3, no option 'size'", "draft:most=0, from 1 to 63",
        "draft:most=many, from 1 to 63", "draft:most, from 1 to 63", "draft:ahead=maybe, 'one of auto, yes, no'",
        "'', unknown speculation method ''"})
    void parse_badText_namesWhatIsWrong(String text, String message) {
        String found = assertThrows(IllegalArgumentException.class, () -> SpeculationMethod.parse(text)).getMessage();

        assertTrue(found.contains(message), found);
    }
}
