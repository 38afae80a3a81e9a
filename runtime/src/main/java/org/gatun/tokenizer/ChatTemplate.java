package org.gatun.tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import org.gatun.format.FormatException;
import org.gatun.format.GgufFile;
import org.gatun.format.Metadata;
import org.gatun.template.Template;

/// Writes a conversation as the one text that a model was trained on, by the Jinja template that comes with it.
/// Immutable, shared by threads.
///
/// Templates are rendered as transformers renders them, with `messages`, `bos_token`, `eos_token`,
/// `add_generation_prompt`, and what else the caller names, such as `tools`, `documents` and `enable_thinking`. They come
/// from files that nobody vouches for, and can do nothing but write text, within bounds of time and memory: see
/// `docs/decisions/chat-templates.md`. What is in a message is never read as template.
///
/// The text names special tokens: encode it with `parseSpecial`, and without `addSpecial` where the template writes the
/// beginning-of-text token itself.
public final class ChatTemplate {
    private static final String DEFAULT = "default";
    private static final String FOR_TOOLS = "tool_use";
    private static final String TOOLS = "tools";
    private static final String MESSAGES = "messages";

    /// What somebody said: `role`, `content`, and what else templates know, such as `name`, `tool_calls`, `tool_call_id` and
    /// `reasoning_content`, as OpenAI's API has them. The content is a string, or a list of parts, each a map with a `type`
    /// (`text`, `image`, ...) and what is of that type. Values are strings, booleans, numbers, `null`, lists, and maps whose keys
    /// are strings.
    ///
    /// @param values by their names; `role` is among them
    public record Message(Map<String, Object> values) {

        public Message {
            if (!(values.get("role") instanceof String)) {
                throw new IllegalArgumentException("a message has no role: expected one such as 'user' among " + values.keySet());
            }
            values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
        }

        /// A message of text alone.
        ///
        /// @param role `system`, `user` or `assistant`; some templates know others
        public Message(String role, String content) {
            this(ordered("role", role, "content", content));
        }

        /// A message whose content comes in parts.
        public static Message ofParts(String role, List<Part> parts) {
            return new Message(ordered("role", role, "content",
                    parts.stream().map(part -> ordered("type", part.type(), part.type(), part.value())).toList()));
        }

        /// What a tool gave for a call.
        ///
        /// @param callId the id of the [ToolCall]
        public static Message ofTool(String name, String callId, String content) {
            return new Message("tool", content).with("name", name).with("tool_call_id", callId);
        }

        /// The same, with one more value.
        public Message with(String name, Object value) {
            Map<String, Object> more = new LinkedHashMap<>(values);
            more.put(name, value);
            return new Message(more);
        }

        /// The same, with the calls that the assistant makes.
        public Message withToolCalls(List<ToolCall> calls) {
            return with("tool_calls", calls.stream().map(call -> ordered("id", call.id(), "type", "function").with("function",
                    ordered("name", call.name(), "arguments", call.arguments()))).toList());
        }

        /// The same, with what the assistant thought before.
        public Message withReasoning(String reasoning) {
            return with("reasoning_content", reasoning);
        }

        /// Who says it.
        public String role() {
            return (String) values.get("role");
        }

        /// Its content as text: that of its parts of type `text`, if it comes in parts; empty if there is none.
        public String text() {
            return switch (values.get("content")) {
                case String text -> text;
                case List<?> parts -> {
                    StringBuilder text = new StringBuilder();
                    for (Object part : parts) {
                        if (part instanceof Map<?, ?> map && map.get("text") instanceof String piece) {
                            text.append(piece);
                        }
                    }
                    yield text.toString();
                }
                case null, default -> "";
            };
        }
    }

    /// A part of a content.
    ///
    /// @param type `text`, `image`, ...
    /// @param value the text, or where the image is
    public record Part(String type, String value) {
        public Part {
            Objects.requireNonNull(type);
        }
    }

    /// A call that the assistant makes.
    ///
    /// @param id by which the answer names it
    /// @param arguments by the names of the parameters
    public record ToolCall(String id, String name, Map<String, Object> arguments) {
        public ToolCall {
            arguments = Collections.unmodifiableMap(new LinkedHashMap<>(arguments));
        }
    }

    /// A map in the order in which JSON is written.
    private static final class Ordered extends LinkedHashMap<String, Object> {
        private static final long serialVersionUID = 1L;

        Ordered with(String name, Object value) {
            put(name, value);
            return this;
        }
    }

    private static Ordered ordered(String first, Object firstValue, String second, Object secondValue) {
        return new Ordered().with(first, firstValue).with(second, secondValue);
    }

    private final Map<String, String> sources;
    private final Map<String, Template> templates = new TreeMap<>();
    private final Map<String, String> problems = new TreeMap<>();
    private final String beginOfText;
    private final String endOfText;
    private final Clock clock;

    /// @param sources templates in Jinja by their names: the one called `default` is used, and `tool_use`, where there is one, if
    ///        there are tools. None: a line for each message, as `user: How are you?`, an empty line after each, and
    ///        `assistant:` for the reply, which any model can continue
    /// @param beginOfText how the beginning-of-text token is written, empty if there is none
    /// @param endOfText how the end-of-text token is written, empty if there is none
    /// @param clock what templates take the date from
    public ChatTemplate(Map<String, String> sources, String beginOfText, String endOfText, Clock clock) {
        this.sources = Collections.unmodifiableMap(new LinkedHashMap<>(sources));
        this.beginOfText = beginOfText;
        this.endOfText = endOfText;
        this.clock = clock;
        /* A model runs without its template, so a malformed one is told when it is used. */
        sources.forEach((name, source) -> {
            try {
                templates.put(name, Template.parse(source));
            } catch (IllegalArgumentException e) {
                problems.put(name, e.getMessage());
            }
        });
    }

