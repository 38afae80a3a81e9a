package org.gatun.model.architecture;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gatun.model.checkpoint.RandomCheckpoint;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.LayerProgram;
import org.gatun.plan.RopeTable;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ArchitecturesTest {
    private static final int HEAD_DIM = 8;
    private static final Path ROOT = Path.of("..");

    static List<Architecture> all() {
        return Architectures.all();
    }

    /// Gives every weight that is asked for, and notes its name.
    private static Set<String> weightsOf(Architecture architecture) {
        ModelConfig config = new ModelConfig(architecture, 32, 2, 32, 64, 4, 2, HEAD_DIM, 1e-5f,
                new RopeTable(RopeTable.Pairing.SPLIT, new float[HEAD_DIM / 2], 1), 0, 0, 64);
        Set<String> asked = new TreeSet<>();
        try (RandomCheckpoint random = new RandomCheckpoint(config, DType.F32, 1)) {
            architecture.record(config, name -> {
                asked.add(name);
                return random.find(name).or(() -> name.endsWith("_norm.weight") ? Optional.of(new Tensor(name, DType.F32,
                        Shape.of(HEAD_DIM), MemorySegment.ofArray(new byte[HEAD_DIM * Float.BYTES]))) : Optional.empty());
            }, ActivationQuantization.NONE, LayerProgram.full(2));
        }
        return asked;
    }

    @ParameterizedTest
    @MethodSource("all")
    void weightNames_ofEveryArchitecture_areThoseItsPlanAsksFor(Architecture architecture) {
        WeightNames names = architecture.weightNames();

        assertEquals(new TreeSet<>(names.ofGguf(2)), weightsOf(architecture));
        assertEquals(names.ofGguf(2).size(), names.ofGguf(2).stream().map(names::ofHuggingFace).distinct().count());
    }

    @ParameterizedTest
    @MethodSource("all")
    void parts_thatAnArchitectureSpeaksOf_areAmongItsWeights(Architecture architecture) {
        Set<String> parts = architecture.weightNames().ofGguf(1).stream().map(WeightNames::part).collect(Collectors.toSet());

        assertTrue(parts.containsAll(architecture.requiredParts()), architecture.requiredParts().toString());
        assertTrue(parts.containsAll(architecture.attentionBiases()), architecture.attentionBiases().toString());
    }

    @Test
    void names_inEitherFormat_sayWhichIsMeant() {
        assertEquals(Architectures.all().stream().flatMap(one -> one.names().gguf().stream()).distinct().count(),
                Architectures.all().stream().mapToLong(one -> one.names().gguf().size()).sum());
        for (Architecture architecture : Architectures.all()) {
            Architecture.Names names = architecture.names();
            assertEquals(Optional.of(architecture), Architectures.ofModelType(names.modelType()));
            names.gguf().forEach(name -> assertEquals(Optional.of(architecture), Architectures.ofGguf(name)));
            Architecture written = Architectures.ofGguf(names.ggufWritten()).orElseThrow();
            assertEquals(architecture.ggufPairing(), written.ggufPairing());
            assertEquals(architecture.weightNames(), written.weightNames());
            assertEquals(names.modelType(), architecture.toString());
        }
    }

    /// An architecture is added by a class and a line of the registry: nobody else compares names. Tokenizers of GGUF have names of their
    /// own, of which some are those of the first model that had them.
    @Test
    void mainSources_textsInThem_nameNoArchitecture() throws IOException {
        String names = Architectures.all().stream().map(Architecture::names)
                .flatMap(one -> Stream.concat(Stream.of(one.modelType(), one.className(), one.ggufWritten()), one.gguf().stream()))
                .distinct().map(Pattern::quote).collect(Collectors.joining("|"));
        Pattern named = Pattern.compile("\"(?:" + names + ")(?:\\.[a-z_.]+)?\"");
        List<String> found = new ArrayList<>();
        for (Path file : mainSources()) {
            boolean itself = file.getParent().endsWith(Path.of("model", "architecture"));
            boolean tokenizer = file.getParent().endsWith(Path.of("gatun", "tokenizer"));
            for (String line : Files.readAllLines(file)) {
                if (!itself && !tokenizer && !line.contains("\"tokenizer.ggml.model\"") && named.matcher(line).find()) {
                    found.add(file.getFileName() + ": " + line.strip());
                }
            }
        }

        assertEquals(List.of(), found);
        assertTrue(named.matcher("return name.equals(\"llama\") || name.equals(\"x\")").find());
        assertTrue(named.matcher("writer.putUint32(\"qwen2.block_count\", 1)").find());
        assertFalse(named.matcher("case \"llama3\" -> new RopeScaling.Llama3()").find());
    }

    private static List<Path> mainSources() throws IOException {
        List<Path> sources = new ArrayList<>();
        for (String module : List.of("runtime", "samples", "ci")) {
            try (Stream<Path> files = Files.walk(ROOT.resolve(module))) {
                files.filter(file -> file.toString().endsWith(".java") && file.toString().contains("/src/main/")).forEach(sources::add);
            }
        }
        assertTrue(sources.size() > 200, sources.size() + " sources");
        return sources;
    }
}
