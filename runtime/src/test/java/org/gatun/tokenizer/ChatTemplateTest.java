package org.gatun.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Optional;
import org.gatun.tokenizer.ChatTemplate.Message;
import org.junit.jupiter.api.Test;
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
        return new ChatTemplate(Optional.of(template), "<s>", "</s>").prompt(messages);
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
                new ChatTemplate(Optional.of(PHI3), "<s>", "</s>").transcript(List.of(HELLO)));
    }

    @Test
    void prompt_noTemplate_writesLines() {
        ChatTemplate plain = new ChatTemplate(Optional.empty(), "<s>", "</s>");
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
    @CsvSource(delimiterString = " => ", quoteCharacter = '`', value = {
            "{{ messages[1:]|length }} => 3",
            "{{ messages[-1].role }} => user",
            "{{ messages[0]['nothing'] is defined }} => false",
            "{{ tools is not defined or tools is none }} => true",
            "{{ messages[1] | tojson }} => `{\"role\": \"user\", \"content\": \"Hello\"}`",
            "{{ 'a\"<é\\n' | tojson }} => `\"a\\\"<é\\n\"`",
            "{{ 'x</think>\\n\\ny'.split('</think>')[-1].lstrip('\\n') }} => y",
            "{{ 'abc'.startswith('ab') and not 'abc'.endswith('ab') }} => true",
            "{{ ' a b '.strip() + '|' + 'aXbX'.replace('X', '-') }} => `a b|a-b-`",
            "{{ 'hello world'.title() ~ 'A'.lower() ~ 'b'.upper() }} => Hello WorldaB",
            "{{ {'a': 1}.get('b', 'none') }} => none",
            "{% for key, value in {'a': 1}.items() %}{{ key }}={{ value }}{% endfor %} => a=1",
            "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }} => 4",
            "{% macro f(x, y='b') %}[{{ x }}{{ y }}]{% endmacro %}{{ f('a') }}{{ f('a', y='c') }} => [ab][ac]",
            "{% for m in messages %}{{ loop.index0 }}{{ loop.last }} {% endfor %} => `0false 1false 2false 3true `",
            "{% generation %}x{% endgeneration %} => x",
            "{{ 'a' if messages else 'b' }}{{ 'user' in ['user'] }} => atrue",
            "{{ missing.deeply.nested }} => ``",
    })
    void prompt_expressionsOfRealTemplates_givesPythonsResult(String template, String expected) {
        assertEquals(expected, prompt(template, TALK));
    }

    @Test
    void prompt_blocksOnLinesOfTheirOwn_leaveNothing() {
        assertEquals("a\nb", prompt("{% if true %}\n    {% if true %}\na\n    {% endif %}\n{% endif %}\nb\n", TALK));
    }

    @ParameterizedTest
    @CsvSource(delimiterString = " => ", quoteCharacter = '`', value = {
            "`a {% if true %} b {% endif %} c`                       => `a  b  c`",
            "`a {%- if true -%} b {%- endif -%} c`                   => `abc`",
            "`{{ 'a' }} {% if true %}b{% endif %}`                   => `a b`",
            "`a {{- ' b ' -}} c`                                     => `a b c`",
            "`a{# {{ comment }} #} b`                                => `a b`",
            "`{{ '%} }}' }}{{ {'a': 'c'}.a }}`              => `%} }}c`",
            "`{%+ if true %}a{% endif %}`                            => `a`",
    })
    void prompt_whiteSpaceAroundTags_followsJinja(String template, String expected) {
        assertEquals(expected, prompt(template, TALK));
    }

    @Test
    void prompt_date_isFormatted() {
        assertTrue(prompt("{{ strftime_now('%d %b %Y') }}", TALK).matches("\\d\\d [A-Z][a-z]{2} \\d{4}"));
        assertEquals("05 March 2024, 07:08:09 % %Q", PythonMethods.strftime(LocalDateTime.of(2024, 3, 5, 7, 8, 9),
                "%d %B %Y, %H:%M:%S %% %Q"));
    }

    @ParameterizedTest
    @ValueSource(strings = {
            "{{ 'x'.getClass() }}", "{{ 'x'.getClass().forName('java.lang.Runtime') }}",
            "{{ ____int3rpr3t3r____.getConfig() }}", "{{ messages.getClass() }}", "{{ messages[0].hashCode() }}",
            "{% include '/etc/passwd' %}", "{% import '/etc/passwd' as x %}", "{% from 'x' import y %}",
            "{{ unknown_function('x') }}", "{{ 'x' | format('%1000000000d') }}",
            "{% unknown %}", "{% if %}", "{% for %}", "{{ 'x' * }}", "{% if true %}", "{{ x", "{# x", "{{ 'x }}",
            "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}",
    })
    void prompt_whatTemplatesMayNot_throws(String template) {
        assertThrows(IllegalArgumentException.class, () -> prompt(template, TALK));
    }

    @ParameterizedTest
    @ValueSource(strings = {"{{ 'x'.class }}", "{{ ____int3rpr3t3r____.config }}", "{{ messages.class }}",
            "{{ namespace.class }}", "{% for m in messages %}{{ loop.class }}{% endfor %}"})
    void prompt_propertiesOfJavaObjects_areNotThere(String template) {
        assertEquals("", prompt(template, TALK));
    }

    @ParameterizedTest
    @ValueSource(strings = {
            "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}",
            "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
            "{% set ns = namespace(x='aaaa') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
            "{% set ns = namespace(x=[1, 2]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
            "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
            "{% macro f(x) %}{{ g(x) }}{{ g(x) }}{% endmacro %}{% macro g(x) %}{{ f(x) }}{{ f(x) }}{% endmacro %}{{ f(1) }}",
    })
    void prompt_endlessTemplate_throws(String template) {
        assertTimeoutPreemptively(Duration.ofSeconds(30),
                () -> assertThrows(IllegalArgumentException.class, () -> prompt(template, TALK)));
    }

    @Test
    void prompt_deepNesting_throws() {
        for (String template : List.of("{{ " + "(".repeat(50_000) + "1" + ")".repeat(50_000) + " }}",
                "{% if true %}".repeat(20_000) + "{% endif %}".repeat(20_000), "{{ " + "-".repeat(50_000) + "1 }}",
                "{{ " + "not ".repeat(50_000) + "1 }}", "{{ 1" + "|abs".repeat(50_000) + " }}",
                "{{ 1" + " + 1".repeat(50_000) + " }}", "{".repeat(50_000), "x".repeat(2_000_000))) {
            assertTimeoutPreemptively(Duration.ofSeconds(30),
                    () -> assertThrows(IllegalArgumentException.class, () -> prompt(template, TALK),
                            () -> template.substring(0, 30)));
        }
    }
}
