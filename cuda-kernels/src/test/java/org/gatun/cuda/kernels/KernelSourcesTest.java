package org.gatun.cuda.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gatun.cuda.KernelParameter;
import org.gatun.cuda.KernelStructure;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Holds the PTX in the tree to the sources beside it.
class KernelSourcesTest {
    private static final List<String> FOLDERS = List.of("attention", "common", "kv", "matmul", "norm", "sampling");
    private static final Path KEPT = Path.of("src/main/resources/org/gatun/cuda/kernels");

    static List<String> families() throws IOException {
        return names(sources().stream(), ".cu");
    }

    private static List<Path> sources() throws IOException {
        List<Path> sources = new ArrayList<>();
        for (String folder : FOLDERS) {
            try (Stream<Path> files = Files.list(Path.of(folder))) {
                files.forEach(sources::add);
            }
        }
        return sources;
    }

    private static List<String> names(Stream<Path> files, String ending) {
        return files.map(file -> file.getFileName().toString()).filter(name -> name.endsWith(ending))
                .map(name -> name.substring(0, name.length() - ending.length())).sorted().toList();
    }

    @Test
    void sources_namesAlone_sayWhichIsMeant() throws IOException {
        List<String> names = names(sources().stream(), "");

        assertEquals(names.stream().distinct().toList(), names);
    }

    @Test
    void folders_withSources_areThoseOfTheBuild() throws IOException {
        try (Stream<Path> files = Files.find(Path.of("."), 2, (file, attributes) -> file.toString().matches(".*\\.cuh?"))) {
            assertEquals(FOLDERS, files.map(file -> file.getParent().getFileName().toString()).distinct().sorted().toList());
        }
        assertTrue(Files.readString(Path.of("build.sh")).contains("folders=\"" + String.join(" ", FOLDERS) + "\""));
    }

    @Test
    void ptx_everySource_isThere() throws IOException {
        try (Stream<Path> kept = Files.list(KEPT).filter(file -> file.toString().endsWith(".ptx"))) {
            assertEquals(families().stream().map(KernelSourcesTest::ptx).sorted().toList(), names(kept, ""));
        }
    }

    private static String ptx(String family) {
        return family + (family.contains(".") ? ".ptx" : ".80.ptx");
    }

    @ParameterizedTest
    @MethodSource("families")
    void hash_ptxInTheTree_isThatOfItsSources(String family) throws IOException, NoSuchAlgorithmException {
        List<String> head = Files.readAllLines(KEPT.resolve(ptx(family))).subList(0, 3);
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        Map<String, Path> paths = sources().stream().collect(Collectors.toMap(path -> path.getFileName().toString(), path -> path));
        for (String source : head.get(0).substring("// Compiled by build.sh from ".length()).split(" ")) {
            digest.update(Files.readAllBytes(paths.get(source)));
        }

        assertEquals("// sha256 " + HexFormat.of().formatHex(digest.digest()), head.get(1),
                "the sources of " + family + " changed: run cuda-kernels/build.sh where nvcc is and commit the PTX");
    }

    @ParameterizedTest
    @MethodSource("families")
    void index_kernelsOfPtx_areAllNoted(String family) throws IOException {
        String ptx = ptx(family);
        List<String> entries = Pattern.compile("\\.entry (\\w+)").matcher(Files.readString(KEPT.resolve(ptx))).results()
                .map(entry -> entry.group(1)).sorted().toList();

        assertEquals(entries, KernelVariant.all().stream().filter(variant -> variant.ptx().equals(ptx)).map(KernelVariant::kernel)
                .toList());
    }

    @Test
    void structures_ofArguments_lieAsTheirSourcesHaveThem() throws IOException {
        Pattern structure = Pattern.compile("(?m)^struct (\\w+Arguments) \\{\n((?:.*;.*\n)+)};$");
        Pattern field = Pattern.compile("(?m)^    (?:const )?(.+?\\*?) ?(\\w+);");
        Map<String, KernelStructure> expected = new TreeMap<>();
        for (Path source : sources()) {
            structure.matcher(Files.readString(source)).results().forEach(found -> {
                List<KernelStructure.Field> fields = new ArrayList<>();
                int end = 0;
                for (MatchResult declared : field.matcher(found.group(2)).results().toList()) {
                    KernelParameter.Type type = switch (declared.group(1)) {
                        case "int" -> KernelParameter.Type.BITS_32;
                        case "float" -> KernelParameter.Type.FLOAT;
                        case "long long" -> KernelParameter.Type.BITS_64;
                        default -> {
                            assertTrue(declared.group(1).endsWith("*"), declared.group());
                            yield KernelParameter.Type.ADDRESS;
                        }
                    };
                    int bytes = type == KernelParameter.Type.BITS_32 || type == KernelParameter.Type.FLOAT ? 4 : 8;
                    int offset = Math.ceilDiv(end, bytes) * bytes;
                    fields.add(new KernelStructure.Field(declared.group(2), type, offset));
                    end = offset + bytes;
                }
                expected.put(found.group(1), new KernelStructure(found.group(1), Math.ceilDiv(end, 8) * 8, fields));
            });
        }

        assertEquals(expected, KernelVariant.structures());
    }

    @ParameterizedTest
    @MethodSource("families")
    void ptx_inTheTree_namesNoFolderOfTheMachineItWasMadeOn(String family) throws IOException {
        String text = Files.readString(KEPT.resolve(ptx(family)));

        assertFalse(Pattern.compile("\"[^\"\n]*/").matcher(text).find());
    }
}
