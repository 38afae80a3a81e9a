package org.gatun.constraint;

import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// A schema's text: its parts by JSON pointer, and where its references lead. References are followed within the document only;
/// nothing is ever fetched.
final class SchemaDocument {
    private static final int MAX_DEPTH = 200;
    private static final int MAX_CHARACTERS = 16 << 20;
    private static final Pattern OLD_DRAFT = Pattern.compile("draft-0?[34567]/");
    private static final JsonMapper JSON = JsonMapper.builder(JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH).build()).build())
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS).enable(DeserializationFeature.USE_BIG_INTEGER_FOR_INTS)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

    private final JsonNode root;
    private final boolean oldDraft;
    private final Map<String, String> pointersById = new HashMap<>();   // of resources and anchors
    private final Map<String, String> idsByPointer = new HashMap<>();   // of resources

    /// @throws IllegalArgumentException if it is not JSON or no schema
    SchemaDocument(String text) {
        if (text.length() > MAX_CHARACTERS) {
            throw new IllegalArgumentException("JSON Schema of " + text.length() + " characters: expected at most " + MAX_CHARACTERS);
        }
        try {
            root = JSON.readTree(text);
        } catch (JacksonException e) {
            throw new IllegalArgumentException("JSON Schema: found no JSON (" + e.getOriginalMessage() + ")", e);
        }
        if (!root.isObject() && !root.isBoolean()) {
            throw new IllegalArgumentException("JSON Schema: found " + root.getNodeType() + ", expected an object or a boolean");
        }
        oldDraft = OLD_DRAFT.matcher(root.path("$schema").asString("")).find();
        idsByPointer.put("", "");
        pointersById.put("", "");
        collect(root, "", "");
    }

    private void collect(JsonNode node, String pointer, String base) {
        String inner = base;
        if (node.isObject()) {
            String id = node.path("$id").asString(node.path("id").asString(""));
            if (!id.isEmpty() && !(oldDraft && node.has("$ref"))) {
                String resolved = resolve(base, id);
                if (!id.startsWith("#")) {
                    inner = withoutFragment(resolved);
                    idsByPointer.put(pointer, inner);
                    pointersById.putIfAbsent(inner, pointer);
                } else {
                    pointersById.putIfAbsent(resolved, pointer);
                }
            }
            for (String keyword : new String[] {"$anchor", "$dynamicAnchor"}) {
                String anchor = node.path(keyword).asString("");
                if (!anchor.isEmpty()) {
                    pointersById.putIfAbsent(inner + "#" + anchor, pointer);
                }
            }
            for (Map.Entry<String, JsonNode> field : node.properties()) {
                if (!field.getKey().equals("enum") && !field.getKey().equals("const")) {
                    collect(field.getValue(), child(pointer, field.getKey()), inner);
                }
            }
        } else if (node.isArray()) {
            for (int i = 0; i < node.size(); i++) {
                collect(node.get(i), pointer + "/" + i, inner);
            }
        }
    }

    private static String resolve(String base, String reference) {
        try {
            return reference.startsWith("#") ? withoutFragment(base) + reference
                    : base.isEmpty() ? reference : URI.create(base).resolve(reference).toString();
        } catch (IllegalArgumentException _) {
            return reference; // no URI: found only as it is written
        }
    }

    private static String withoutFragment(String uri) {
        int hash = uri.indexOf('#');
        return hash < 0 ? uri : uri.substring(0, hash);
    }

    /// Pointer to a member.
    static String child(String pointer, String key) {
        return pointer + "/" + key.replace("~", "~0").replace("/", "~1");
    }

    /// All of it.
    Schema.At root() {
        return new Schema.At("", root);
    }

    /// Whether what stands beside a reference does not count, as up to draft 7.
    boolean referencesStandAlone() {
        return oldDraft;
    }

    /// Where a reference leads.
    ///
    /// @param pointer of the schema that has it
    /// @return empty if not to a place in this document
    Optional<String> follow(String reference, String pointer) {
        String enclosing = pointer;
        while (!idsByPointer.containsKey(enclosing)) {
            enclosing = enclosing.substring(0, enclosing.lastIndexOf('/'));
        }
        String target = resolve(idsByPointer.get(enclosing), reference);
        String resource = withoutFragment(target);
        String fragment = target.length() > resource.length() ? target.substring(resource.length() + 1) : "";
        String start = pointersById.get(resource);
        if (start == null) {
            return Optional.empty();
        }
        if (fragment.isEmpty() || fragment.startsWith("/")) {
            String found = start + decoded(fragment);
            return at(found).isMissingNode() ? Optional.empty() : Optional.of(found);
        }
        return Optional.ofNullable(pointersById.get(target));
    }

    private static String decoded(String fragment) {
        try {
            return URLDecoder.decode(fragment.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException _) {
            return fragment;
        }
    }

    /// The part at a pointer, a missing node if there is none.
    JsonNode at(String pointer) {
        try {
            return root.at(pointer);
        } catch (IllegalArgumentException _) {
            return root.path("\u0000 no such place");
        }
    }
}
