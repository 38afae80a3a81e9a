package org.gatun.constraint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.gatun.constraint.SchemaOptions.PropertyOrder;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/// Published schemas with documents: a schema is refused, or accepts the documents that are valid and no others. The floors on how many are not refused may
/// only rise.
class PublishedSchemasTest {
    private static final JsonMapper JSON = JsonMapper.builder().enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS).build();
    private static final TokenTrie TRIE = TokenTrie.of(Pieces.of());
    /// What is not as in the official suite: formats are enforced where it has them as annotations, and no schema of schemas is fetched, which says
    /// that keywords do not count.
    private static final List<String> OTHERWISE = List.of("format.json", "vocabulary.json");

    private final Map<String, Integer> refused = new TreeMap<>();
    private final List<String> wrong = new ArrayList<>();
    private int schemas;
    private int passed;

    private static Path data(String name) {
        Path path = Path.of(System.getProperty("gatun.data", "no-data"), name);
        assumeTrue(Files.exists(path), () -> path + " is absent: set -Dgatun.data to the folder of published files");
        return path;
    }

    private void run(String name, JsonNode schema, JsonNode tests) {
        schemas++;
        int before = wrong.size();
        CompiledConstraint constraint = null;
        try {
            constraint = Constraint.jsonSchema(schema.toString(), SchemaOptions.STANDARD.withOrder(PropertyOrder.ANY)).compile(TRIE);
        } catch (UnsupportedSchemaException e) {
            refused.merge(e.keyword(), 1, Integer::sum);
            return;
        } catch (IllegalArgumentException e) {
            if (!e.getMessage().contains("unsatisfiable")) {
                refused.merge("malformed", 1, Integer::sum);
                return;
            }
        }
        for (JsonNode test : tests) {
            if (test.get("valid").asBoolean() != (constraint != null && accepts(constraint, test.get("data").toString()))) {
                wrong.add((test.get("valid").asBoolean() ? "refused: " : "accepted: ") + name + ": " + test.get("data"));
            }
        }
        passed += wrong.size() == before ? 1 : 0;
    }

    private static boolean accepts(CompiledConstraint constraint, String text) {
        Parser.State state = constraint.start();
        for (byte each : text.getBytes(StandardCharsets.UTF_8)) {
            state = constraint.behind(state, each & 0xff);
        }
        return state.isComplete();
    }

    private void assertPassed(double floor) {
        System.out.printf("%d schemas, %d passed, refused %s, wrong %s%n", schemas, passed, refused, wrong);
        assertTrue(passed >= floor * schemas, passed + " of " + schemas + " passed, refused: " + refused);
    }

    @Test
    void jsonSchemaBench_documents_areAcceptedIfAndOnlyIfValid() throws IOException {
        int oneIn = TestScale.isLong() ? 1 : 60;
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(
                new GZIPInputStream(Files.newInputStream(data("jsonschemabench/maskbench.jsonl.gz")), 1 << 16), StandardCharsets.UTF_8))) {
            long number = 0;
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (number++ % oneIn == TestScale.seed() % oneIn) {
                    JsonNode item = JSON.readTree(line);
                    run(item.get("id").asString(), item.get("schema"), item.get("tests"));
                }
            }
        }
        assertEquals(List.of(), wrong.stream().filter(each -> each.startsWith("accepted")).toList());
        assertPassed(TestScale.isLong() ? 0.95 : 0.9);
        assertTrue(wrong.size() <= schemas / 100, wrong.toString());
    }

    @Test
    void officialSuite_documents_areAcceptedIfAndOnlyIfValid() throws IOException {
        Path suite = data("json-schema-test-suite/tests");
        try (Stream<Path> files = Files.walk(suite)) {
            for (Path file : files.filter(each -> each.toString().endsWith(".json") && !each.toString().contains("optional")).sorted().toList()) {
                if (!OTHERWISE.contains(file.getFileName().toString())) {
                    boolean old = file.getParent().endsWith("draft7");
                    for (JsonNode group : JSON.readTree(Files.readString(file))) {
                        if (old && group.get("schema") instanceof ObjectNode schema && !schema.has("$schema")) {
                            schema.put("$schema", "http://json-schema.org/draft-07/schema#"); // as the folder says
                        }
                        run(suite.relativize(file) + ", " + group.get("description").asString(), group.get("schema"), group.get("tests"));
                    }
                }
            }
        }
        assertEquals(List.of(), wrong);
        assertPassed(0.75);
    }
}
