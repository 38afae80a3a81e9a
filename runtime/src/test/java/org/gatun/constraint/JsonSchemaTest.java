package org.gatun.constraint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.gatun.constraint.SchemaOptions.PropertyOrder;
import org.gatun.constraint.SchemaOptions.Whitespace;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Schemas written for this test, `schemas.json`, with documents that they allow and documents that they do not. The judge is
/// `com.networknt:json-schema-validator`, which shares nothing with the engine.
class JsonSchemaTest {
    private static final Pieces TOKENS = Pieces.random("abc019{}[]\":, .-eé漢\\n", 300, 11);
    private static final TokenTrie TRIE = TokenTrie.of(TOKENS);
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final SchemaOptions ANY_ORDER = SchemaOptions.STANDARD.withOrder(PropertyOrder.ANY);

    private static JsonNode sample() throws IOException {
        try (InputStream in = Objects.requireNonNull(JsonSchemaTest.class.getResourceAsStream("schemas.json"))) {
            return JSON.readTree(in);
        }
    }

    private static boolean isSatisfiable(JsonNode group) {
        return !group.has("unsatisfiable");
    }

    private static CompiledConstraint compile(JsonNode schema, SchemaOptions options) {
        return Constraint.jsonSchema(schema.toString(), options).compile(TRIE);
    }

    private static boolean accepts(CompiledConstraint constraint, String text) {
        ConstraintMatcher matcher = constraint.matcher();
        for (byte each : text.getBytes(StandardCharsets.UTF_8)) {
            if (!matcher.accept(each & 0xff)) {
                return false;
            }
        }
        return matcher.isComplete();
    }

