package org.gatun.stories;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.ModelOptions;
import org.gatun.model.Session;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.speculative.SpeculationStatistics;
import org.gatun.tokenizer.Tokenizer;
import org.junit.jupiter.api.Test;

class StoryModelsTest {
    /// Openings in the manner of the training text; none stands in it.
    private static final List<String> OPENINGS = List.of(
            "Once upon a time there was a little mouse who lived in a", "Tom and his sister wanted to build a boat. They",
            "It was a rainy day and the children had to stay inside. Mia", "The old farmer had a donkey that did not like to",
            "One morning, a small bird fell from its nest. A boy named Max", "Anna loved her new red kite. She took it to the");

    @Test
    void draft_storyOpenings_isAcceptedOften() throws IOException {
        SpeculationStatistics total = SpeculationStatistics.NONE;
        try (Backend backend = Backends.open("auto"); StoryModels models = StoryModels.open(backend, ModelOptions.STANDARD);
                Session session = models.target().openSession()) {
            for (String opening : OPENINGS) {
                int[] prompt = models.target().tokenizer().encode(opening, Tokenizer.Special.ADD);
                try (Generation generation = new Generation(session, prompt, Optional.of(models.draft()), GenerationOptions.STANDARD
                        .withMaxTokens(100).withSpeculation(SpeculationMethod.parse("draft")))) {
                    assertTrue(generation.text().contains("."));
                    total = total.plus(generation.statistics());
                }
            }
        }
        assertTrue(total.meanAcceptedLength() >= 2, "mean accepted length " + total.meanAcceptedLength());
    }

    @Test
    void close_twice_isHarmless() throws IOException {
        try (Backend backend = Backends.open("auto")) {
            StoryModels models = StoryModels.open(backend, ModelOptions.STANDARD);
            assertEquals(models.target().config().vocabulary(), models.draft().config().vocabulary());
            models.close();
            models.close();
        }
    }
}
