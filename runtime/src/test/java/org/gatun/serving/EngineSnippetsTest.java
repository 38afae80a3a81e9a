package org.gatun.serving;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.Model;
import org.gatun.model.RandomModel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The example of the guide, compiled and run; the region between the markers stands there word for word.
class EngineSnippetsTest {

    @TempDir
    Path directory;

    private static void continueAll(Path path, List<String> prompts, PrintStream out) throws IOException {
        // snippet: engine
        GenerationOptions options = GenerationOptions.STANDARD.withMaxTokens(100);
        try (Model model = Model.load(path); Engine engine = Engine.open(model, EngineOptions.STANDARD.withParallel(16))) {
            List<Reply> replies = prompts.stream()
                    .map(prompt -> engine.submit(Request.of(model, prompt).withOptions(options))).toList();
            for (Reply reply : replies) {
                out.println(reply.text() + " (" + reply.usage().generatedTokens() + " tokens)");
            }
        }
        // end
    }

    @Test
    void engine_severalPrompts_continuesAll() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();

        continueAll(RandomModel.tiny(5).write(directory.resolve("model.gguf")), List.of("One", "Two", "Three"),
                new PrintStream(out, true, StandardCharsets.UTF_8));

        assertEquals(3, out.toString(StandardCharsets.UTF_8).split(" tokens\\)\n", -1).length - 1);
    }

    @Test
    void guide_example_isTheCodeThatRuns() throws IOException {
        Path root = Path.of("").toAbsolutePath().getParent();
        String source = Files.readString(root.resolve("runtime/src/test/java/org/gatun/serving/EngineSnippetsTest.java"));
        String start = "// snippet: engine\n";
        String region = source.substring(source.indexOf(start) + start.length(), source.indexOf("        // end\n"));

        assertTrue(Files.readString(root.resolve("docs/guide.md")).contains(region.stripTrailing().stripIndent()),
                "docs/guide.md does not hold the snippet 'engine' as it is in the test");
    }
}