    private static Schema judge(JsonNode schema) {
        return SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12).getSchema(schema);
    }

    private static boolean isValid(Schema judge, JsonNode document) {
        return judge.validate(document, context -> context.executionConfig(config -> config.formatAssertionsEnabled(true))).isEmpty();
    }

    @Test
    void jsonSchema_documentsOfTheSample_areAcceptedIfAndOnlyIfValid() throws IOException {
        for (JsonNode group : sample()) {
            if (!isSatisfiable(group)) {
                assertTrue(assertThrows(IllegalArgumentException.class, () -> compile(group.get("schema"), ANY_ORDER)).getMessage()
                        .contains("unsatisfiable"), group.toString());
                continue;
            }
            List<CompiledConstraint> constraints = List.of(compile(group.get("schema"), SchemaOptions.STANDARD), compile(group.get("schema"), ANY_ORDER));
            Schema judge = judge(group.get("schema"));
            for (String kind : List.of("valid", "invalid")) {
                for (JsonNode document : group.get(kind)) {
                    assertEquals(kind.equals("valid"), isValid(judge, document), "the sample: " + group.get("name") + ": " + document);
                    for (CompiledConstraint each : constraints) {
                        for (String text : List.of(document.toString(), document.toPrettyString())) {
                            assertEquals(kind.equals("valid"), accepts(each, text), group.get("name") + ": " + text);
                        }
                    }
                }
            }
        }
    }

    @Test
    void walk_schemasOfTheSample_writesWhatTheJudgeAccepts() throws IOException {
        Random random = new Random(TestScale.seed());
        List<String> unfinished = new ArrayList<>();
        for (JsonNode group : sample()) {
            if (!isSatisfiable(group)) {
                continue;
            }
            Schema judge = judge(group.get("schema"));
            int finished = 0;
            for (PropertyOrder order : PropertyOrder.values()) {
                CompiledConstraint constraint = compile(group.get("schema"), new SchemaOptions(order, Whitespace.COMPACT));
                for (int round = 0; round < TestScale.rounds(6, 2000); round++) {
                    String text = walk(constraint, random);
                    if (!text.isEmpty()) {
                        finished++;
                        assertTrue(isValid(judge, JSON.readTree(text)), () -> group.get("name") + ": " + text);
                    }
                }
            }
            if (finished == 0) {
                unfinished.add(group.get("name").asString());
            }
        }
        assertEquals(List.of(), unfinished);
    }

    /// A text over what may follow, with a liking for what ends something; empty if it did not end.
    private static String walk(CompiledConstraint constraint, Random random) {
        ConstraintMatcher matcher = constraint.matcher();
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        int[] mask = new int[TRIE.words()];
        for (int length = 0; length < 120; length++) {
            matcher.mask(mask);
            int token = random.nextInt(3) > 0 ? TOKENS.end() : random.nextInt(TOKENS.vocabularySize());
            for (int i = 0; i < 5 && !isSet(mask, token) && random.nextInt(3) > 0; i++) {
                token = "\"]},1".charAt(random.nextInt(5));
            }
            while (!isSet(mask, token)) {
                token = (token + 1) % TOKENS.vocabularySize();
            }
            assertTrue(matcher.accept(token));
            if (matcher.isEnded()) {
                return text.toString(StandardCharsets.UTF_8);
            }
            text.writeBytes(TOKENS.bytes(token));
        }
        return "";
    }

    private static boolean isSet(int[] mask, int token) {
        return (mask[token >> 5] >>> token & 1) != 0;
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"uniqueItems|/properties/a|{\"properties\": {\"a\": {\"type\": \"array\", \"uniqueItems\": true}}}",
            "pattern|/items|{\"items\": {\"pattern\": \"a(?=b)\"}}", "$ref||{\"$ref\": \"http://example.org/x\"}", "$ref||{\"$ref\": \"#\"}",
            "$dynamicRef||{\"$dynamicRef\": \"#a\"}", "multipleOf||{\"multipleOf\": 1.123456789}", "minProperties||{\"minProperties\": 2}",
            "format||{\"format\": \"regex\"}", "minLength||{\"minLength\": 100000000}", "minimum||{\"minimum\": 1e900}"})
    void compile_whatCannotBeEnforced_isRefusedByKeywordAndPlace(String keyword, String pointer, String schema) {
        UnsupportedSchemaException refusal = assertThrows(UnsupportedSchemaException.class, () -> Constraint.jsonSchema(schema).compile(TRIE));

        assertEquals(keyword, refusal.keyword());
        assertEquals(pointer == null ? "" : pointer, refusal.pointer());
        assertTrue(refusal.getMessage().contains(keyword) && refusal.getMessage().contains("; "), refusal.getMessage());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"no JSON|{\"type\": ", "expected an object or a boolean|3", "type|{\"type\": \"strin\"}", "required|{\"required\": true}",
            "minLength|{\"minLength\": -1}", "anyOf|{\"anyOf\": []}", "/items|{\"items\": 3}", "multipleOf|{\"multipleOf\": 0}"})
    void compile_malformedSchema_isRefusedWithWhatWasFound(String named, String schema) {
        String message = assertThrows(IllegalArgumentException.class, () -> Constraint.jsonSchema(schema).compile(TRIE)).getMessage();

        assertTrue(message.contains(named), message);
    }

    @Test
    void notes_unknownKeywordsAndFormats_areTold() {
        CompiledConstraint constraint = Constraint.jsonSchema("{\"title\": \"t\", \"reqired\": [\"a\"], \"format\": \"color\"}").compile(TRIE);

        assertEquals(List.of("format color is not known and is an annotation", "unknown keyword reqired at the root is an annotation"), constraint.notes());
    }

    @Test
    void jsonSchema_compactWhitespace_refusesSpaces() {
        CompiledConstraint constraint = Constraint.jsonSchema("{\"type\": \"array\"}", SchemaOptions.STANDARD.withWhitespace(Whitespace.COMPACT))
                .compile(TRIE);

        assertTrue(accepts(constraint, "[1,{\"a\":2}]"));
        assertEquals(List.of(false, false), List.of(accepts(constraint, "[ 1]"), accepts(constraint, "[{\"a\": 2}]")));
    }

    @Test
    void jsonSchema_anyOrder_writesNoKeyTwice() {
        CompiledConstraint constraint = Constraint.jsonSchema(
                "{\"type\": \"object\", \"properties\": {\"a\": {}, \"b\": {}}, \"required\": [\"b\"], \"additionalProperties\": false}", ANY_ORDER).compile(TRIE);

        assertTrue(accepts(constraint, "{\"b\":1,\"a\":2}"));
        assertEquals(List.of(false, false), List.of(accepts(constraint, "{\"b\":1,\"b\":2}"), accepts(constraint, "{\"a\":1}")));
    }
}