    /// One template, and the clock of this machine.
    public ChatTemplate(String jinja, String beginOfText, String endOfText) {
        this(Map.of(DEFAULT, jinja), beginOfText, endOfText, Clock.systemDefaultZone());
    }

    /// Reads the template that comes with a model, and not the model: from the header of a GGUF file, or from `chat_template.jinja`,
    /// `chat_template.json` or `tokenizer_config.json`, whichever is there first, in the folder of safetensors.
    ///
    /// @param model GGUF file, safetensors file or folder of safetensors
    /// @return empty if none comes with it
    /// @throws FormatException if the file is none of these, or damaged
    public static Optional<ChatTemplate> open(Path model) throws IOException {
        if (Files.isDirectory(model)) {
            return ChatTemplateFiles.fromDirectory(model);
        }
        if (model.toString().endsWith(".safetensors") || model.toString().endsWith(".safetensors.index.json")) {
            return ChatTemplateFiles.fromDirectory(model.toAbsolutePath().getParent());
        }
        try (GgufFile file = GgufFile.open(model)) {
            return fromGguf(file.metadata());
        }
    }

    /// The template in the header of a GGUF file: `tokenizer.chat_template`, and named ones under `tokenizer.chat_template.NAME`.
    ///
    /// @throws FormatException if a value is of another type
    public static Optional<ChatTemplate> fromGguf(Metadata metadata) throws FormatException {
        return ChatTemplateFiles.fromGguf(metadata);
    }

    /// The same, with other special tokens.
    public ChatTemplate withTokens(String beginOfText, String endOfText) {
        return new ChatTemplate(sources, beginOfText, endOfText, clock);
    }

    /// The same, with another clock.
    public ChatTemplate withClock(Clock clock) {
        return new ChatTemplate(sources, beginOfText, endOfText, clock);
    }

    /// The templates in Jinja, by their names.
    public Map<String, String> sources() {
        return sources;
    }

    /// How the beginning-of-text token is written, empty if there is none.
    public String beginOfText() {
        return beginOfText;
    }

    /// How the end-of-text token is written, empty if there is none.
    public String endOfText() {
        return endOfText;
    }

    /// The conversation, and the beginning of the assistant's reply.
    ///
    /// @throws IllegalArgumentException if the template refuses the messages, is malformed, uses what Gatun does not
    ///         offer, or writes or works too much
    public String prompt(List<Message> messages) {
        return prompt(messages, Map.of());
    }

    /// As the other, with values that the template may know: `tools`, `documents`, `enable_thinking`, ...
    ///
    /// @param named what is given besides the messages, of the kinds of values that a [Message] has
    /// @throws IllegalArgumentException as the other, or if one of them is called `messages`
    public String prompt(List<Message> messages, Map<String, ?> named) {
        return render(messages, named, true);
    }

    /// The conversation alone, fit to be continued.
    ///
    /// @throws IllegalArgumentException as [#prompt]
    public String transcript(List<Message> messages) {
        return transcript(messages, Map.of());
    }

    /// As the other, with values that the template may know.
    ///
    /// @param named as for [#prompt]
    /// @throws IllegalArgumentException as [#prompt]
    public String transcript(List<Message> messages, Map<String, ?> named) {
        return render(messages, named, false);
    }

    private String render(List<Message> messages, Map<String, ?> named, boolean reply) {
        if (named.containsKey(MESSAGES)) {
            throw new IllegalArgumentException("chat template: the named values have messages, expected those in the conversation alone");
        }
        if (sources.isEmpty()) {
            return plain(messages, reply);
        }
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("bos_token", beginOfText);
        values.put("eos_token", endOfText);
        values.put("add_generation_prompt", reply);
        values.putAll(named);
        values.put(MESSAGES, new ArrayList<>(messages.stream().map(Message::values).toList()));
        String name = choose(named.get(TOOLS) != null);
        try {
            if (problems.containsKey(name)) {
                throw new IllegalArgumentException(problems.get(name));
            }
            return templates.get(name).render(values, () -> LocalDateTime.now(clock));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("chat template: " + e.getMessage(), e);
        }
    }

    private String choose(boolean withTools) {
        if (withTools && sources.containsKey(FOR_TOOLS)) {
            return FOR_TOOLS;
        }
        if (sources.size() > 1 && !sources.containsKey(DEFAULT)) {
            throw new IllegalArgumentException("chat template: found the templates " + sources.keySet()
                    + ", expected one that is called " + DEFAULT);
        }
        return sources.containsKey(DEFAULT) ? DEFAULT : sources.keySet().iterator().next();
    }

    private static String plain(List<Message> messages, boolean reply) {
        StringBuilder text = new StringBuilder();
        for (Message message : messages) {
            text.append(message.role()).append(": ").append(message.text().strip()).append("\n\n");
        }
        return reply ? text.append("assistant:").toString() : text.toString();
    }
}
