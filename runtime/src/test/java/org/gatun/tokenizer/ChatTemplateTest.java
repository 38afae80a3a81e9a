package org.gatun.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import org.gatun.format.FormatException;
import org.gatun.format.GgufWriter;
import org.gatun.tokenizer.ChatTemplate.Message;
import org.gatun.tokenizer.ChatTemplate.Part;
import org.gatun.tokenizer.ChatTemplate.ToolCall;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ChatTemplateTest {
    private static final Message SYSTEM = new Message("system", "Be brief.");
    private static final Message HELLO = new Message("user", "Hello");
    private static final Message HI = new Message("assistant", "Hi!");
    private static final Message WHO = new Message("user", "Who are you?");
    private static final List<Message> TALK = List.of(SYSTEM, HELLO, HI, WHO);

    private static final String LLAMA2 = """
            {% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}\
            {% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}\
            {% set system_message = false %}{% endif %}{% for message in loop_messages %}\
            {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
            {{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}\
            {% if loop.index0 == 0 and system_message != false %}\
            {% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}\
            {% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}\
            {{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}\
            {{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}""";

    private static final String LLAMA3 = """
            {% set loop_messages = messages %}{% for message in loop_messages %}\
            {% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ \
            message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}\
            {% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}\
            {% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}""";

    private static final String QWEN2 = """
            {% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}\
            {{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}\
            {{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}\
            {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""";

    private static final String MISTRAL = """
            {%- if messages[0]["role"] == "system" %}
                {%- set system_message = messages[0]["content"] %}
                {%- set loop_messages = messages[1:] %}
            {%- else %}
                {%- set loop_messages = messages %}
            {%- endif %}
            {%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}

            {#- This block checks for alternating user/assistant messages #}
            {%- set ns = namespace() %}
            {%- set ns.index = 0 %}
            {%- for message in loop_messages %}
                {%- if not (message.role == "tool" or (message.tool_calls is defined and message.tool_calls is not none)) %}
                    {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
                        {{- raise_exception("After the optional system message, roles must alternate") }}
                    {%- endif %}
                    {%- set ns.index = ns.index + 1 %}
                {%- endif %}
            {%- endfor %}

            {{- bos_token }}
            {%- for message in loop_messages %}
                {%- if message["role"] == "user" %}
                    {%- if loop.last and system_message is defined %}
                        {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
                    {%- else %}
                        {{- "[INST] " + message["content"] + "[/INST]" }}
                    {%- endif %}
                {%- elif message["role"] == "assistant" %}
                    {{- " " + message["content"]|trim + eos_token}}
                {%- else %}
                    {{- raise_exception("Only user and assistant roles are supported") }}
                {%- endif %}
            {%- endfor %}
            """;

    private static final String PHI3 = """
            {% for message in messages %}{% if message['role'] == 'system' and message['content'] %}\
            {{'<|system|>\\n' + message['content'] + '<|end|>\\n'}}{% elif message['role'] == 'user' %}\
            {{'<|user|>\\n' + message['content'] + '<|end|>\\n'}}{% elif message['role'] == 'assistant' %}\
            {{'<|assistant|>\\n' + message['content'] + '<|end|>\\n'}}{% endif %}{% endfor %}\
            {% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}""";

    private static final String ZEPHYR = """
            {% for message in messages %}
            {% if message['role'] == 'user' %}
            {{ '<|user|>
            ' + message['content'] + eos_token }}
            {% elif message['role'] == 'system' %}
            {{ '<|system|>
            ' + message['content'] + eos_token }}
            {% elif message['role'] == 'assistant' %}
            {{ '<|assistant|>
            '  + message['content'] + eos_token }}
            {% endif %}
            {% if loop.last and add_generation_prompt %}
            {{ '<|assistant|>' }}
            {% endif %}
            {% endfor %}""";

    private static final String GEMMA = """
            {{ bos_token }}{% if messages[0]['role'] == 'system' %}\
            {{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}\
            {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
            {{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}\
            {% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}\
            {% set role = message['role'] %}{% endif %}\
            {{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}\
            {% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}""";

    private static String prompt(String template, List<Message> messages) {
        return new ChatTemplate(template, "<s>", "</s>").prompt(messages);
    }

    @Test
    void prompt_llama2_asPublished() {
        assertEquals("<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHello [/INST] Hi! </s><s>[INST] Who are you? [/INST]",
                prompt(LLAMA2, TALK));
    }

    @Test
    void prompt_llama3_asPublished() {
        assertEquals("<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
                + "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
                + "<|start_header_id|>assistant<|end_header_id|>\n\nHi!<|eot_id|>"
                + "<|start_header_id|>user<|end_header_id|>\n\nWho are you?<|eot_id|>"
                + "<|start_header_id|>assistant<|end_header_id|>\n\n", prompt(LLAMA3, TALK));
    }

    @Test
    void prompt_qwen2_asPublished() {
        assertEquals("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
                + "<|im_start|>assistant\n", prompt(QWEN2, List.of(HELLO)));
        assertEquals("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
                + "<|im_start|>assistant\nHi!<|im_end|>\n<|im_start|>user\nWho are you?<|im_end|>\n"
                + "<|im_start|>assistant\n", prompt(QWEN2, TALK));
    }

    @Test
    void prompt_mistral_asPublished() {
        assertEquals("<s>[INST] Hello[/INST] Hi!</s>[INST] Be brief.\n\nWho are you?[/INST]", prompt(MISTRAL, TALK));
    }

    @Test
    void prompt_phi3_asPublished() {
        assertEquals("<|system|>\nBe brief.<|end|>\n<|user|>\nHello<|end|>\n<|assistant|>\nHi!<|end|>\n<|user|>\n"
                + "Who are you?<|end|>\n<|assistant|>\n", prompt(PHI3, TALK));
    }

    @Test
    void prompt_zephyr_asPublished() {
        assertEquals("<|system|>\nBe brief.</s>\n<|user|>\nHello</s>\n<|assistant|>\nHi!</s>\n<|user|>\n"
                + "Who are you?</s>\n<|assistant|>\n", prompt(ZEPHYR, TALK));
    }

    @Test
    void prompt_gemma_asPublished() {
        assertEquals("<s><start_of_turn>user\nHello<end_of_turn>\n<start_of_turn>model\nHi!<end_of_turn>\n"
                + "<start_of_turn>user\nWho are you?<end_of_turn>\n<start_of_turn>model\n",
                prompt(GEMMA, TALK.subList(1, 4)));
    }

    @Test
    void prompt_templateRaises_saysItsReason() {
        assertEquals("chat template: System role not supported",
                assertThrows(IllegalArgumentException.class, () -> prompt(GEMMA, TALK)).getMessage());
    }

    @Test
    void transcript_noReplyWanted_leavesPromptOut() {
        assertEquals("<|user|>\nHello<|end|>\n</s>",
                new ChatTemplate(PHI3, "<s>", "</s>").transcript(List.of(HELLO)));
    }

    @Test
    void prompt_partsToolsAndReasoning_reachTheTemplate() {
        Message question = Message.ofParts("user", List.of(new Part("text", "What is "), new Part("image", "a.png"), new Part("text", "it?")));
        Message call = new Message("assistant", "").withReasoning("I look.").withToolCalls(
                List.of(new ToolCall("c1", "look", Map.of("at", "a.png"))));
        Message answer = Message.ofTool("look", "c1", "a cat");
        String template = """
                {% for m in messages %}
                {% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}\
                {{ p.text if p.type == 'text' else '<' ~ p.image ~ '>' }}{% endfor %}{% endif %}\
                {{ m.reasoning_content }}{{ m.tool_calls | tojson if m.tool_calls }}{{ m.name }}{{ m.tool_call_id }};
                {% endfor %}
                {{ tools[0].name }} {{ enable_thinking }}""";
        assertEquals("""
                What is <a.png>it?;
                I look.[{"id": "c1", "type": "function", "function": {"name": "look", "arguments": {"at": "a.png"}}}];
                a catlookc1;
                look False""", new ChatTemplate(template, "", "").prompt(List.of(question, call, answer),
                Map.of("tools", List.of(Map.of("name", "look")), "enable_thinking", false)));
        assertEquals("What is it?", question.text());
        assertThrows(IllegalArgumentException.class, () -> new Message(Map.of("content", "x")));
    }

    @Test
    void prompt_messagesAmongTheNamedValues_isRefused() {
        ChatTemplate template = new ChatTemplate("{{ messages | length }}", "", "");
        assertEquals("4", template.prompt(TALK, Map.of("tools", List.of())));
        assertThrows(IllegalArgumentException.class, () -> template.prompt(TALK, Map.of("messages", List.of())));
    }

    @Test
    void prompt_namedTemplates_toolsHaveTheirOwn() {
        ChatTemplate template = new ChatTemplate(Map.of("default", "plain", "tool_use", "with tools", "rag", "{{"), "", "",
                Clock.systemUTC());
        assertEquals("plain", template.prompt(TALK));
        assertEquals("with tools", template.prompt(TALK, Map.of("tools", List.of(Map.of()))));
        ChatTemplate none = new ChatTemplate(Map.of("a", "", "b", ""), "", "", Clock.systemUTC());
        assertTrue(assertThrows(IllegalArgumentException.class, () -> none.prompt(TALK)).getMessage().contains("expected one that is called default"));
    }

    @Test
    void prompt_malformedTemplate_isToldWhenUsed() {
        ChatTemplate template = new ChatTemplate("a\n{% unknown %}", "", "");
        assertEquals("chat template: line 2: unknown tag {% unknown %}",
                assertThrows(IllegalArgumentException.class, () -> template.prompt(TALK)).getMessage());
    }

    @Test
    void prompt_date_isThatOfTheClock() {
        Clock clock = Clock.fixed(Instant.parse("2026-03-04T05:06:07Z"), ZoneOffset.UTC);
        assertEquals("04 Mar 2026", new ChatTemplate("{{ strftime_now('%d %b %Y') }}", "", "").withClock(clock).prompt(TALK));
    }

    @ParameterizedTest
    @CsvSource(delimiterString = " => ", quoteCharacter = '`', value = {
            "{% if not add_generation_prompt is defined %}no{% endif %}{{ add_generation_prompt }} => True",
            "{% for m in messages[::-1] %}{{ m.content }};{% endfor %} => Who are you?;Hi!;Hello;Be brief.;",
            "{% if strftime_now is defined %}today{% endif %} => today",
            "{% for m in messages if m.role == 'user' %}{{ m.content }};{% endfor %} => Hello;Who are you?;",
            "{% set system = '' %}{{ 'system turn' if system != false else 'none' }} => system turn",
            "{{ '<\\u2581>' }} => <▁>",
            "{{ bos_token ~ eos_token }} => <s></s>",
    })
    void prompt_constructsThatWereReadAmiss_areJinjas(String template, String expected) {
        assertEquals(expected, prompt(template, TALK));
    }

    @Test
    void open_everyPlaceForTemplates_findsThem(@TempDir Path folder) throws IOException {
        assertTrue(ChatTemplate.open(folder).isEmpty());
        Files.writeString(folder.resolve("tokenizer_config.json"), """
                {"chat_template": [{"name": "default", "template": "list {{ eos_token }}"}, {"name": "tool_use", "template": "tools"}],
                 "bos_token": {"content": "<b>", "special": true}, "eos_token": "<e>", "model_max_length": NaN}""");
        assertEquals("list <e>", ChatTemplate.open(folder).orElseThrow().prompt(TALK));
        assertEquals("tools", ChatTemplate.open(folder).orElseThrow().prompt(TALK, Map.of("tools", List.of(1))));

        Files.writeString(folder.resolve("chat_template.json"), "{\"chat_template\": \"json {{ bos_token }}\"}");
        assertEquals("json <b>", ChatTemplate.open(folder).orElseThrow().prompt(TALK));
        Files.writeString(folder.resolve("chat_template.jinja"), "jinja {{ bos_token }}");
        assertEquals("jinja <b>", ChatTemplate.open(folder).orElseThrow().prompt(TALK));
        Files.write(folder.resolve("chat_template.jinja"), new byte[] {'a', (byte) 0xFF});
        String problem = assertThrows(FormatException.class, () -> ChatTemplate.open(folder)).getMessage();
        assertTrue(problem.contains("chat_template.jinja: found bytes that are no UTF-8"), problem);
    }

    @Test
    void open_gguf_readsNamedTemplatesAndTokens(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("m.gguf");
        new GgufWriter().putString("tokenizer.ggml.model", "gpt2").putStrings("tokenizer.ggml.tokens", List.of("a", "<b>", "<e>"))
                .putUint32("tokenizer.ggml.bos_token_id", 1).putUint32("tokenizer.ggml.eos_token_id", 2)
                .putString("tokenizer.chat_template", "{{ bos_token }}{{ eos_token }}")
                .putStrings("tokenizer.chat_templates", List.of("tool_use"))
                .putString("tokenizer.chat_template.tool_use", "tools").write(file);
        ChatTemplate template = ChatTemplate.open(file).orElseThrow();
        assertEquals("<b><e>", template.prompt(TALK));
        assertEquals("tools", template.prompt(TALK, Map.of("tools", List.of(1))));
    }

    @Test
    void prompt_noTemplate_writesLines() {
        ChatTemplate plain = new ChatTemplate(Map.of(), "<s>", "</s>", Clock.systemUTC());
        assertEquals("user: Hello\n\nassistant: Hi!\n\nassistant:", plain.prompt(List.of(HELLO, HI)));
        assertEquals("user: Hello\n\n", plain.transcript(List.of(HELLO)));
    }

    @Test
    void prompt_templateInMessage_staysText() {
        String content = "{{ 7 * 7 }}{% for x in y %}{# c #}{{ '";
        assertEquals("<|user|>\n" + content + "<|end|>\n<|assistant|>\n",
                prompt(PHI3, List.of(new Message("user", content))));
    }

    @ParameterizedTest
    @ValueSource(strings = {
            "{{ 'x'.getClass() }}", "{{ 'x'.getClass().forName('java.lang.Runtime') }}",
            "{{ ____int3rpr3t3r____.getConfig() }}", "{{ messages.getClass() }}", "{{ messages[0].hashCode() }}",
            "{% include '/etc/passwd' %}", "{% import '/etc/passwd' as x %}", "{% from 'x' import y %}",
            "{{ unknown_function('x') }}", "{{ 'x' | format('%1000000000d') }}",
            "{% unknown %}", "{% if %}", "{% for %}", "{{ 'x' * }}", "{% if true %}", "{{ x", "{# x", "{{ 'x }}",
            "{{ missing.deeply.nested }}", "{% set messages.x = 1 %}", "{% do messages.append(1) %}",
    })
    void prompt_whatTemplatesMayNot_throws(String template) {
        assertThrows(IllegalArgumentException.class, () -> prompt(template, TALK));
    }

    @ParameterizedTest
    @ValueSource(strings = {"{{ 'x'.class }}", "{{ messages.class }}",
            "{{ namespace.class }}", "{{ messages.__class__ }}", "{% for m in messages %}{{ loop.class }}{% endfor %}"})
    void prompt_propertiesOfJavaObjects_areNotThere(String template) {
        assertEquals("", prompt(template, TALK));
    }
}
