package org.gatun.constraint;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.gatun.constraint.Schema.At;
import org.gatun.constraint.Schema.Cases;
import tools.jackson.databind.JsonNode;

/// What schemas allow, type by type: what their keywords say ([SchemaKeywords]) and what they combine ([SchemaApplicators]), brought to [Cases]
/// by [SchemaAlgebra]. Each schema is looked at one level deep; what stands below is looked at when it is asked for, so that schemas may
/// refer to themselves.
final class SchemaNormalizer {
    private static final int MAX_SCHEMAS = 20_000;
    /// Keywords that say nothing about what is valid.
    private static final Set<String> ANNOTATIONS = Set.of("$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary", "$comment", "$defs", "definitions",
            "title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "contentMediaType", "contentEncoding",
            "contentSchema");
    private static final Set<String> CONTEXT = Set.of("$dynamicRef", "$recursiveRef", "unevaluatedItems", "unevaluatedProperties");

    private final SchemaDocument document;
    private final SchemaKeywords keywords;
    private final SchemaApplicators applicators;
    private final JsonNumbers numbers;
    private final SchemaAlgebra algebra;
    private final Map<Schema, Cases> known = new HashMap<>();
    private final Set<Schema> underWay = new HashSet<>();
    private final Set<String> notes = new TreeSet<>();

    SchemaNormalizer(SchemaDocument document, JsonText text) {
        this.document = document;
        numbers = new JsonNumbers(text);
        algebra = new SchemaAlgebra(text, this);
        keywords = new SchemaKeywords(text, numbers, algebra, this, notes);
        applicators = new SchemaApplicators(document, algebra, this);
    }

    /// What is not enforced, being an annotation.
    List<String> notes() {
        return List.copyOf(notes);
    }

    SchemaAlgebra algebra() {
        return algebra;
    }

    /// What a schema allows.
    ///
    /// @throws UnsupportedSchemaException if that cannot be said
    Cases cases(Schema schema) {
        Cases found = known.get(schema);
        if (found != null) {
            return found;
        }
        if (known.size() > MAX_SCHEMAS) {
            throw new UnsupportedSchemaException("the schema", pointer(schema), "more than " + MAX_SCHEMAS + " schemas come of it",
                    "combine fewer schemas");
        }
        if (!underWay.add(schema)) {
            throw new UnsupportedSchemaException("$ref", pointer(schema), "it leads to itself and to nothing else", "let it lead to a schema");
        }
        try {
            found = switch (schema) {
                case At at -> read(at);
                case Schema.Value(JsonNode value) -> algebra.value(value, numbers);
                case Schema.Known(Cases cases) -> cases;
                case Schema.AllOf(Set<Schema> parts) -> {
                    Cases all = algebra.any();
                    for (Schema part : parts) {
                        all = algebra.intersect(all, cases(part), pointer(schema));
                    }
                    yield all;
                }
                case Schema.AnyOf(Set<Schema> parts) -> algebra.union(parts.stream().map(this::cases).toList());
                case Schema.Not(Schema of) -> algebra.negate(cases(of), pointer(of));
            };
        } finally {
            underWay.remove(schema);
        }
        known.put(schema, found);
        return found;
    }

    /// What a schema allows, null if that cannot be said, or not yet.
    Cases casesIfKnowable(Schema schema) {
        try {
            return isUnderWay(schema) ? null : cases(schema);
        } catch (UnsupportedSchemaException _) {
            return null; // said when it is needed
        }
    }

    private boolean isUnderWay(Schema schema) {
        return underWay.contains(schema);
    }

    /// Where a schema stands, or the first of its parts.
    static String pointer(Schema schema) {
        return switch (schema) {
            case At at -> at.pointer();
            case Schema.Value _, Schema.Known _ -> "";
            case Schema.AllOf(Set<Schema> parts) -> parts.isEmpty() ? "" : pointer(parts.iterator().next());
            case Schema.AnyOf(Set<Schema> parts) -> parts.isEmpty() ? "" : pointer(parts.iterator().next());
            case Schema.Not(Schema of) -> pointer(of);
        };
    }

    private Cases read(At at) {
        JsonNode node = at.node();
        if (node.isBoolean()) {
            return node.booleanValue() ? algebra.any() : Cases.NONE;
        }
        if (!node.isObject()) {
            throw new IllegalArgumentException("JSON Schema: found " + node + " at " + at.pointer() + ", expected an object or a boolean");
        }
        if (node.has("$ref") && document.referencesStandAlone()) {
            return cases(applicators.reference(at));
        }
        for (Map.Entry<String, JsonNode> each : node.properties()) {
            check(at, each.getKey(), each.getValue());
        }
        try {
            Cases all = keywords.read(at);
            for (Schema each : applicators.of(at)) {
                all = algebra.intersect(all, cases(each), at.pointer());
            }
            return all;
        } catch (UnsupportedSchemaException e) {
            throw e;
        } catch (IllegalArgumentException e) {
            if (e.getMessage().startsWith("JSON Schema")) {
                throw e;
            }
            throw new UnsupportedSchemaException("what is combined", at.pointer(), e.getMessage(), "combine fewer or simpler schemas");
        }
    }

    private void check(At at, String keyword, JsonNode value) {
        if (CONTEXT.contains(keyword) && !(value.isBoolean() && value.booleanValue())
                && !(keyword.equals("unevaluatedProperties") && SchemaApplicators.IN_PLACE.stream().noneMatch(at.node()::has))) {
            throw new UnsupportedSchemaException(keyword, at.pointer(), "it depends on what other keywords looked at",
                    keyword.startsWith("$") ? "use $ref" : "use additionalProperties or items, in each alternative");
        }
        if (!SchemaKeywords.NAMES.contains(keyword) && !SchemaApplicators.NAMES.contains(keyword) && !ANNOTATIONS.contains(keyword)
                && !CONTEXT.contains(keyword)) {
            notes.add("unknown keyword " + keyword + " at " + (at.pointer().isEmpty() ? "the root" : at.pointer()) + " is an annotation");
        }
    }
}
