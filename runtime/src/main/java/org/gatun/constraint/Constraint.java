package org.gatun.constraint;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import org.gatun.tokenizer.Tokenizer;

/// What a text must be: any JSON, a JSON text that a schema allows, a match of a regular expression, or one of some choices. Immutable.
///
/// [#compile] makes it ready for the tokens of a tokenizer; decoding with the result writes nothing else.
public final class Constraint {
    private static final int MAX_DEPTH = 400;

    private final String description;
    private final Language language;
    private final int maxDepth;

    /// Writes a grammar.
    private interface Language {
        /// @param grammar empty
        Written write(Grammar.Builder grammar);
    }

    /// A grammar, the characters that slices are made of, and what is not enforced.
    record Written(Grammar grammar, int[] units, List<String> notes) {}

    private Constraint(String description, Language language, int maxDepth) {
        this.description = description;
        this.language = language;
        this.maxDepth = maxDepth;
    }

    private Constraint(String description, Language language) {
        this(description, language, MAX_DEPTH);
    }

    /// The same, for texts of another depth.
    ///
    /// @param levels most rules that are under way within each other; a list or an object of JSON takes one where it is the last part of
    ///         what it is in, else two. 400 if nothing is said, so that readers of JSON go as deep. The memory of a text grows with its depth.
    /// @throws IllegalArgumentException if it is not positive
    public Constraint withMaxDepth(int levels) {
        if (levels < 1) {
            throw new IllegalArgumentException("a constraint of at most " + levels + " levels: expected 1 or more");
        }
        return new Constraint(description, language, levels);
    }

    /// Any JSON value, as RFC 8259 has it.
    public static Constraint json() {
        return new Constraint("json", grammar -> {
            JsonText text = new JsonText(grammar.regexes(), true);
            JsonRules rules = new JsonRules(grammar, text);
            return new Written(grammar.build(rules.value, text.space), new int[] {text.anyCharacter}, List.of());
        });
    }

    /// A JSON text that a schema allows, as [SchemaOptions#STANDARD] has it.
    ///
    /// @param schema JSON Schema, draft 4 to 2020-12
    public static Constraint jsonSchema(String schema) {
        return jsonSchema(schema, SchemaOptions.STANDARD);
    }

    /// A JSON text that a schema allows. What a keyword asks for is enforced, or the schema is refused when it is compiled; what is an annotation
    /// because it is not known is told by [CompiledConstraint#notes].
    ///
    /// @param schema JSON Schema, draft 4 to 2020-12
    public static Constraint jsonSchema(String schema, SchemaOptions options) {
        Objects.requireNonNull(schema);
        Objects.requireNonNull(options);
        return new Constraint("JSON Schema", grammar -> SchemaCompiler.compile(schema, options, grammar));
    }

    /// A text that a regular expression matches as a whole.
    ///
    /// @param expression of ECMA-262, without look-around, word boundaries and back references
    public static Constraint regex(String expression) {
        Objects.requireNonNull(expression);
        return new Constraint("regex " + expression,
                grammar -> ofText(RegexSyntax.whole(expression, grammar.regexes(), set -> set.utf8(grammar.regexes())), grammar));
    }

    /// One of some texts.
    ///
    /// @throws IllegalArgumentException if there is none, or one is empty
    public static Constraint choices(List<String> choices) {
        List<String> texts = List.copyOf(choices);
        if (texts.isEmpty() || texts.contains("")) {
            throw new IllegalArgumentException(texts.isEmpty() ? "no choices: expected one text at least"
                    : "a choice is empty: expected one character at least");
        }
        return new Constraint(texts.size() + " choices", grammar -> ofText(grammar.regexes().union(texts.stream()
                .mapToInt(each -> grammar.regexes().literal(each.getBytes(StandardCharsets.UTF_8))).toArray()), grammar));
    }

    private static Written ofText(int regex, Grammar.Builder grammar) {
        Regexes regexes = grammar.regexes();
        int rule = grammar.rule();
        if (regexes.isNullable(regex)) {
            grammar.add(rule);
        }
        grammar.add(rule, grammar.lexeme(regex));
        return new Written(grammar.build(rule, Regexes.EPSILON), new int[] {RegexSyntax.DOT.utf8(regexes)}, List.of());
    }

    /// Makes it ready for the tokens of a tokenizer, which are sorted first: with several constraints, make a [TokenTrie] once.
    ///
    /// @throws IllegalArgumentException as [#compile(TokenTrie)]
    public CompiledConstraint compile(Tokenizer tokenizer) {
        return compile(TokenTrie.of(tokenizer));
    }

    /// Makes it ready for some tokens.
    ///
    /// @throws UnsupportedSchemaException if a schema asks for what cannot be enforced
    /// @throws IllegalArgumentException if the schema or expression is malformed or not supported, or no text is valid
    public CompiledConstraint compile(TokenTrie tokens) {
        Written written = language.write(new Grammar.Builder(new Regexes(), description));
        return new CompiledConstraint(description, written.grammar(), tokens, written.units(), written.notes(), maxDepth);
    }

    @Override
    public String toString() {
        return description;
    }
}
