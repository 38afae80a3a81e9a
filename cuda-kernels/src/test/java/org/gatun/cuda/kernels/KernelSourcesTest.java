package org.gatun.cuda.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Holds the PTX in the tree to the sources beside it.
class KernelSourcesTest {
    private static final Path SOURCES = Path.of("");
    private static final Path KEPT = Path.of("src/main/resources/org/gatun/cuda/kernels");

    static List<String> families() throws IOException {
        return names(SOURCES, ".cu");
    }

    private static List<String> names(Path folder, String ending) throws IOException {
        try (Stream<Path> files = Files.list(folder.toAbsolutePath())) {
            return files.map(file -> file.getFileName().toString()).filter(name -> name.endsWith(ending))
                    .map(name -> name.substring(0, name.length() - ending.length())).sorted().toList();
        }
    }

    @Test
    void ptx_everySource_isThere() throws IOException {
        assertEquals(families().stream().map(KernelSourcesTest::ptx).sorted().toList(),
                names(KEPT, ".ptx").stream().map(name -> name + ".ptx").sorted().toList());
    }

    private static String ptx(String family) {
        return family + (family.contains(".") ? ".ptx" : ".80.ptx");
    }

    @ParameterizedTest
    @MethodSource("families")
    void hash_ptxInTheTree_isThatOfItsSources(String family) throws IOException, NoSuchAlgorithmException {
        List<String> head = Files.readAllLines(KEPT.resolve(ptx(family))).subList(0, 3);
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        for (String source : head.get(0).substring("// Compiled by build.sh from ".length()).split(" ")) {
            digest.update(Files.readAllBytes(SOURCES.resolve(source)));
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

    @ParameterizedTest
    @MethodSource("families")
    void ptx_inTheTree_namesNoFolderOfTheMachineItWasMadeOn(String family) throws IOException {
        String text = Files.readString(KEPT.resolve(ptx(family)));

        assertFalse(Pattern.compile("\"[^\"\n]*/").matcher(text).find());
    }
}
