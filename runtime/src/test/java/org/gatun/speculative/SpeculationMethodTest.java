package org.gatun.speculative;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.gatun.decoding.TokenText;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SpeculationMethodTest {

    @Test
    void parse_optionsGiven_overrideStandards() {
        assertEquals(Map.of("first", 4, "most", 12, "lead", 5), SpeculationMethod.parse("draft:most=12").options());
    }

    @ParameterizedTest
    @CsvSource({"magic, unknown speculation method 'magic'", "draft:size=3, no option 'size'", "draft:most=0, from 1 to 63",
        "draft:most=many, from 1 to 63", "draft:most, from 1 to 63", "'', unknown speculation method ''"})
    void parse_badText_namesWhatIsWrong(String text, String message) {
        String found = assertThrows(IllegalArgumentException.class, () -> SpeculationMethod.parse(text)).getMessage();

        assertTrue(found.contains(message), found);
    }

    @Test
    void lookup_repeatedText_proposesWhatFollowed() {
        LookupDrafter drafter = new LookupDrafter(3, 4);
        TokenText text = new TokenText(1, 2, 3, 4, 5, 6, 9, 2, 3);
        TokenTree tree = new TokenTree(64).begin(text.last());

        drafter.draft(text, tree, 64);

        assertEquals(5, tree.size());
        assertEquals(4, tree.token(1));
        assertEquals(5, tree.token(2));
        assertEquals(6, tree.token(3));
        assertEquals(9, tree.token(4));
    }

    @Test
    void lookup_freshText_proposesNothing() {
        TokenText text = new TokenText(1, 2, 3);
        TokenTree tree = new TokenTree(64).begin(text.last());

        new LookupDrafter(3, 4).draft(text, tree, 64);

        assertEquals(1, tree.size());
    }

    @Test
    void lookup_overlappingRepetition_staysInsideTheText() {
        TokenText text = new TokenText(7, 7, 7);
        TokenTree tree = new TokenTree(64).begin(text.last());

        new LookupDrafter(3, 8).draft(text, tree, 64);

        assertEquals(2, tree.size());
        assertEquals(7, tree.token(1));
    }

    @Test
    void draftLength_outcomes_growsAndShrinksWithinBounds() {
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
