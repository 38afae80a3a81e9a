package org.gatun.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.gatun.tokenizer.ChatTemplate;
import org.gatun.tokenizer.ChatTemplate.Message;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.JsonNodeFactory;

/// Shows what a chat template makes of a conversation.
@Command(name = "template", description = "Shows the text that a chat template makes of a conversation.", footer = {
        "", "The conversation is a list of messages in JSON, or an object with messages, tools and whatever else the template knows.",
        "", "Examples:",
        "  gatun template --model model.gguf --messages talk.json",
        "  gatun template --file chat_template.jinja --messages talk.json --arg enable_thinking=false --json"})
final class TemplateCommand implements Callable<Integer> {
    private static final String MESSAGES = "messages";
    private static final String WANTS_REPLY = "add_generation_prompt";

    private final Console console;

    @ArgGroup(multiplicity = "1")
    private Source source;

    @Option(names = "--messages", paramLabel = "FILE", required = true,
            description = "file with the conversation in JSON, - for standard input")
    private Path messages;

    @Option(names = "--arg", paramLabel = "NAME=JSON",
            description = "value for the template, such as enable_thinking=false, instead of one in the file; again for more of them")
    private List<String> values = new ArrayList<>();

    @Option(names = "--bos", paramLabel = "TEXT", description = "bos_token in the template; by default that of the model")
    private Optional<String> beginOfText;

    @Option(names = "--eos", paramLabel = "TEXT", description = "eos_token in the template; by default that of the model")
    private Optional<String> endOfText;

    @Option(names = "--now", paramLabel = "TIME", description = "date and time for the template, as 2026-03-04T05:06:07; now by default")
    private Optional<String> now;

    @Option(names = "--no-generation-prompt", description = "leave out the beginning of the assistant's reply")
    private boolean noReply;

    @Option(names = "--json", description = "print one JSON object")
    private boolean json;

    /// Where the template comes from.
    private static final class Source {
        @Option(names = "--model", paramLabel = "FILE",
                description = "GGUF file, safetensors file, or directory with safetensors; the weights are not loaded")
        private Path model;

        @Option(names = "--file", paramLabel = "FILE", description = "template in Jinja")
        private Path file;
    }

    TemplateCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        ChatTemplate template = template();
        Map<String, Object> named = new LinkedHashMap<>();
        List<Message> conversation = conversation(named);
        Map<String, String> taken = taken();
        named.keySet().removeAll(taken.keySet()); // what is asked for here comes before what the file has
        named.putAll(TemplateValues.parse("--arg", values, taken));
        boolean wantsReply = !noReply && !Boolean.FALSE.equals(named.remove(WANTS_REPLY));
        String text = wantsReply ? template.prompt(conversation, named) : template.transcript(conversation, named);
        if (json) {
            console.println(JsonNodeFactory.instance.objectNode().put("text", text).toString());
        } else {
            console.print(text);
        }
        return 0;
    }

    /// The names that have an option of their own, if it is used.
    private Map<String, String> taken() {
        Map<String, String> taken = new LinkedHashMap<>(Map.of(MESSAGES, "--messages"));
        beginOfText.ifPresent(_ -> taken.put("bos_token", "--bos"));
        endOfText.ifPresent(_ -> taken.put("eos_token", "--eos"));
        if (noReply) {
            taken.put(WANTS_REPLY, "--no-generation-prompt");
        }
        return taken;
    }

    private ChatTemplate template() throws IOException {
        ChatTemplate template = source.file != null ? new ChatTemplate(console.read(source.file), "", "")
                : ChatTemplate.open(source.model).orElseThrow(() -> new IllegalArgumentException(
                        source.model + ": found no chat template, expected one with the model, or --file"));
        ChatTemplate withTokens = template.withTokens(beginOfText.orElse(template.beginOfText()),
                endOfText.orElse(template.endOfText()));
        return now.map(time -> withTokens.withClock(Clock.fixed(time(time).toInstant(ZoneOffset.UTC), ZoneOffset.UTC)))
                .orElse(withTokens);
    }

    private static LocalDateTime time(String text) {
        try {
            return LocalDateTime.parse(text);
        } catch (DateTimeParseException e) {
            throw new IllegalArgumentException("--now: found '" + text + "', expected a time such as 2026-03-04T05:06:07", e);
        }
    }

    /// The messages of the file.
    ///
    /// @param named takes what else it gives
    private List<Message> conversation(Map<String, Object> named) throws IOException {
        Object given = TemplateValues.json(messages.toString(), console.read(messages));
        if (given instanceof Map<?, ?> map) {
            map.forEach((name, value) -> named.put((String) name, value));
            given = named.remove(MESSAGES);
        }
        if (!(given instanceof List<?> list)) {
            throw new IllegalArgumentException(messages + ": found no list of messages, expected one, or an object with one called "
                    + MESSAGES);
        }
        List<Message> conversation = new ArrayList<>();
        for (Object one : list) {
            Map<String, Object> values = new LinkedHashMap<>();
            if (!(one instanceof Map<?, ?> message)) {
                throw new IllegalArgumentException(messages + ": message " + (conversation.size() + 1) + " is no object");
            }
            message.forEach((name, value) -> values.put((String) name, value));
            conversation.add(new Message(values));
        }
        return conversation;
    }
}
