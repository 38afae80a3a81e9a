package org.gatun.constraint;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import org.gatun.constraint.Constraint.Written;
import org.gatun.constraint.Schema.ArrayCase;
import org.gatun.constraint.Schema.Cases;
import org.gatun.constraint.Schema.ObjectCase;

/// Writes a grammar of the documents that a JSON Schema allows: one rule a schema, found by what it is ([Schema]), lists and objects as
/// rules that call themselves at their end.
final class SchemaCompiler {
    /// Most rules, so that hostile schemas end.
    private static final int MAX_RULES = 200_000;

    private final SchemaOptions options;
    private final Grammar.Builder grammar;
    private final JsonText text;
    private final JsonRules json;
    private final SchemaDocument document;
    private final SchemaNormalizer normalizer;
    private final Map<Schema, Integer> symbols = new HashMap<>();
    private final Deque<Runnable> open = new ArrayDeque<>();

    private SchemaCompiler(String schema, SchemaOptions options, Grammar.Builder grammar) {
        this.options = options;
        this.grammar = grammar;
        text = new JsonText(grammar.regexes(), options.whitespace() == SchemaOptions.Whitespace.FLEXIBLE);
        json = new JsonRules(grammar, text);
        document = new SchemaDocument(schema);
        normalizer = new SchemaNormalizer(document, text);
    }

    /// The grammar of a schema.
    ///
    /// @param grammar empty
    /// @throws UnsupportedSchemaException if it asks for what cannot be enforced
    /// @throws IllegalArgumentException if it is no schema, or allows nothing
    static Written compile(String schema, SchemaOptions options, Grammar.Builder grammar) {
        return new SchemaCompiler(schema, options, grammar).compile();
    }

    private Written compile() {
        int root = grammar.rule();
        grammar.add(root, symbol(document.root()));
        while (!open.isEmpty()) {
            if (grammar.ruleCount() > MAX_RULES) {
                throw new UnsupportedSchemaException("the schema", "", "it makes more than " + MAX_RULES + " rules", "combine fewer schemas");
            }
            open.pop().run();
        }
        return new Written(grammar.build(root, text.space), new int[] {text.anyCharacter, text.plainCharacter}, normalizer.notes());
    }

    Grammar.Builder grammar() {
        return grammar;
    }

    JsonText text() {
        return text;
    }

    JsonRules json() {
        return json;
    }

    SchemaNormalizer normalizer() {
        return normalizer;
    }

    SchemaOptions options() {
        return options;
    }

    /// The symbol of a schema; what it is gets written later.
    int symbol(Schema schema) {
        if (schema.equals(Schema.ANY)) {
            return grammar.call(json.value);
        }
        Integer known = symbols.get(schema);
        if (known == null) {
            int rule = grammar.rule();
            known = grammar.call(rule);
            symbols.put(schema, known);
            open.push(() -> write(rule, schema));
        }
        return known;
    }

    private void write(int rule, Schema schema) {
        Cases cases = normalizer.cases(schema);
        for (int scalar : new int[] {cases.words(), cases.numbers(), cases.strings()}) {
            if (scalar != Regexes.EMPTY) {
                grammar.add(rule, grammar.lexeme(scalar));
            }
        }
        String place = SchemaNormalizer.pointer(schema);
        for (ArrayCase each : cases.arrays()) {
            if (each.equals(ArrayCase.ANY)) {
                grammar.add(rule, grammar.call(json.array));
            } else {
                new ArrayRules(this, each, place).write(rule);
            }
        }
        for (ObjectCase each : cases.objects()) {
            if (each.named().isEmpty() && each.equals(normalizer.algebra().anyObject())) {
                grammar.add(rule, grammar.call(json.object));
            } else {
                normalizer.algebra().withoutSomeNamed(each).forEach(object -> new ObjectRules(this, object, place).write(rule));
            }
        }
    }
}
