package org.gatun.cuda.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Assembles all PTX, with the version it was lowered to, for every kind of device, where ptxas is at hand: nothing may spill. That a
/// text was assembled by this release when `build.sh` noted its kernels is as good, and is done again in the long run only: it takes
/// minutes.
class KernelAssemblyTest {
    private static final Pattern ENTRY = Pattern.compile("Compiling entry function '(\\w+)'");
    private static final Pattern RELEASE = Pattern.compile(" V([0-9.]+)");
    private static final Pattern RESOURCES = Pattern.compile("Used (\\d+) registers");

    @TempDir
    Path folder;

    static Set<String> files() {
        return KernelVariant.all().stream().map(KernelVariant::ptx).collect(Collectors.toCollection(TreeSet::new));
    }

    @ParameterizedTest
    @MethodSource("files")
    void assemble_everyTarget_spillsNothingAndTakesWhatIsNoted(String file) throws IOException, InterruptedException {
        assumeTrue(isThere("ptxas"), "ptxas, the assembler of the CUDA toolkit, is not on the path");
        String text = KernelVariant.text(file);
        Path ptx = Files.writeString(folder.resolve(file), text);
        List<KernelVariant> noted = KernelVariant.all().stream().filter(variant -> variant.ptx().equals(file)).toList();
        String assembled = assembled(text, release());
        if (!TestScale.isLong() && noted.stream().allMatch(variant -> variant.assembled().equals(assembled))) {
            return;
        }
        TreeMap<String, String> found = new TreeMap<>();
        TreeMap<String, String> expected = new TreeMap<>();
        for (int target : noted.getFirst().registers().keySet()) {
            String only = noted.getFirst().forOneCapability() ? "a" : "";
            String log = run("ptxas", "-arch=sm_" + target + only, "-O3", "-v", "-warn-spills", "-warn-lmem-usage", "-Werror", "-o",
                    folder.resolve("cubin").toString(), ptx.toString());
            String kernel = null;
            for (String line : log.split("\n")) {
                Matcher entry = ENTRY.matcher(line);
                Matcher resources = RESOURCES.matcher(line);
                if (entry.find()) {
                    kernel = entry.group(1);
                } else if (resources.find()) {
                    found.put(kernel + " on sm_" + target, resources.group(1) + " registers");
                }
            }
            noted.forEach(variant -> expected.put(variant.kernel() + " on sm_" + target,
                    variant.registers().get(target) + " registers"));
        }

        assertEquals(expected.keySet(), found.keySet());
        // Another release of ptxas may choose other registers.
        if (text.lines().skip(2).findFirst().orElseThrow().endsWith(" " + release())) {
            assertEquals(expected, found);
        }
    }

    /// Of ptxas, such as 13.0.88.
    private static String release() throws IOException, InterruptedException {
        Matcher version = RELEASE.matcher(run("ptxas", "--version"));
        assertTrue(version.find(), "ptxas says no release");
        return version.group(1);
    }

    private static String assembled(String text, String release) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest((text + release).getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(hash).substring(0, 16);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    private static boolean isThere(String program) {
        for (String place : System.getenv("PATH").split(Pattern.quote(File.pathSeparator))) {
            if (Files.isExecutable(Path.of(place, program))) {
                return true;
            }
        }
        return false;
    }

    private static String run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String log = new String(process.getInputStream().readAllBytes());
        if (process.waitFor() != 0) {
            fail(String.join(" ", command) + "\n" + log);
        }
        return log;
    }
}
