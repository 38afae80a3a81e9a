package org.gatun.template;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TemplateFuzzTest {

    /// With a heap of 64 MB: what a template takes is bounded, and so is the time, and the only failure is the documented one.
    @Test
    void render_randomTemplates_endWithinTheirBounds(@TempDir Path folder) throws IOException, InterruptedException {
        int rounds = TestScale.rounds(5_000, 200_000);
        Path log = folder.resolve("log.txt");
        List<String> command = List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx64m", "-XX:+UseSerialGC",
                "-cp", System.getProperty("java.class.path"), TemplateFuzz.class.getName(), Integer.toString(rounds),
                Long.toString(TestScale.seed()));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
        int exitCode = process.waitFor();
        System.out.println(rounds + " random templates, seed " + TestScale.seed() + ": " + Files.readString(log).strip());
        assertEquals(0, exitCode);
    }
}
