package org.gatun.template;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TemplateTest {
    private static final LocalDateTime NOW = LocalDateTime.of(2026, 3, 4, 5, 6, 7);

    /// In the order in which they are printed.
    static Map<String, Object> values() {
        Map<String, Object> dict = ordered("b", 1, "a", ordered("x", List.of(1, 2)), "items", 7);
        Map<String, Object> values = ordered("s", "Hello World", "e", "", "n", 5, "f", 2.5, "t", true, "no", null,
                "l", List.of(3, 1, 2), "d", dict, "u", "Größe 你好 🙂x", "w", " \t a b \n");
        values.put("m", List.of(ordered("role", "user", "content", "hi", "n", 2), ordered("role", "assistant", "content", "yo", "n", 1),
                ordered("role", "User", "n", 1)));
        return values;
    }

    private static Map<String, Object> ordered(Object... pairs) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            map.put((String) pairs[i], pairs[i + 1]);
        }
        return map;
    }

    static String render(String template) {
        return Template.parse(template).render(values(), () -> NOW);
    }

    private static String refusal(String template) {
        return assertThrows(IllegalArgumentException.class, () -> render(template), template).getMessage();
    }

    /// What Jinja 3.1.6 gives with the settings of transformers and the values above. To check or extend the table, render its left
    /// side there; ⏎ stands for a line end, ␍ for a carriage return, ⇥ for a tabulator.
    @Test
    void render_tableOfTheLanguage_isJinjas() throws IOException {
        String table;
        try (InputStream file = TemplateTest.class.getResourceAsStream("conformance.txt")) {
            table = new String(file.readAllBytes(), StandardCharsets.UTF_8);
        }
        List<Executable> rows = new ArrayList<>();
        for (String line : table.lines().filter(line -> !line.startsWith("# ")).toList()) {
            String[] sides = line.split(" ⟹ ", 2);
            String template = written(sides[0]);
            rows.add(() -> {
                if (sides[1].equals("REFUSED")) {
                    refusal(template);
                } else {
                    assertEquals(written(sides[1]), render(template), template);
                }
            });
        }
        assertTrue(rows.size() > 300, rows.size() + " rows");
        assertAll(rows);
    }

    private static String written(String text) {
        return text.replace('⏎', '\n').replace('␍', '\r').replace('⇥', '\t');
    }

    @ParameterizedTest
    @CsvSource(delimiterString = " => ", quoteCharacter = '`', value = {
            "`a\n{{ 1 + }}` => `line 2: found }}, expected an expression`",
            "`{% if 1 %}` => `line 1: found the end of the template, expected elif or else or endif`",
            "`{% unknown %}` => `line 1: unknown tag {% unknown %}`",
            "`{% include 'x' %}` => `line 1: {% include %} reads another file: not supported`",
            "`\n\n{{ s | nope }}` => `line 3: there is no filter nope`",
            "`{{ s | random }}` => `line 1: the filter random is not supported: a template gives the same text each time`",
            "`{{ lipsum() }}` => `line 1: lipsum is not supported: a template gives the same text each time`",
            "`{{ s.encode() }}` => `line 1: encode is not supported: templates have no bytes`",
            "`{{ n.to_bytes(2) }}` => `line 1: to_bytes is not supported: templates have no bytes`",
            "`{{ '&mdash;' | striptags }}` => `line 1: the entity &mdash; is not supported`",
            "`{% autoescape true %}x{% endautoescape %}` => `line 1: {% autoescape %} is not supported, except for false`",
            "`{{ s is nope }}` => `line 1: there is no test nope`",
            "`{{ s }}\n{{ missing.x }}` => `line 2: 'missing' is undefined`",
            "`{{ s.getClass() }}` => `line 1: a string has no 'getClass'`",
            "`{{ 1 + 'a' }}` => `line 1: + between an integer and a string`",
            "`{{ l.append(4) }}` => `line 1: 'append' would change a list: values cannot be changed`",
            "`{{ s(1) }}` => `line 1: s is called, but is a string`",
            "`{{ 9 ** 9999 }}` => `line 1: an integer has more than 4300 digits`",
            "`{{ range(1000000000) }}` => `line 1: range: more than 100000 elements`",
            "`{{ l | map('string') }}` => `line 1: prints an iterator: make it a list`",
            "`{{ raise_exception('No.') }}` => `No.`",
    })
    void render_whatCannotBeDone_namesLineAndConstruct(String template, String expected) {
        assertEquals(expected, refusal(template));
    }

    @Test
    void filtersTestsAndMethods_everyName_isDone() {
        Operators operators = new Operators(new Budget());
        Attributes attributes = new Attributes(operators);
        Tests tests = new Tests(operators);
        Filters filters = new Filters(operators, attributes, tests);
        Arguments none = Arguments.none("x");
        Value text = new Value.Text("x");
        for (String name : Filters.NAMES) {
            assertFalse(problem(() -> filters.apply(name, text, none)).contains("there is no filter"), name);
        }
        for (String name : Tests.NAMES) {
            assertFalse(problem(() -> tests.isTrue(name, text, none)).contains("there is no test"), name);
        }
        for (String name : TextMethods.NAMES) {
            problem(() -> attributes.textMethods().call(new Value.Text("x"), name, none)); // an unknown one is an AssertionError
        }
    }

    private static String problem(Runnable work) {
        try {
            work.run();
            return "";
        } catch (Refusal e) {
            return e.getMessage();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {
            "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(12) %}{% set ns.s = ns.s.replace('a', 'aaaaaaaa') %}{% endfor %}",
            "{% set ns = namespace(a=['x'], b=['x']) %}{% for i in range(40) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}"
                    + "{% endfor %}{{ ns.a == ns.b }}",
            "{% set ns = namespace(a=['x']) %}{% for i in range(40) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a | tojson }}",
            "{% set ns = namespace(a=['x']) %}{% for i in range(40) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a }}",
            "{% set ns = namespace(a=('x',)) %}{% for i in range(40) %}{% set ns.a = (ns.a, ns.a) %}{% endfor %}{{ {ns.a: 1} }}",
            "{% set ns = namespace(a=[1]) %}{% for i in range(99999) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a }}",
            "{% set ns = namespace(a=l) %}{% for i in range(9999) %}{% set ns.a = ns.a | map('string') %}{% endfor %}{{ ns.a | list }}",
            "{% set a = 'a' * 1000000 %}{% for i in range(99999) %}{{ (a ~ 'b') in a }}{% endfor %}",
            "{% set a = 'a' * 4000000 %}{% set b = 'a' * 2000000 ~ 'b' %}{% for i in range(9999) %}{{ b in a }}{% endfor %}",
            "{{ ('a ' * 4999999) | wordwrap(1) }}", "{{ ('a' * 9999999) | wordwrap(1) }}", "{{ ('-' * 9999999) | wordwrap(2) }}",
            "{{ ('<!--' * 2499999) | striptags ~ ('<' * 9999999) | striptags }}", "{{ ('<!-- -->' * 999999) | striptags }}",
            "{{ ('a.' * 4999999 ~ '!') | urlize }}", "{{ ('(' * 4999999 ~ ')' * 4999999) | urlize }}", "{{ ('a@' * 4999999) | urlize }}",
            "{{ ('a ' * 4999999) | pprint }}", "{{ [[l] * 999] * 999 | pprint }}", "{{ {'a' * 4999999: 1} | xmlattr }}",
            "{% for i in range(99999) %}{{ (7 ** 5000) * (7 ** 5000) // (7 ** 4999) == i }}{% endfor %}",
            "{{ 'a'.translate({97: 'a' * 4999999}) * 9 }}", "{% block a %}{{ self.a() }}{{ self.a() }}{% endblock %}",
            "{{ 'a' * 10 ** 12 }}", "{{ [1] * 10 ** 12 }}", "{{ 'a' * 9223372036854775807 }}", "{{ 'x'.center(2000000000) }}",
            "{{ '%2000000000d' % 1 }}", "{{ '%.2000000000f' % 1 }}", "{{ '{:2000000000}'.format(1) }}", "{{ 1.5 | round(2000000000) }}",
            "{{ ('a' * 9999999).upper().lower().title() }}", "{{ l | batch(1, 'x') | list ~ (l | batch(2000000000, 'x') | list) }}",
            "{{ ('.' * 9999999) | map(attribute='.' * 999999) | list }}", "{{ ('\\n' * 9999999).splitlines() }}",
            "{{ ('\\n' * 9999999) | indent }}", "{{ ('\\x01' * 9999999) | tojson }}", "{{ ('<' * 9999999) | e }}",
            "{{ '-'.join('a' * 9999999) }}", "{{ l | join('-' * 9999999) }}", "{% for c in 'a' * 9999999 %}{% endfor %}",
            "{% set ns = namespace(x='aaaa') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
            "{% set ns = namespace(x=[1, 2]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
            "{% macro f(x) %}{{ g(x) }}{{ g(x) }}{% endmacro %}{% macro g(x) %}{{ f(x) }}{{ f(x) }}{% endmacro %}{{ f(1) }}",
            "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}", "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
            "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
            "{% macro f() %}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% endcall %}{% endmacro %}{{ g() }}",
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    })
    void render_templatesThatNeverEndOrTakeAll_areRefused(String template) {
        assertTimeoutPreemptively(Duration.ofSeconds(30), () -> refusal(template), template);
    }

    @Test
    void parse_deepOrLongTemplates_areRefused() {
        for (String template : List.of("{{ " + "(".repeat(50_000) + "1" + ")".repeat(50_000) + " }}", "{{ " + "[".repeat(50_000),
                "{% if true %}".repeat(20_000) + "{% endif %}".repeat(20_000), "{{ " + "-".repeat(50_000) + "1 }}",
                "{{ " + "not ".repeat(50_000) + "1 }}", "{{ 1" + "|abs".repeat(50_000) + " }}", "{{ a" + ".a".repeat(50_000) + " }}",
                "{{ a" + "[0]".repeat(30_000) + " }}", "{{ a" + "()".repeat(30_000) + " }}", "{{ 1" + " + 1".repeat(50_000) + " }}",
                "{{ 1" + " if 1 else 1".repeat(20_000) + " }}", "{{ 1" + " if 1".repeat(20_000) + " }}",
                "{% set " + "(".repeat(50_000) + "a" + ")".repeat(50_000) + " = 1 %}", "{{ " + "1,".repeat(60_000) + " }}",
                "{" + "{{ 1 }}".repeat(50_000), "x".repeat(2_000_000))) {
            assertTimeoutPreemptively(Duration.ofSeconds(30), () -> refusal(template), () -> template.substring(0, 30));
        }
    }

    @Test
    void render_deepestThatIsAllowed_needsLittleStack() throws InterruptedException {
        AtomicReference<Optional<Throwable>> failure = new AtomicReference<>(Optional.empty());
        Thread small = new Thread(null, () -> {
            refusal("{% macro f(n) %}{% if n %}{{ [f(n + 1)] }}{% endif %}{% endmacro %}{{ f(1) }}");
            refusal("{% set ns = namespace(a=[1]) %}{% for i in range(9999) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a | tojson }}");
            render("{{ " + "(".repeat(90) + "1" + ")".repeat(90) + " }}");
        }, "small stack", 512 << 10);
        small.setUncaughtExceptionHandler((_, problem) -> failure.set(Optional.of(problem)));
        small.start();
        small.join();
        assertEquals(Optional.empty(), failure.get());
    }

    @Test
    void render_deeperThanTheStack_isRefused() throws InterruptedException {
        AtomicReference<Optional<Throwable>> failure = new AtomicReference<>(Optional.empty());
        Thread small = new Thread(null, () -> refusal("{% macro f(n) %}{% call f(n + 1) %}x{% endcall %}{% endmacro %}{{ f(1) }}"),
                "very small stack", 160 << 10);
        small.setUncaughtExceptionHandler((_, problem) -> failure.set(Optional.of(problem)));
        small.start();
        small.join();
        assertEquals(Optional.empty(), failure.get());
    }

    @Test
    void render_interruptedThread_isRefused() {
        Thread.currentThread().interrupt();
        try {
            assertTrue(refusal("{% for a in range(99999) %}{{ a }}{% endfor %}").contains("interrupted"));
        } finally {
            assertTrue(Thread.interrupted(), "the interrupt is left for the caller");
        }
    }

    @Test
    void render_longConversation_isNotRefused() {
        String said = "Some words of a long conversation, said over and over. ".repeat(400);
        List<Map<String, Object>> messages = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            messages.add(ordered("role", i % 2 == 0 ? "user" : "assistant", "content", said));
        }
        String template = "{% for m in messages %}<{{ m.role }}>{{ m.content.split('</think>')[-1].strip() | trim ~ '\n' }}{% endfor %}";
        int length = Template.parse(template).render(Map.of("messages", messages), () -> NOW).length();
        assertTrue(length > 400 * 20_000, "length " + length);
    }

    @Test
    void render_integersOfAnySize_keepTheirDigits() {
        String digits = "1234567890".repeat(40);
        Template template = Template.parse("{{ x }} {{ x | tojson }} {{ x + 1 - x }}");
        assertEquals(digits + " " + digits + " 1", template.render(Map.of("x", new BigInteger(digits)), () -> NOW));
        assertEquals("line 1: an integer has more than 4300 digits", refusal("{% set ns = namespace(x=3) %}{% for i in range(99) %}"
                + "{% set ns.x = ns.x * ns.x %}{% endfor %}"));
        assertThrows(IllegalArgumentException.class, () -> template.render(Map.of("x", BigInteger.TEN.pow(5_000)), () -> NOW));
    }

    @Test
    void render_valuesOfJava_areRefused() {
        Template template = Template.parse("{{ x }}");
        assertTrue(assertThrows(IllegalArgumentException.class, () -> template.render(Map.of("x", new Object()), () -> NOW)).getMessage()
                .contains("a value is a Object"));
        assertThrows(IllegalArgumentException.class, () -> template.render(Map.of("x", Map.of(1, 2)), () -> NOW));
        List<Object> deep = new ArrayList<>();
        deep.add(deep);
        assertThrows(IllegalArgumentException.class, () -> template.render(Map.of("x", deep), () -> NOW));
    }
}
