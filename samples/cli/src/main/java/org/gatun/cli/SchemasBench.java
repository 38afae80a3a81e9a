package org.gatun.cli;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.zip.GZIPInputStream;
import org.gatun.constraint.CompiledConstraint;
import org.gatun.constraint.Constraint;
import org.gatun.constraint.ConstraintMatcher;
import org.gatun.constraint.SchemaOptions;
import org.gatun.constraint.SchemaOptions.PropertyOrder;
import org.gatun.constraint.TokenTrie;
import org.gatun.constraint.UnsupportedSchemaException;
import org.gatun.tokenizer.Tokenizer;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// Schemas with documents that they allow and documents that they do not, token by token, as MaskBench does: what compiles, what is refused and
/// why, what is wrong, and how long a mask takes. Properties may come in any order, since the documents have one of their own.
final class SchemasBench {
    private static final JsonMapper JSON = JsonMapper.builder().enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .enable(DeserializationFeature.USE_BIG_INTEGER_FOR_INTS).build();
    private static final SchemaOptions OPTIONS = SchemaOptions.STANDARD.withOrder(PropertyOrder.ANY);
    private static final int WARM_UP = 20;

    private final Tokenizer tokenizer;
    private final TokenTrie trie;
    private final double trieSeconds;
    private final int[] mask;
    private final Times compile = new Times();
    private final Times masks = new Times();
    private final Times accepts = new Times();
    private final Map<String, Integer> refused = new TreeMap<>();
    private final List<String> wrong = new ArrayList<>();
    private int schemas;
    private int compiled;
    private int passed;
    private int wrongAccepts;
    private int wrongRefusals;

    /// Nanoseconds of what was done.
    private static final class Times {
        private long[] nanos = new long[1024];
        private int count;

        void add(long elapsed) {
            nanos = count == nanos.length ? Arrays.copyOf(nanos, 2 * count) : nanos;
            nanos[count++] = elapsed;
        }

        /// @param unit nanoseconds of a unit
        ObjectNode json(double unit) {
            long[] sorted = Arrays.copyOf(nanos, count);
            Arrays.sort(sorted);
            ObjectNode json = JsonNodeFactory.instance.objectNode();
            if (count > 0) {
                json.put("median", sorted[count / 2] / unit).put("mean", Arrays.stream(sorted).average().orElse(0) / unit)
                        .put("p99", sorted[(int) (count * 0.99)] / unit).put("max", sorted[count - 1] / unit);
            }
            return json.put("count", count);
        }
    }

    SchemasBench(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
        long begun = System.nanoTime();
        trie = TokenTrie.of(tokenizer);
        trieSeconds = (System.nanoTime() - begun) / 1e9;
        mask = new int[Math.ceilDiv(tokenizer.vocabularySize(), Integer.SIZE)];
    }

