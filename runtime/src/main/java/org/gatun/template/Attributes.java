package org.gatun.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.gatun.template.Value.Blocks;
import org.gatun.template.Value.Bool;
import org.gatun.template.Value.Callable;
import org.gatun.template.Value.Cycler;
import org.gatun.template.Value.Dict;
import org.gatun.template.Value.Int;
import org.gatun.template.Value.Joiner;
import org.gatun.template.Value.Loop;
import org.gatun.template.Value.Macro;
import org.gatun.template.Value.Namespace;
import org.gatun.template.Value.None;
import org.gatun.template.Value.Range;
import org.gatun.template.Value.Real;
import org.gatun.template.Value.Sequence;
import org.gatun.template.Value.SequenceKind;
import org.gatun.template.Value.Stream;
import org.gatun.template.Value.Text;
import org.gatun.template.Value.Undefined;
import org.gatun.template.Value.View;
import org.gatun.template.Value.ViewKind;

/// What stands after a point or in brackets behind a value: its attributes and methods, and its elements. Methods that
/// would change a value are not there.
final class Attributes implements Formats.Access {
    private static final Set<String> CHANGING_LISTS = Set.of("append", "clear", "extend", "insert", "pop", "remove",
            "reverse", "sort");
    private static final Set<String> CHANGING_MAPS = Set.of("clear", "pop", "popitem", "setdefault", "update");

    private final Operators operators;
    private final TextMethods textMethods;

    Attributes(Operators operators) {
        this.operators = operators;
        textMethods = new TextMethods(operators, this);
    }

    TextMethods textMethods() {
        return textMethods;
    }

    /// `base.name`: an attribute, or else the element.
    @Override
    public Value attribute(Value base, String name) {
        Operators.demandDefined(base);
        Value own = own(base, name);
        if (own != null) {
            return own;
        }
        Value element = operators.element(base, new Text(name));
        return element != null ? element : missing(base, name);
    }

    /// `base[index]`: an element, or else the attribute.
    @Override
    public Value element(Value base, Value index) {
        Value element = operators.element(base, index);
        if (element != null) {
            return element;
        }
        Value own = index instanceof Text name ? own(base, name.value()) : null;
        return own != null ? own : missing(base, operators.printer().str(index));
    }

    private static Undefined missing(Value base, String name) {
        return new Undefined(Operators.type(base) + " has no '" + (name.length() > 60 ? name.substring(0, 60) + "…" : name) + "'");
    }

    private static Undefined changing(Value base, String name) {
        return new Undefined("'" + name + "' would change " + Operators.type(base) + ": values cannot be changed");
    }

    /// The attribute or method, null if there is none.
    Value own(Value base, String name) {
        return switch (base) {
            case Text text -> TextMethods.has(text, name)
                    ? method(name, arguments -> textMethods.call(text, name, arguments)) : null;
            case Dict dict -> CHANGING_MAPS.contains(name) ? changing(base, name) : ofDict(dict, name);
            case Sequence sequence -> sequence.isList() && CHANGING_LISTS.contains(name) ? changing(base, name)
                    : ofSequence(sequence, name);
            case Range range -> switch (name) {
                case "start" -> new Int(range.start());
                case "stop" -> new Int(range.stop());
                case "step" -> new Int(range.step());
                case "index" -> method(name, arguments -> index(operators.elements(range), arguments));
                case "count" -> method(name, arguments -> count(operators.elements(range), arguments));
                default -> null;
            };
            case Int _, Bool _ -> ofInteger(Operators.integral(base), name);
            case Real real -> ofReal(real, name);
            case View view -> ofView(view, name);
            case Joiner joiner -> switch (name) {
                case "sep" -> joiner.separator();
                case "used" -> Bool.of(joiner.wasUsed());
                default -> null;
            };
            case Namespace namespace -> namespace.attributes().get(name);
            case Loop loop -> ofLoop(loop, name);
            case Cycler cycler -> switch (name) {
                case "items" -> Sequence.tuple(cycler.values());
                case "pos" -> new Int(cycler.position());
                case "current" -> cycler.current();
                case "next" -> method(name, _ -> cycler.next());
                case "reset" -> method(name, _ -> {
                    cycler.reset();
                    return None.NONE;
                });
                default -> null;
            };
            case Macro macro -> switch (name) {
                case "name" -> macro.name().isEmpty() ? None.NONE : new Text(macro.name());
                case "arguments" -> Sequence.tuple(macro.parameters().stream().map(parameter -> (Value) new Text(parameter)).toList());
                case "catch_kwargs" -> Bool.of(macro.hasMoreNamed());
                case "catch_varargs" -> Bool.of(macro.hasMore());
                case "caller" -> Bool.of(macro.hasCaller());
                case "explicit_caller" -> Bool.of(macro.parameters().contains("caller"));
                default -> null;
            };
            case Blocks blocks -> blocks.functions().get(name);
            case None _, Undefined _, Stream _, Callable _ -> null;
        };
    }

