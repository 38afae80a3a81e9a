package org.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.gatun.model.Llama2cOfZeros;
import org.gatun.speculative.method.SpeculationMethod;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Runs every `./gatun` line of the guide and the README, in a folder with the files that the guide speaks of.
class GuideTest {
    private static final Path ROOT = Path.of("../..");
    private static final Pattern BLOCK = Pattern.compile("(?ms)^```sh\\n(.*?)^```");
    private static final Pattern WORD = Pattern.compile("\"([^\"]*)\"|(\\S+)");

    static Stream<String> commands() throws IOException {
        List<String> commands = new ArrayList<>();
        for (String page : List.of("README.md", "docs/guide.md")) {
            Matcher block = BLOCK.matcher(Files.readString(ROOT.resolve(page)));
            while (block.find()) {
                block.group(1).lines().filter(line -> line.startsWith("./gatun ")).forEach(commands::add);
            }
        }
        return commands.stream();
    }

    @ParameterizedTest
    @MethodSource("commands")
    void guide_everyCommand_works(String command) throws IOException {
        Path files = Files.createDirectories(Path.of("target/guide"));
        for (String model : List.of("target.gguf", "draft.gguf")) {
            Path copy = files.resolve(model);
            if (!Files.exists(copy)) {
                Files.copy(ROOT.resolve("samples/stories/src/main/resources/org/gatun/stories").resolve(model), copy);
            }
        }
        Files.writeString(files.resolve("story.txt"), "Once upon a time there was a little girl named Lily.\n");
        Files.writeString(files.resolve("prompts.jsonl"), "{\"prompt\": \"One day\"}\n{\"prompt\": \"The cat\"}\n");
        Files.writeString(files.resolve("chat.jinja"), "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}");
        Files.writeString(files.resolve("talk.json"), "[{\"role\": \"user\", \"content\": \"Hi\"}]");
        Files.writeString(files.resolve("answer.json"), "{\"type\": \"object\", \"properties\": {\"name\": {\"type\": \"string\"}}, \"required\": [\"name\"]}");
        Files.writeString(files.resolve("schemas.jsonl"),
                "{\"schema\": {\"type\": \"integer\"}, \"tests\": [{\"data\": 12, \"valid\": true}, {\"data\": \"a\", \"valid\": false}]}\n");
        Files.writeString(files.resolve("types.txt"), "blk.0.* = f16\noutput.weight = same\n");
        Llama2cOfZeros.write(files.resolve("model.bin"), files.resolve("tokenizer.bin"), 8, 16, 1);
        List<String> arguments = new ArrayList<>();
        Matcher word = WORD.matcher(command.substring("./gatun ".length()));
        while (word.find()) {
            String text = word.group(1) != null ? word.group(1) : word.group(2);
            if (text.equals("schema:answer.json")) {
                text = "schema:" + files.resolve("answer.json");
            }
            boolean file = text.matches("[\\w-]+\\.(bin|gguf|txt|json|jsonl|jinja|html)|small|sparse");
            arguments.add(file ? files.resolve(text).toString() : text);
        }

        CommandRun run = CommandRun.withInput("One day\n/exit\n", arguments.toArray(String[]::new));

        assertEquals(0, run.exitCode(), run.err());
    }

    @Test
    void guide_everyMethodAndItsOptions_areThere() throws IOException {
        String guide = Files.readString(ROOT.resolve("docs/guide.md"));
        for (SpeculationMethod method : SpeculationMethod.ALL) {
            assertTrue(guide.contains("`" + method.name() + "`"), method.name());
            method.options().forEach(option -> assertTrue(guide.contains("`" + option.name() + "`"), option.name()));
        }
    }
}
