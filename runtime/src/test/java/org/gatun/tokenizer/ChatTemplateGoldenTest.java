package org.gatun.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.gatun.tokenizer.ChatTemplate.Message;
import org.junit.jupiter.api.Test;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Templates of published models, as they stand, with conversations of each kind: what Gatun renders is what Jinja with the
/// settings of transformers does, and what that refuses is refused.
class ChatTemplateGoldenTest {
    private static final JsonMapper JSON = JsonMapper.shared();

    @Test
    void prompt_publishedTemplates_equalsJinja() throws IOException {
        Path folder = PublishedFiles.path("chat-templates");
        JsonNode given = JSON.readTree(folder.resolve("conversations.json"));
        Clock clock = Clock.fixed(LocalDateTime.parse(given.get("now").stringValue()).toInstant(ZoneOffset.UTC), ZoneOffset.UTC);
        int renderings = 0;
        int refusals = 0;
        for (Path file : templates(folder)) {
            ChatTemplate template = new ChatTemplate(Map.of("default", Files.readString(file)), given.get("bos_token").stringValue(),
                    given.get("eos_token").stringValue(), clock);
            JsonNode expected = JSON.readTree(Path.of(file.toString().replaceFirst("jinja$", "json")));
            for (var conversation : given.get("conversations").properties()) {
                String name = file.getFileName() + ", " + conversation.getKey();
                JsonNode wanted = expected.get(conversation.getKey());
                if (wanted.has("text")) {
                    assertEquals(wanted.get("text").stringValue(), render(template, conversation.getValue()), name);
                    renderings++;
                } else {
                    assertThrows(IllegalArgumentException.class, () -> render(template, conversation.getValue()), name);
                    refusals++;
                }
            }
        }
        System.out.println(renderings + " renderings equal, " + refusals + " refused as by Jinja");
        assertEquals(templates(folder).size() * given.get("conversations").size(), renderings + refusals);
    }

    private static List<Path> templates(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".jinja")).sorted().toList();
        }
    }

    private static String render(ChatTemplate template, JsonNode conversation) {
        Map<String, Object> named = new LinkedHashMap<>(JSON.convertValue(conversation, new TypeReference<Map<String, Object>>() {}));
        List<Message> messages = JSON.convertValue(conversation.get("messages"), new TypeReference<List<Map<String, Object>>>() {})
                .stream().map(Message::new).toList();
        named.remove("messages");
        boolean wantsReply = !Boolean.FALSE.equals(named.remove("add_generation_prompt"));
        return wantsReply ? template.prompt(messages, named) : template.transcript(messages, named);
    }
}
