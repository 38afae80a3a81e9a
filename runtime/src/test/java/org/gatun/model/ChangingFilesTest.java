package org.gatun.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.cuda.ChildProcess;
import org.gatun.format.FileAccess;
import org.gatun.format.FormatException;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.convert.ModelQuantizer;
import org.gatun.model.convert.WeightTypes;
import org.gatun.tensor.DType;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ChangingFilesTest {
    private static final GenerationOptions TEN = GenerationOptions.STANDARD.withMaxTokens(10).withIgnoreEndOfText(true);
    private static final int[] PROMPT = {4, 8, 15};

    @TempDir
    Path folder;

    static Stream<String> hostBackends() {
        return Backends.list().stream().filter(backend -> backend.unavailable().isEmpty()).map(Backends.Availability::name)
                .filter(List.of("cpu", "reference")::contains);
    }

    @ParameterizedTest
    @MethodSource("hostBackends")
    void loadAndRun_fileChangedAtAnyMoment_rightTokensOrOneLine(String backend) throws Exception {
        int moments = TestScale.rounds(25, 1000);

        List<String> lines = ChildProcess.run(ChangingFiles.class, Map.of(), List.of("-ea", "-Xmx256m"), backend,
                Integer.toString(moments), Long.toString(TestScale.seed()), folder.toString()).lines();

        assertEquals(1, lines.stream().filter(line -> line.matches("\\d+ right, \\d+ refused")).count(), lines::toString);
        System.out.println(backend + ": " + lines);
    }

    @ParameterizedTest
    @MethodSource("hostBackends")
    void run_fileEmptiedAfterFirstSession_goesOnAndOpensSessions(String backendName) throws IOException {
        Path file = RandomModel.tiny(6).write(folder.resolve("model.gguf"));
        try (Backend backend = Backends.open(backendName, 2); Model model = Model.load(file, backend, ModelOptions.STANDARD)) {
            int[] expected = tokens(model);
            Files.write(file, new byte[0]);

            assertArrayEquals(expected, tokens(model));
            try (Session first = model.openSession(); Session second = model.openSession()) {
                assertEquals(0, first.length() + second.length());
            }
        }
    }

    @Test
    void openSession_fileWrittenToSinceLoading_saysThatItChanged() throws IOException {
        Path file = RandomModel.tiny(6).write(folder.resolve("model.gguf"));
        String name = hostBackends().findFirst().orElseThrow();
        try (Backend backend = Backends.open(name, 2); Model model = Model.load(file, backend, ModelOptions.STANDARD)) {
            Files.write(file, new byte[(int) Files.size(file) + 1]);
            if (name.equals("cpu")) {
                FormatException cause = (FormatException) assertThrows(UncheckedIOException.class, model::openSession).getCause();
                assertTrue(cause.getMessage().contains("the file changed while it was read"), cause.getMessage());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("hostBackends")
    void load_fileReadInsteadOfMapped_givesTheSameTokens(String backendName) throws IOException {
        Path file = RandomModel.tiny(6).write(folder.resolve("model.gguf"));
        try (Backend backend = Backends.open(backendName, 2);
                Model mapped = Model.load(file, backend, ModelOptions.STANDARD);
                Model read = Model.load(file, backend, ModelOptions.STANDARD.withFileAccess(FileAccess.READ))) {
            assertArrayEquals(tokens(mapped), tokens(read));
        }
    }

    @Test
    void load_matricesOfSeveralPieces_givesTheTokensOfReference() throws IOException {
        Path file = new RandomModel("llama", DType.F32, 5000, 256, 1, 4, 2, 128, 64, 3, 6).write(folder.resolve("wide.gguf"));
        int[][] found = new int[2][];
        List<String> names = hostBackends().toList();
        for (int i = 0; i < names.size(); i++) {
            try (Backend backend = Backends.open(names.get(i), 2); Model model = Model.load(file, backend, ModelOptions.STANDARD)) {
                found[i] = tokens(model);
            }
        }
        assertArrayEquals(found[names.size() - 1], found[0]);
    }

    /// Two models whose files come to the same place in memory, one after the other.
    @Test
    void load_anotherFileMappedWhereTheFirstWas_hasItsOwnWeights() throws IOException {
        String name = hostBackends().findFirst().orElseThrow();
        int[][] expected = new int[8][];
        for (int seed = 0; seed < expected.length; seed++) {
            RandomModel.tiny(seed).write(folder.resolve(seed + ".gguf"));
            try (Backend backend = Backends.open(name, 2); Model model = load(seed, backend)) {
                expected[seed] = tokens(model);
            }
        }
        try (Backend backend = Backends.open(name, 2)) {
            Model[] models = new Model[expected.length];
            for (int seed = 0; seed < models.length; seed++) {
                models[seed] = load(seed, backend);
                assertArrayEquals(expected[seed], tokens(models[seed]), "model " + seed);
            }
            for (Model model : models) {
                model.close();
            }
        }
    }

    @Test
    void quantize_fileCutShortMeanwhile_saysThatItChanged() throws IOException {
        Path file = RandomModel.tiny(6).write(folder.resolve("model.gguf"));
        try (ModelQuantizer quantizer = ModelQuantizer.open(file)) {
            Files.write(file, new byte[0]);

            FormatException e = assertThrows(FormatException.class, () -> quantizer.write(folder.resolve("out.gguf"),
                    new WeightTypes(DType.Q8_0), Optional.empty(), _ -> { }));
            assertTrue(e.getMessage().contains("the file changed while it was read"), e.getMessage());
        }
    }

    private Model load(int seed, Backend backend) throws IOException {
        return Model.load(folder.resolve(seed + ".gguf"), backend, ModelOptions.STANDARD);
    }

    private static int[] tokens(Model model) {
        try (Session session = model.openSession(); Generation generation = new Generation(session, PROMPT, Optional.empty(), TEN)) {
            generation.text();
            return generation.tokens();
        }
    }
}