    private static Callable method(String name, Function<Arguments, Value> body) {
        return new Callable(name, body);
    }

    private static Callable constant(String name, Value value) {
        return method(name, arguments -> {
            arguments.bind(0);
            return value;
        });
    }

    private static Value ofInteger(BigInteger integer, String name) {
        return switch (name) {
            case "real", "numerator" -> new Int(integer);
            case "imag" -> new Int(0);
            case "denominator" -> new Int(1);
            case "conjugate" -> constant(name, new Int(integer));
            case "as_integer_ratio" -> constant(name, Sequence.tuple(new Int(integer), new Int(1)));
            case "is_integer" -> constant(name, Bool.TRUE);
            case "bit_length" -> constant(name, new Int(integer.abs().bitLength()));
            case "bit_count" -> constant(name, new Int(integer.abs().bitCount()));
            case "to_bytes", "from_bytes" -> throw new Refusal(name + " is not supported: templates have no bytes");
            default -> null;
        };
    }

    private static Value ofReal(Real real, String name) {
        return switch (name) {
            case "real" -> real;
            case "imag" -> new Real(0);
            case "conjugate" -> constant(name, real);
            case "is_integer" -> constant(name, Bool.of(real.value() == Math.rint(real.value()) && !Double.isInfinite(real.value())));
            case "as_integer_ratio" -> method(name, arguments -> {
                arguments.bind(0);
                Integers.truncated(real.value());
                BigDecimal exact = new BigDecimal(real.value());
                BigInteger digits = exact.unscaledValue();
                BigInteger power = BigInteger.TEN.pow(Math.max(0, exact.scale()));
                BigInteger common = digits.gcd(power);
                return Sequence.tuple(new Int(digits.divide(common)), new Int(power.divide(common)));
            });
            case "hex", "fromhex" -> throw new Refusal(name + " is not supported");
            default -> null;
        };
    }

    private Value ofView(View view, String name) {
        return switch (name) {
            case "mapping" -> throw new Refusal("mapping of a view is not supported");
            case "isdisjoint" -> view.kind() == ViewKind.VALUES ? null : method(name, arguments -> {
                for (Iterator<Value> others = operators.iterate(arguments.only("other")); others.hasNext();) {
                    if (operators.contains(view, others.next())) {
                        return Bool.FALSE;
                    }
                }
                return Bool.TRUE;
            });
            default -> null;
        };
    }

