package org.gatun.speculative.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.gatun.backend.MarkovBackend;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Requirements;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class SpeculationMethodTest {

    @TempDir
    private Path directory;

    @Test
    void parse_optionsGiven_overrideStandards() {
        assertEquals(Map.of("first", "4", "max", "12", "margin", "0.5", "draft-ahead", "auto"),
                SpeculationMethod.parse("draft:max=12").settings().values());
    }

    @ParameterizedTest
    @CsvSource({"none, false, false, false", "draft, true, false, false", "swift, false, false, true", "recycling, false, true, false",
        "rasd, false, true, false", "rasd:inner=draft, true, false, false", "auto, false, false, false",
        "auto:methods=draft+recycling, false, true, false"})
    void requirements_methodsAndTheirSettings_areKnownBeforeAnythingIsOpen(String text, boolean draftModel, boolean logits, boolean layers) {
        assertEquals(new Requirements(draftModel, logits, layers), SpeculationMethod.parse(text).requirements());
    }

    static Stream<String> methods() {
        return SpeculationMethod.ALL.stream().map(SpeculationMethod::name);
    }

    @ParameterizedTest
    @MethodSource("methods")
    void requirements_everyMethod_coverThoseOfItsDrafter(String name) throws IOException {
        Speculation speculation = SpeculationMethod.parse(name);
        Requirements said = speculation.requirements();
        RandomModel shape = new RandomModel("llama", DType.F32, 6, 32, 1, 1, 1, 32, 128, 1, 1);
        try (Model model = Model.load(shape.write(directory.resolve("m.gguf")), new MarkovBackend(6, 1, 1, null), ModelOptions.STANDARD)) {
            for (Optional<Model> draft : List.of(Optional.of(model), Optional.<Model>empty())) {
                if (draft.isEmpty() && said.draftModel()) {
                    assertThrows(IllegalArgumentException.class, () -> speculation.open(model, draft));
                } else {
                    try (Drafter drafter = speculation.open(model, draft)) {
                        assertEquals(said.withoutDraftModel(), said.and(drafter.requirements()).withoutDraftModel());
                        assertTrue(draft.isPresent() || !drafter.requirements().draftModel());
                    }
                }
            }
        }
    }

    /// Of the release before.
    @ParameterizedTest
    @CsvSource({"draft:most=12:lead=0:ahead=yes, draft:max=12:margin=0.0:draft-ahead=yes", "draft:lead=5, draft:margin=0.5",
        "draft:lead=1000, draft:margin=100.0", "specinfer:widths=3-1, specinfer:branching=3-1", "rsd-c:widths=2, rsd-c:branching=2",
        "lookup:most=6, lookup:max=6", "swift:most=6, swift:max=6", "del:most=6, del:max=6"})
    void parse_formerNames_areTheNewOnes(String former, String text) {
        assertEquals(SpeculationMethod.parse(text).settings(), SpeculationMethod.parse(former).settings());
    }

    @ParameterizedTest
    @CsvSource({"magic, unknown speculation method 'magic'", "draft:size=3, no option 'size'", "draft:max=0, from 1 to 63",
        "draft:max=many, from 1 to 63", "draft:max, from 1 to 63", "draft:draft-ahead=maybe, 'one of auto, yes, no'",
        "draft:margin=101, 'a number from 0 to 100, such as 0.5'", "draft:margin=-1, from 0 to 100", "draft:margin=NaN, from 0 to 100",
        "dyspec:threshold=20, 'dyspec:threshold=20: expected a number from 0.01 to 0.99, such as 0.2'",
        "swift:skip=45, 'swift:skip=45: expected a number from 0.01 to 0.99, such as 0.45'", "lookup:lead=5, no option 'lead'",
        "'', unknown speculation method ''"})
    void parse_badText_namesWhatIsWrong(String text, String message) {
        String found = assertThrows(IllegalArgumentException.class, () -> SpeculationMethod.parse(text)).getMessage();

        assertTrue(found.contains(message), found);
    }
}