    /// Runs the schemas of a file.
    ///
    /// @param file JSON Lines with `schema` and `tests`, each with `data` and `valid`; compressed if its name ends in `.gz`
    /// @param oneIn takes one of so many
    /// @throws IllegalArgumentException if a line is none of that
    void run(Path file, int oneIn, Console console) throws IOException {
        try (InputStream in = Files.newInputStream(file);
                BufferedReader lines = new BufferedReader(new InputStreamReader(
                        file.toString().endsWith(".gz") ? new GZIPInputStream(in, 1 << 16) : in, StandardCharsets.UTF_8));
                Progress progress = new Progress(console, "schemas")) {
            int number = 0;
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (number++ % oneIn == 0 && !line.isBlank()) {
                    run(parse(line, file, number));
                    progress.at(number);
                }
            }
        }
        if (schemas == 0) {
            throw new IllegalArgumentException("--schemas " + file + ": found no line, expected JSON objects with schema and tests");
        }
    }

    private static JsonNode parse(String line, Path file, int number) {
        try {
            JsonNode parsed = JSON.readTree(line);
            if (parsed.has("schema") && parsed.path("tests").isArray()) {
                return parsed;
            }
        } catch (JacksonException e) {
            throw new IllegalArgumentException("--schemas " + file + ": found no JSON in line " + number + ": " + e.getOriginalMessage(), e);
        }
        throw new IllegalArgumentException("--schemas " + file + ": expected schema and tests in line " + number);
    }

    private void run(JsonNode item) {
        if (schemas++ == WARM_UP) { // what was measured so far was the machine's own start
            List.of(compile, masks, accepts).forEach(each -> each.count = 0);
        }
        Optional<CompiledConstraint> constraint = compile(item);
        if (constraint.isEmpty()) {
            return;
        }
        compiled++;
        int before = wrong.size();
        for (JsonNode test : item.get("tests")) {
            boolean valid = test.path("valid").asBoolean();
            if (accepts(constraint.get(), test.path("data").toString()) != valid) {
                wrong.add((valid ? "refused: " : "accepted: ") + item.path("id").asString("line " + schemas));
                wrongRefusals += valid ? 1 : 0;
                wrongAccepts += valid ? 0 : 1;
            }
        }
        passed += wrong.size() == before ? 1 : 0;
    }

    private Optional<CompiledConstraint> compile(JsonNode item) {
        Constraint constraint = Constraint.jsonSchema(item.get("schema").toString(), OPTIONS);
        long begun = System.nanoTime();
        try {
            CompiledConstraint ready = constraint.compile(trie);
            compile.add(System.nanoTime() - begun);
            return Optional.of(ready);
        } catch (UnsupportedSchemaException e) {
            refused.merge(e.keyword(), 1, Integer::sum);
        } catch (IllegalArgumentException e) {
            refused.merge(e.getMessage().contains("unsatisfiable") ? "unsatisfiable" : "malformed", 1, Integer::sum);
        }
        return Optional.empty();
    }

    private boolean accepts(CompiledConstraint constraint, String text) {
        ConstraintMatcher matcher = constraint.matcher();
        for (int token : encode(text)) {
            long begun = System.nanoTime();
            boolean any = matcher.tryMask(mask);
            long between = System.nanoTime();
            boolean accepted = matcher.accept(token);
            accepts.add(System.nanoTime() - between);
            masks.add(between - begun);
            if (accepted != (any && (mask[token >> 5] >>> token & 1) != 0)) {
                throw new IllegalStateException("token " + token + " is " + (accepted ? "accepted" : "refused") + ", and its mask says otherwise");
            }
            if (!accepted) {
                return false;
            }
        }
        return matcher.isComplete();
    }

    /// The tokens of a text as it is: behind a line that is left out where the tokenizer begins a text with a space of its own.
    private int[] encode(String text) {
        byte[] expected = text.getBytes(StandardCharsets.UTF_8);
        int[] plain = tokenizer.encode(text, Tokenizer.Special.NONE);
        if (Arrays.equals(spelled(plain), expected)) {
            return plain;
        }
        int[] behind = tokenizer.encode("\n" + text, Tokenizer.Special.NONE);
        for (int from = 1; from < Math.min(4, behind.length); from++) {
            int[] rest = Arrays.copyOfRange(behind, from, behind.length);
            if (Arrays.equals(spelled(rest), expected)) {
                return rest;
            }
        }
        throw new IllegalArgumentException("--schemas: the tokens of a document spell another text: expected a tokenizer that changes nothing");
    }

    private byte[] spelled(int... tokens) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Arrays.stream(tokens).forEach(token -> bytes.writeBytes(tokenizer.bytes(token)));
        return bytes.toByteArray();
    }

    /// What was found.
    ObjectNode json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode().put("schemas", schemas).put("compiled", compiled).put("passed", passed)
                .put("wrong_accepts", wrongAccepts).put("wrong_refusals", wrongRefusals).put("vocabulary", tokenizer.vocabularySize())
                .put("trie_seconds", trieSeconds);
        json.set("compile_ms", compile.json(1e6));
        json.set("mask_us", masks.json(1e3));
        json.set("accept_us", accepts.json(1e3));
        ObjectNode reasons = json.putObject("refused");
        refused.forEach(reasons::put);
        wrong.forEach(json.putArray("wrong")::add);
        return json;
    }

    /// The same for people.
    List<String> lines() {
        List<String> lines = new ArrayList<>();
        json().properties().forEach(each -> lines.add("%-15s %s".formatted(each.getKey(), each.getValue())));
        return lines;
    }
}
