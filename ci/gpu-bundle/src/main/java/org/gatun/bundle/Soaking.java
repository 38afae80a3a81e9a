package org.gatun.bundle;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaDriver;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.ModelOptions;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.stories.StoryModels;
import org.gatun.tokenizer.Tokenizer;

/// Story after story, each in a new session: memory must stay where it was.
final class Soaking {
    private static final Duration BETWEEN_LINES = Duration.ofSeconds(10);
    private static final int WARM_UP = 5;
    private static final long DEVICE_SLACK = 8L << 20;
    private static final long HOST_SLACK = 128L << 20;

    private Soaking() {}

    static boolean run(CudaDriver driver, RunRecord record, Deadline deadline) throws IOException {
        long stories = 0;
        long tokens = 0;
        long freeBefore = 0;
        long residentBefore = 0;
        long freeAfter;
        Instant said = Instant.now();
        Instant begun = Instant.now();
        try (CudaContext context = CudaContext.open(driver, 0); Backend backend = Backends.open(driver.name());
                StoryModels models = StoryModels.open(backend, ModelOptions.STANDARD)) {
            int[] prompt = models.target().tokenizer().encode("Once upon a time", Tokenizer.Special.ADD);
            while (stories <= WARM_UP || !deadline.isOver()) {
                try (Session session = models.target().openSession();
                        Generation generation = new Generation(session, prompt, Optional.of(models.draft()), GenerationOptions.STANDARD
                                .withMaxTokens(64).withSampling(Sampling.GREEDY.withTemperature(1).withSeed(stories))
                                .withSpeculation(SpeculationMethod.parse("draft")))) {
                    generation.text();
                    tokens += generation.generatedTokens();
                }
                stories++;
                if (stories == WARM_UP) {
                    freeBefore = context.memoryInfo().freeBytes();
                    residentBefore = residentBytes();
                }
                if (Duration.between(said, Instant.now()).compareTo(BETWEEN_LINES) >= 0) {
                    said = Instant.now();
                    System.out.println("soak: " + stories + " stories, " + tokens + " tokens, " + deadline.left().toSeconds() + " s left");
                }
            }
            freeAfter = context.memoryInfo().freeBytes();
        }
        long device = freeBefore - freeAfter;
        long host = residentBytes() - residentBefore;
        boolean good = device <= DEVICE_SLACK && host <= HOST_SLACK;
        record.part("soak").put("seconds", Duration.between(begun, Instant.now()).toSeconds()).put("stories", stories)
                .put("tokens", tokens).put("device_bytes_grown", device).put("host_bytes_grown", host).put("good", good);
        record.save();
        System.out.println("soak: " + stories + " stories, " + tokens + " tokens; grown by " + device + " bytes on the device, " + host
                + " on the host" + (good ? "" : ": FAILED"));
        return good;
    }

    private static long residentBytes() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmRSS:")) {
                return 1024 * Long.parseLong(line.replaceAll("\\D", ""));
            }
        }
        return 0;
    }
}
