package org.gatun.template;

import java.time.LocalDateTime;
import java.util.function.Function;
import java.util.function.Supplier;
import org.gatun.template.Value.Callable;
import org.gatun.template.Value.Cycler;
import org.gatun.template.Value.Dict;
import org.gatun.template.Value.Int;
import org.gatun.template.Value.Joiner;
import org.gatun.template.Value.Namespace;
import org.gatun.template.Value.Range;
import org.gatun.template.Value.Sequence;
import org.gatun.template.Value.Text;

/// The functions that every template has.
final class Functions {
    private static final int MAX_RANGE = 100_000;

    private final Operators operators;
    private final Supplier<LocalDateTime> clock;

    Functions(Operators operators, Supplier<LocalDateTime> clock) {
        this.operators = operators;
        this.clock = clock;
    }

    void defineIn(Scope scope) {
        define(scope, "range", this::range);
        define(scope, "dict", arguments -> dict(arguments).build());
        define(scope, "namespace", arguments -> {
            Namespace namespace = new Namespace();
            dict(arguments).build().entries().values().forEach(
                    entry -> namespace.attributes().put(operators.string(entry.key(), "namespace: a name"), entry.value()));
            return namespace;
        });
        define(scope, "cycler", arguments -> {
            if (arguments.positional().isEmpty()) {
                throw new Refusal("cycler: expected what to cycle through");
            }
            return new Cycler(arguments.positional());
        });
        define(scope, "joiner", arguments -> {
            Value separator = arguments.bind(0, "sep")[0];
            return new Joiner(separator == null ? new Text(", ") : separator);
        });
        define(scope, "raise_exception", arguments -> {
            throw Refusal.raisedByTemplate(operators.str(arguments.only("message")).value());
        });
        define(scope, "lipsum", _ -> {
            throw new Refusal("lipsum is not supported: a template gives the same text each time");
        });
        define(scope, "strftime_now", arguments -> {
            String format = operators.string(arguments.only("format"), "strftime_now: the format");
            operators.budget().text(30L * format.length());
            return new Text(Dates.format(clock.get(), format));
        });
    }

    private static void define(Scope scope, String name, Function<Arguments, Value> body) {
        scope.set(name, new Callable(name, body));
    }

    private Range range(Arguments arguments) {
        Value[] bound = arguments.bind(1, "start", "stop", "step");
        boolean hasStart = bound[1] != null;
        Range range = new Range(hasStart ? bound(bound[0]) : 0, bound(hasStart ? bound[1] : bound[0]),
                bound[2] == null ? 1 : bound(bound[2]));
        if (range.step() == 0) {
            throw new Refusal("range: the step is 0");
        }
        long span = range.step() > 0 ? range.stop() - range.start() : range.start() - range.stop();
        if (span / Math.abs(range.step()) > MAX_RANGE) {
            throw new Refusal("range: more than " + MAX_RANGE + " elements");
        }
        return range;
    }

    private long bound(Value value) {
        long bound = operators.integer(value, "range: a bound");
        if (bound > Range.MAX_BOUND || bound < -Range.MAX_BOUND) {
            throw new Refusal("range: the bound " + bound + " is too large");
        }
        return bound;
    }

    /// A map of a map or of pairs, and of arguments with names.
    private Dict.Builder dict(Arguments arguments) {
        Dict.Builder dict = new Dict.Builder();
        if (arguments.positional().size() > 1) {
            throw new Refusal(arguments.function() + ": expected one argument without a name at most");
        }
        for (Value given : arguments.positional()) {
            Operators.demandDefined(given);
            if (given instanceof Dict other) {
                operators.budget().map(other.size());
                dict.putAll(other);
            } else {
                for (Value pair : operators.elements(given)) {
                    var both = operators.elements(pair);
                    if (both.size() != 2) {
                        throw new Refusal(arguments.function() + ": expected pairs, found " + both.size() + " elements");
                    }
                    operators.budget().map(1);
                    dict.put(operators.hash(both.get(0)), both.get(0), both.get(1));
                }
            }
        }
        operators.budget().map(arguments.named().size());
        arguments.named().forEach(dict::put);
        return dict;
    }
}
