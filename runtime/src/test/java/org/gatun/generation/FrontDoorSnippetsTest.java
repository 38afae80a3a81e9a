package org.gatun.generation;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.gatun.model.Model;
import org.gatun.model.RandomModel;
import org.gatun.model.Session;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The examples of the README, compiled and run; the regions between the markers stand there word for word.
class FrontDoorSnippetsTest {

    @TempDir
    Path directory;

    private static void tellStory(Path path, PrintStream out) throws IOException {
        // snippet: front door
        GenerationOptions options = GenerationOptions.STANDARD.withMaxTokens(100);
        try (Model model = Model.load(path);
                Session session = model.openSession();
                Generation generation = new Generation(session, "Once upon a time", options)) {
            while (generation.hasNext()) {
                out.print(generation.next());
            }
        }
        // end
    }

    @Test
    void frontDoor_smallModel_streamsText() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();

        tellStory(RandomModel.tiny(5).write(directory.resolve("model.gguf")), new PrintStream(out, true, StandardCharsets.UTF_8));

        assertFalse(out.toString(StandardCharsets.UTF_8).isEmpty());
    }

    @Test
    void readme_examples_areTheCodeThatRuns() throws IOException {
        Path root = Path.of("").toAbsolutePath().getParent();
        String source = Files.readString(root.resolve(
                "runtime/src/test/java/org/gatun/generation/FrontDoorSnippetsTest.java"));
        String region = source.substring(source.indexOf("// snippet: front door\n") + "// snippet: front door\n".length(),
                source.indexOf("        // end\n"));

        assertTrue(Files.readString(root.resolve("README.md")).contains(region.stripTrailing().stripIndent()),
                "README.md does not hold the snippet 'front door' as it is in the test");
    }
}
