package org.gatun.template;

import java.math.BigInteger;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.gatun.template.Value.Bool;
import org.gatun.template.Value.Dict;
import org.gatun.template.Value.Int;
import org.gatun.template.Value.None;
import org.gatun.template.Value.Real;
import org.gatun.template.Value.Sequence;
import org.gatun.template.Value.Text;

/// A template in Jinja's language, as transformers reads chat templates: `trim_blocks` and `lstrip_blocks` are on, `break`,
/// `continue` and `generation` are there, values cannot be changed, `tojson` writes plain JSON, and there are
/// `raise_exception` and `strftime_now`. What reads other files (`include`, `import`, `extends`) is refused.
///
/// Immutable, shared by threads. A rendering takes at most some seconds, 32 MB and 64 bytes for each byte given, and hears
/// an interrupt, whatever the template does; see `docs/decisions/chat-templates.md`.
public final class Template {
    private static final int MAX_CHARACTERS = 1_000_000;

    private final Parser.Tree tree;

    private Template(Parser.Tree tree) {
        this.tree = tree;
    }

    /// @throws IllegalArgumentException if it is not Jinja, or uses what Gatun has not: line and construct are named
    public static Template parse(String source) {
        if (source.length() > MAX_CHARACTERS) {
            throw new IllegalArgumentException(source.length() + " characters: expected at most " + MAX_CHARACTERS);
        }
        try {
            return new Template(new Parser(new Lexer(source).tokens()).parse());
        } catch (Refusal e) {
            throw new IllegalArgumentException(e.report());
        } catch (StackOverflowError e) {
            throw new IllegalArgumentException("nested deeper than the stack of this thread", e);
        }
    }

    /// The text for these values.
    ///
    /// @param values what names in the template mean: `null`, strings, booleans, integers of at most 4,300 digits,
    ///        numbers with a point of 64 bits, lists, and maps whose keys are strings
    /// @param clock what `strftime_now` asks
    /// @throws IllegalArgumentException if the template refuses the values, does what cannot be done, or takes too much; or
    ///         if a value is of another kind
    public String render(Map<String, ?> values, Supplier<LocalDateTime> clock) {
        Budget budget = new Budget();
        Operators operators = new Operators(budget);
        Scope functions = new Scope(null);
        new Functions(operators, clock).defineIn(functions);
        Scope scope = new Scope(functions);
        try {
            values.forEach((name, value) -> scope.set(name, value(value, budget)));
            return new Evaluator(operators).render(tree, scope);
        } catch (Refusal e) {
            throw new IllegalArgumentException(e.report());
        } catch (StackOverflowError e) { // how deep a thread can go is its caller's choice; nothing outlives the rendering
            throw new IllegalArgumentException("nested deeper than the stack of this thread", e);
        }
    }

    private static Value value(Object given, Budget budget) {
        budget.given(Long.BYTES);
        return switch (given) {
            case null -> None.NONE;
            case String text -> {
                budget.given(2L * text.length());
                yield new Text(text);
            }
            case Boolean flag -> Bool.of(flag);
            case Long number -> new Int(number);
            case BigInteger number -> {
                budget.given(number.bitLength() / Byte.SIZE);
                yield new Int(Integers.bounded(number));
            }
            case Integer number -> new Int(number);
            case Short number -> new Int(number);
            case Byte number -> new Int(number);
            case Double number -> new Real(number);
            case Float number -> new Real(number);
            case List<?> list -> {
                budget.enter();
                List<Value> elements = new ArrayList<>(list.size());
                list.forEach(element -> elements.add(value(element, budget)));
                budget.leave();
                yield Sequence.list(elements);
            }
            case Map<?, ?> map -> {
                budget.enter();
                Dict.Builder dict = new Dict.Builder();
                map.forEach((key, element) -> {
                    if (!(key instanceof String name)) {
                        throw new Refusal("a key is no string, but " + key);
                    }
                    budget.given(2L * name.length());
                    dict.put(name, value(element, budget));
                });
                budget.leave();
                yield dict.build();
            }
            default -> throw new Refusal("a value is a " + given.getClass().getSimpleName()
                    + ": expected a string, a boolean, an integer, a double, a list or a map");
        };
    }
}
