package org.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.gatun.format.GgufWriter;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TemplateCommandTest {
    private static final String TEMPLATE = "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}"
            + "{{ tools[0].name if tools }}{{ mood }}{{ strftime_now('%d %b %Y %H:%M') }}{{ ' reply' if add_generation_prompt }}";

    @TempDir
    private Path folder;

    @BeforeEach
    void writeFiles() throws IOException {
        Files.writeString(folder.resolve("t.jinja"), TEMPLATE);
        Files.writeString(folder.resolve("list.json"), "[{\"role\": \"user\", \"content\": \"Hé\"}]");
        Files.writeString(folder.resolve("object.json"), """
                {"messages": [{"role": "user", "content": "a"}], "tools": [{"name": "look"}], "mood": "glad", "add_generation_prompt": false}""");
    }

    private CommandRun run(String template, String messages, String... more) {
        List<String> arguments = new ArrayList<>(List.of("template", "--file", folder.resolve(template).toString(), "--messages",
                folder.resolve(messages).toString(), "--now", "2026-03-04T05:06:07"));
        arguments.addAll(List.of(more));
        return CommandRun.of(arguments.toArray(String[]::new));
    }

    @Test
    void template_listOfMessages_isRendered() {
        CommandRun run = run("t.jinja", "list.json", "--bos", "<s>", "--eos", "</s>", "--json");
        assertEquals("<s>Hé</s>04 Mar 2026 05:06 reply", run.json().get("text").stringValue());
        assertEquals("<s>Hé04 Mar 2026 05:06", run("t.jinja", "list.json", "--bos", "<s>", "--no-generation-prompt").out());
    }

    @Test
    void template_objectAndArguments_reachTheTemplate() {
        assertEquals("alookglad04 Mar 2026 05:06", run("t.jinja", "object.json").out());
        assertEquals("alook[1, None]04 Mar 2026 05:06", run("t.jinja", "object.json", "--arg", "mood=[1, null]").out());
    }

    @Test
    void template_valueOfFileAndOfCommandLine_isThatOfCommandLine() throws IOException {
        Files.writeString(folder.resolve("bos.jinja"), "{{ bos_token }} {{ mood }} {{ add_generation_prompt }}");
        Files.writeString(folder.resolve("bos.json"), """
                {"messages": [], "bos_token": "of the file", "mood": "glad", "add_generation_prompt": true}""");
        assertEquals("of the file glad True", run("bos.jinja", "bos.json").out());
        assertEquals("<s> sad False", run("bos.jinja", "bos.json", "--bos", "<s>", "--arg", "mood=\"sad\"", "--no-generation-prompt").out());
    }

    @Test
    void template_valueThatIsGivenTwice_isOneLineAndExitCode2() {
        for (String[] twice : new String[][] {{"--arg", "messages=[]"}, {"--arg", "mood=1", "--arg", "mood=2"},
                {"--bos", "<s>", "--arg", "bos_token=\"<b>\""}, {"--eos", "</s>", "--arg", "eos_token=\"<e>\""},
                {"--no-generation-prompt", "--arg", "add_generation_prompt=true"}}) {
            CommandRun run = run("t.jinja", "list.json", twice);
            assertEquals(2, run.exitCode(), run.err());
            assertEquals("", run.out());
            assertEquals(1, run.err().lines().count(), run.err());
        }
        assertTrue(run("t.jinja", "list.json", "--arg", "messages=[]").err().contains("--arg messages=[]: messages is given by --messages"));
    }

    @Test
    void template_refusals_areOneLineAndExitCode2() throws IOException {
        Files.writeString(folder.resolve("no.jinja"), "a\n{{ raise_exception('No,\nthanks.') }}");
        Files.writeString(folder.resolve("bad.jinja"), "a\n{% if %}");
        Files.writeString(folder.resolve("bad.json"), "{\"messages\": [1]}");
        for (CommandRun run : List.of(run("no.jinja", "list.json"), run("bad.jinja", "list.json"), run("t.jinja", "bad.json"),
                run("t.jinja", "t.jinja"), run("t.jinja", "absent.json"), run("t.jinja", "list.json", "--arg", "x"),
                run("t.jinja", "list.json", "--arg", "x={"), run("t.jinja", "list.json", "--now", "yesterday"))) {
            assertEquals(2, run.exitCode(), run.err());
            assertEquals("", run.out());
            assertEquals(1, run.err().lines().count(), run.err());
        }
        assertTrue(run("bad.jinja", "list.json").err().contains("chat template: line 2: found %}, expected an expression"));
    }

    @Test
    void template_ofAModel_needsNoWeights() throws IOException {
        Path model = folder.resolve("m.gguf");
        new GgufWriter().putString("tokenizer.ggml.model", "llama").putStrings("tokenizer.ggml.tokens", List.of("<unk>", "<s>", "</s>"))
                .putString("tokenizer.chat_template", "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}").write(model);
        String messages = folder.resolve("list.json").toString();
        assertEquals("<s>Hé</s>", CommandRun.of("template", "--model", model.toString(), "--messages", messages).out());
        assertEquals("<b>Hé</s>", CommandRun.of("template", "--model", model.toString(), "--messages", messages, "--bos", "<b>").out());
        assertEquals(2, CommandRun.of("template", "--model", folder.toString(), "--messages", messages).exitCode());
        assertEquals(2, CommandRun.of("template", "--messages", messages).exitCode());
    }
}
