package org.gatun.bundle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.Optional;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.cuda.TestDriver;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.ModelOptions;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.stories.StoryModels;
import org.gatun.tokenizer.Tokenizer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// The embedded models, whole, on the device.
@Tag("gpu")
class StoriesOnDeviceTest {
    private static final String OPENING = "Once upon a time there was a little mouse who lived in a";
    private static final int TOKENS = TestDriver.isSimulator() ? 24 : 60;

    @Test
    void generate_greedily_givesTheTextOfTheProcessor() throws IOException {
        assertEquals(generate("reference", "none", Sampling.GREEDY), generate(TestDriver.name(), "none", Sampling.GREEDY));
    }

    @Test
    void generate_everyMethodSampled_givesTheTextOfPlainDecoding() throws IOException {
        Sampling sampling = Sampling.GREEDY.withTemperature(0.8).withTopP(0.95).withSeed(7);
        String expected = generate(TestDriver.name(), "none", sampling);
        assertTrue(expected.length() > TOKENS, expected);
        for (SpeculationMethod method : SpeculationMethod.ALL) {
            if (!method.samplesProposals()) {
                assertEquals(expected, generate(TestDriver.name(), method.name(), sampling), method.name());
            }
        }
    }

    private static String generate(String backendName, String method, Sampling sampling) throws IOException {
        try (Backend backend = Backends.open(backendName);
                StoryModels models = StoryModels.open(backend, ModelOptions.STANDARD);
                Session session = models.target().openSession()) {
            int[] prompt = models.target().tokenizer().encode(OPENING, Tokenizer.Special.ADD);
            try (Generation generation = new Generation(session, prompt, Optional.of(models.draft()),
                    GenerationOptions.STANDARD.withMaxTokens(TOKENS).withSampling(sampling)
                            .withSpeculation(SpeculationMethod.parse(method)))) {
                return generation.text();
            }
        }
    }
}
