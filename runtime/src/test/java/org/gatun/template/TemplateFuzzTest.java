package org.gatun.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Random templates, and, as part of the build, those under `TemplateFuzzTestInputs`; with `JAZZER_FUZZ=1` in the environment, and
/// one method chosen, a fuzz test searches for templates and messages that fail otherwise than by the documented exception.
class TemplateFuzzTest {
    private static final LocalDateTime NOW = LocalDateTime.of(2026, 3, 4, 5, 6, 7);

    @FuzzTest(maxDuration = "5m")
    void render_anyText_endsOrIsRefused(byte[] bytes) {
        Map<String, Object> values = TemplateTest.values();
        values.put("messages", values.get("m"));
        values.put("add_generation_prompt", true);
        endsOrIsRefused(new String(bytes, StandardCharsets.UTF_8), values);
    }

    /// Templates by the grammar, with messages of any values: the input chooses what comes next.
    @FuzzTest(maxDuration = "5m")
    void render_anyTemplateOfTheGrammarAndAnyMessages_endsOrIsRefused(FuzzedDataProvider data) {
        Map<String, Object> values = TemplateTest.values();
        values.put("m", list(data, 3));
        values.put("d", map(data, 3));
        values.put("x", value(data, 3));
        endsOrIsRefused(new RandomTemplates(new Random() {
            private static final long serialVersionUID = 1L;

            @Override
            protected int next(int bits) {
                return data.consumeInt() >>> Integer.SIZE - bits;
            }
        }).next(), values);
    }

    private static void endsOrIsRefused(String template, Map<String, Object> values) {
        long start = System.nanoTime();
        try {
            Template.parse(template).render(values, () -> NOW);
        } catch (IllegalArgumentException e) {
            assertFalse(e.getMessage().isBlank());
        }
        assertTrue(System.nanoTime() - start < TemplateFuzz.MAX_NANOS, template);
    }

    private static Object value(FuzzedDataProvider data, int depth) {
        return switch (data.consumeInt(0, depth == 0 ? 6 : 8)) {
            case 0 -> null;
            case 1 -> data.consumeBoolean();
            case 2 -> data.consumeLong();
            case 3 -> BigInteger.valueOf(data.consumeLong()).pow(data.consumeInt(1, 9));
            case 4 -> data.consumeDouble();
            case 5, 6 -> data.consumeString(40);
            case 7 -> list(data, depth - 1);
            default -> map(data, depth - 1);
        };
    }

    private static List<Object> list(FuzzedDataProvider data, int depth) {
        List<Object> list = new ArrayList<>();
        for (int i = data.consumeInt(0, 4); i > 0; i--) {
            list.add(value(data, depth));
        }
        return list;
    }

    private static Map<String, Object> map(FuzzedDataProvider data, int depth) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (int i = data.consumeInt(0, 4); i > 0; i--) {
            map.put(data.consumeBoolean() ? data.pickValue(List.of("role", "content", "n", "a", "items")) : data.consumeString(9),
                    value(data, depth));
        }
        return map;
    }

    /// With a heap of 64 MB: what a template takes is bounded, and so is the time, and the only failure is the documented one.
    @Test
    void render_randomTemplates_endWithinTheirBounds(@TempDir Path folder) throws IOException, InterruptedException {
        int rounds = TestScale.rounds(5_000, 200_000);
        Path log = folder.resolve("log.txt");
        List<String> command = List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx64m", "-XX:+UseSerialGC",
                "-cp", System.getProperty("java.class.path"), TemplateFuzz.class.getName(), Integer.toString(rounds),
                Long.toString(TestScale.seed()));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
        int exitCode = process.waitFor();
        System.out.println(rounds + " random templates, seed " + TestScale.seed() + ": " + Files.readString(log).strip());
        assertEquals(0, exitCode);
    }
}
