package org.gatun.speculative;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.tensor.DType;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Texts of every method as they once were: the same prompt, seed and settings give the same tokens in every release. The reference
/// backend computes them, whose bits are the same on every machine.
///
/// `texts.txt` has a line for each of the rounds below. Where a text is meant to change,
/// `-Dgatun.test.arguments=-Dgatun.test.texts=FILE` with `-Plong` writes a new one.
class RecordedTextsTest {
    private static final long SEED = 20261130;
    private static final int ROUNDS = 500;
    private static final List<Sampling> SAMPLINGS = List.of(
            Sampling.GREEDY,
            Sampling.GREEDY.withTemperature(1),
            Sampling.GREEDY.withTemperature(0.8).withTopK(12).withTopP(0.9).withMinP(0.01),
            Sampling.GREEDY.withTemperature(0.6).withRepetitionPenalty(1.2));

    @TempDir
    Path directory;

    @Test
    void everyMethod_recordedPromptsAndSeeds_givesTheRecordedText() throws IOException {
        List<String> methods = SpeculationMethod.ALL.stream().map(SpeculationMethod::name).toList();
        List<String> recorded = recorded();
        Optional<Path> rewritten = Optional.ofNullable(System.getProperty("gatun.test.texts")).map(Path::of);
        List<String> found = new ArrayList<>();
        Path targetFile = RandomModel.tiny(SEED).withLayers(4).write(directory.resolve("target.gguf"));
        Path draftFile = RandomModel.tiny(SEED).withDtype(DType.Q4_0).write(directory.resolve("draft.gguf"));
        try (Backend backend = Backends.open("reference");
                Model target = Model.load(targetFile, backend, ModelOptions.STANDARD);
                Model draft = Model.load(draftFile, backend, ModelOptions.STANDARD)) {
            for (int i = 0; i < ROUNDS; i++) {
                // usually one in ten: at least two of each method
                if (!TestScale.takesOneIn(10, i / methods.size() + i)) {
                    continue;
                }
                SplittableRandom random = new SplittableRandom(SEED + i);
                int[] prompt = random.ints(random.nextInt(1, 40), 3, 32).toArray();
                String method = methods.get(i % methods.size());
                Sampling sampling = SAMPLINGS.get(i / methods.size() % SAMPLINGS.size()).withSeed(random.nextInt(1000));
                String line = i + " " + method + " " + hash(generate(target, draft, prompt, GenerationOptions.STANDARD.withMaxTokens(32)
                        .withSampling(sampling).withIgnoreEndOfText(i % 3 == 0).withSpeculation(SpeculationMethod.parse(method))));
                found.add(line);
                if (rewritten.isEmpty()) {
                    assertEquals(recorded.get(i), line, "of prompt " + Arrays.toString(prompt) + ", " + sampling);
                }
            }
        }
        if (rewritten.isPresent()) {
            Files.write(rewritten.get(), found);
        }
    }

    private static List<String> recorded() throws IOException {
        try (InputStream in = RecordedTextsTest.class.getResourceAsStream("texts.txt")) {
            return in == null ? List.of() : new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        }
    }

    private static int[] generate(Model target, Model draft, int[] prompt, GenerationOptions options) {
        try (Session session = target.openSession();
                Generation generation = new Generation(session, prompt, Optional.of(draft), options)) {
            generation.text();
            return generation.tokens();
        }
    }

    private static String hash(int[] tokens) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(Arrays.toString(tokens).getBytes(StandardCharsets.US_ASCII));
            return HexFormat.of().formatHex(digest, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