    private Value ofDict(Dict dict, String name) {
        return switch (name) {
            case "get" -> method(name, arguments -> {
                Value[] bound = arguments.bind(1, "key", "default");
                Value value = dict.get(operators.hash(bound[0]));
                return value != null ? value : bound[1] != null ? bound[1] : None.NONE;
            });
            case "items" -> method(name, arguments -> view(ViewKind.ITEMS, dict, arguments));
            case "keys" -> method(name, arguments -> view(ViewKind.KEYS, dict, arguments));
            case "values" -> method(name, arguments -> view(ViewKind.VALUES, dict, arguments));
            case "copy" -> constant(name, dict);
            case "fromkeys" -> method(name, arguments -> {
                Value[] bound = arguments.bind(1, "iterable", "value");
                Dict.Builder made = new Dict.Builder();
                for (Iterator<Value> keys = operators.iterate(bound[0]); keys.hasNext();) {
                    Value key = keys.next();
                    operators.budget().map(1);
                    made.put(operators.hash(key), key, bound[1] == null ? None.NONE : bound[1]);
                }
                return made.build();
            });
            default -> null;
        };
    }

    private static View view(ViewKind kind, Dict dict, Arguments arguments) {
        arguments.bind(0);
        return new View(kind, dict);
    }

    private Value ofSequence(Sequence sequence, String name) {
        if (sequence.kind() == SequenceKind.GROUP && name.equals("grouper")) {
            return sequence.elements().getFirst();
        }
        if (sequence.kind() == SequenceKind.GROUP && name.equals("list")) {
            return sequence.elements().getLast();
        }
        return switch (name) {
            case "index" -> method(name, arguments -> index(sequence.elements(), arguments));
            case "count" -> method(name, arguments -> count(sequence.elements(), arguments));
            case "copy" -> sequence.isList() ? constant(name, sequence) : null;
            default -> null;
        };
    }

    private Int index(List<Value> elements, Arguments arguments) {
        Value[] bound = arguments.bind(1, "value", "start", "end");
        int size = elements.size();
        long from = bound[1] == null ? 0 : operators.clamped(bound[1], "index: start");
        long to = bound[2] == null ? size : operators.clamped(bound[2], "index: end");
        from = Math.max(0, from < 0 ? from + size : from);
        to = Math.min(size, to < 0 ? to + size : to);
        for (long i = from; i < to; i++) {
            operators.budget().work(1);
            if (operators.areEqual(elements.get((int) i), bound[0])) {
                return new Int(i);
            }
        }
        throw new Refusal("index: not in the list");
    }

    private Int count(List<Value> elements, Arguments arguments) {
        Value wanted = arguments.only("value");
        long count = 0;
        for (Iterator<Value> more = elements.iterator(); more.hasNext();) {
            operators.budget().work(1);
            count += operators.areEqual(more.next(), wanted) ? 1 : 0;
        }
        return new Int(count);
    }

    private Value ofLoop(Loop loop, String name) {
        return switch (name) {
            case "index" -> new Int(loop.index0() + 1L);
            case "index0" -> new Int(loop.index0());
            case "revindex" -> new Int(loop.length(operators.budget()) - loop.index0());
            case "revindex0" -> new Int(loop.length(operators.budget()) - loop.index0() - 1L);
            case "first" -> Bool.of(loop.index0() == 0);
            case "last" -> Bool.of(loop.peek() == null);
            case "length" -> new Int(loop.length(operators.budget()));
            case "depth" -> new Int(loop.depth0() + 1L);
            case "depth0" -> new Int(loop.depth0());
            case "previtem" -> loop.before() == null ? new Undefined("there is no previous item") : loop.before();
            case "nextitem" -> loop.peek() == null ? new Undefined("there is no next item") : loop.peek();
            case "cycle" -> method(name, arguments -> {
                if (arguments.positional().isEmpty()) {
                    throw new Refusal("cycle: expected what to cycle through");
                }
                return arguments.positional().get(loop.index0() % arguments.positional().size());
            });
            case "changed" -> method(name, arguments -> {
                Value now = Sequence.tuple(arguments.positional());
                boolean isChanged = loop.seen() == null || !operators.areEqual(loop.seen(), now);
                loop.see(now);
                return Bool.of(isChanged);
            });
            default -> null;
        };
    }
}
