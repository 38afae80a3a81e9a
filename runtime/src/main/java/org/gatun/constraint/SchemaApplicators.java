package org.gatun.constraint;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.gatun.constraint.Schema.At;
import org.gatun.constraint.Schema.Cases;
import tools.jackson.databind.JsonNode;

/// The keywords that combine schemas at one place: `$ref`, `allOf`, `anyOf`, `oneOf`, `not`, `if` and what depends on a key.
///
/// `oneOf` is any of its schemas where no two allow the same, as far as a few levels show; a schema that may allow what another does is
/// taken without the other.
final class SchemaApplicators {
    /// Their names.
    static final Set<String> NAMES = Set.of("$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependencies", "dependentSchemas",
            "dependentRequired");
    /// Those whose schemas look at the same place.
    static final Set<String> IN_PLACE = Set.of("$ref", "allOf", "anyOf", "oneOf", "not", "if", "dependencies", "dependentSchemas");
    private static final int MAX_ALTERNATIVES = 1000;

    private final SchemaDocument document;
    private final SchemaAlgebra algebra;
    private final SchemaNormalizer normalizer;

    SchemaApplicators(SchemaDocument document, SchemaAlgebra algebra, SchemaNormalizer normalizer) {
        this.document = document;
        this.algebra = algebra;
        this.normalizer = normalizer;
    }

    /// What a place asks for beside its own keywords: all of these.
    List<Schema> of(At at) {
        JsonNode node = at.node();
        List<Schema> all = new ArrayList<>();
        if (node.has("$ref")) {
            all.add(reference(at));
        }
        if (node.has("allOf")) {
            all.addAll(listed(at, "allOf"));
        }
        if (node.has("anyOf")) {
            all.add(Schema.anyOf(listed(at, "anyOf")));
        }
        if (node.has("oneOf")) {
            all.add(oneOf(listed(at, "oneOf")));
        }
        if (node.has("not")) {
            all.add(Schema.not(at.child("not")));
        }
        if (node.has("if")) {
            Schema condition = at.child("if");
            all.add(Schema.anyOf(List.of(node.has("then") ? Schema.allOf(condition, at.child("then")) : condition,
                    node.has("else") ? Schema.allOf(Schema.not(condition), at.child("else")) : Schema.not(condition))));
        }
        for (String keyword : List.of("dependencies", "dependentSchemas", "dependentRequired")) {
            for (Map.Entry<String, JsonNode> each : node.path(keyword).properties()) {
                all.add(dependent(at, keyword, each.getKey(), each.getValue()));
            }
        }
        return all;
    }

    private static List<At> listed(At at, String keyword) {
        JsonNode list = at.node().get(keyword);
        if (!list.isArray() || list.isEmpty()) {
            throw SchemaKeywords.malformed(at, keyword, "a list of schemas");
        }
        if (list.size() > MAX_ALTERNATIVES) {
            throw new UnsupportedSchemaException(keyword, at.pointer(), "it has " + list.size() + " schemas", "have at most " + MAX_ALTERNATIVES);
        }
        List<At> schemas = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            schemas.add(at.child(keyword, Integer.toString(i)));
        }
        return schemas;
    }

    /// Where a place's reference leads.
    Schema reference(At at) {
        JsonNode reference = at.node().get("$ref");
        if (!reference.isString()) {
            throw SchemaKeywords.malformed(at, "$ref", "a text");
        }
        String target = document.follow(reference.stringValue(), at.pointer()).orElseThrow(() -> new UnsupportedSchemaException("$ref",
                at.pointer(), "'" + reference.stringValue() + "' leads to no place in this document", "put what it means under $defs"));
        return new At(target, document.at(target));
    }

    private Schema oneOf(List<At> schemas) {
        List<Set<Schema>> others = new ArrayList<>();
        schemas.forEach(_ -> others.add(new LinkedHashSet<>()));
        for (int i = 0; i < schemas.size(); i++) {
            for (int j = 0; j < i; j++) {
                if (!algebra.areApart(schemas.get(i), schemas.get(j))) {
                    others.get(i).add(Schema.not(schemas.get(j)));
                    others.get(j).add(Schema.not(schemas.get(i)));
                }
            }
        }
        List<Schema> exclusive = new ArrayList<>();
        for (int i = 0; i < schemas.size(); i++) {
            Set<Schema> parts = new LinkedHashSet<>(Set.of(schemas.get(i)));
            parts.addAll(others.get(i));
            exclusive.add(Schema.allOf(parts.toArray(Schema[]::new)));
        }
        return Schema.anyOf(exclusive);
    }

    private Schema dependent(At at, String keyword, String key, JsonNode value) {
        Schema then;
        if (keyword.equals("dependentRequired") || !keyword.equals("dependentSchemas") && (value.isArray() || value.isString())) {
            Map<String, Schema> named = new LinkedHashMap<>();
            if (value.isString()) {
                named.put(value.stringValue(), Schema.ANY);
            }
            value.forEach(each -> named.put(each.asString(""), Schema.ANY));
            named.put(key, Schema.ANY);
            return Schema.anyOf(List.of(absent(key), new Schema.Known(Cases.objects(List.of(algebra.object(named, named.keySet()))))));
        }
        then = at.child(keyword, key);
        return Schema.anyOf(List.of(absent(key), Schema.allOf(present(key), then)));
    }

    private Schema present(String key) {
        return new Schema.Known(Cases.objects(List.of(algebra.object(Map.of(key, Schema.ANY), Set.of(key)))));
    }

    /// Objects without a key, and what is no object.
    private Schema absent(String key) {
        Cases any = algebra.any();
        return new Schema.Known(new Cases(any.words(), any.numbers(), any.strings(), any.arrays(),
                List.of(algebra.object(Map.of(key, Schema.NEVER), Set.of()))));
    }
}
