package org.gatun.template;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.gatun.template.Expression.CallArguments;
import org.gatun.template.Expression.Compared;
import org.gatun.template.Expression.Named;
import org.gatun.template.Statement.Applied;
import org.gatun.template.Statement.Branch;
import org.gatun.template.Statement.MacroBody;
import org.gatun.template.Statement.Parameter;
import org.gatun.template.Statement.Target;
import org.gatun.template.Value.Blocks;
import org.gatun.template.Value.Bool;
import org.gatun.template.Value.Callable;
import org.gatun.template.Value.Dict;
import org.gatun.template.Value.Joiner;
import org.gatun.template.Value.Loop;
import org.gatun.template.Value.Macro;
import org.gatun.template.Value.Namespace;
import org.gatun.template.Value.None;
import org.gatun.template.Value.Sequence;
import org.gatun.template.Value.Text;
import org.gatun.template.Value.Undefined;

/// Walks the tree of a template once, and writes its text.
final class Evaluator {
    /// How a statement ended.
    private enum Flow {
        ON, BREAK, CONTINUE
    }

    private final Budget budget;
    private final Operators operators;
    private final Attributes attributes;
    private final Tests tests;
    private final Filters filters;
    private StringBuilder out = new StringBuilder();
    /// Where in the template we are, for messages.
    private int line = 1;

    Evaluator(Operators operators) {
        this.operators = operators;
        budget = operators.budget();
        attributes = new Attributes(operators);
        tests = new Tests(operators);
        filters = new Filters(operators, attributes, tests);
    }

    /// @throws Refusal with its line
    String render(Parser.Tree tree, Scope scope) {
        Map<String, Callable> blocks = new LinkedHashMap<>();
        tree.blocks().forEach((name, body) -> blocks.put(name, new Callable(name, arguments -> {
            arguments.bind(0);
            return new Text(capture(body, new Scope(scope)).text());
        })));
        scope.set("self", new Blocks(blocks));
        try {
            execute(tree.body(), scope);
            return out.toString();
        } catch (Refusal e) {
            throw e.at(line);
        }
    }

    // Statements

    private Flow execute(List<Statement> body, Scope scope) {
        for (Statement statement : body) {
            Flow flow = execute(statement, scope);
            if (flow != Flow.ON) {
                return flow;
            }
        }
        return Flow.ON;
    }

    private Flow execute(Statement statement, Scope scope) {
        budget.enter();
        line = statement.line();
        Flow flow = Flow.ON;
        switch (statement) {
            case Statement.Data data -> write(data.text());
            case Statement.Output output -> write(operators.str(evaluate(output.value(), scope)).value());
            case Statement.If choice -> flow = choose(choice, scope);
            case Statement.For loop -> flow = loop(loop, scope);
            case Statement.Break _ -> flow = Flow.BREAK;
            case Statement.Continue _ -> flow = Flow.CONTINUE;
            case Statement.Set set -> assign(set.target(), evaluate(set.value(), scope), scope);
            case Statement.SetBlock set -> flow = setBlock(set, scope);
            case Statement.DefineMacro macro -> scope.set(macro.name(), macro(macro.name(), macro.macro(), scope));
            case Statement.CallBlock block -> callBlock(block, scope);
            case Statement.FilterBlock block -> flow = filterBlock(block, scope);
            case Statement.With with -> flow = with(with, scope);
            case Statement.Scoped scoped -> flow = execute(scoped.body(), new Scope(scope));
            case Statement.Block block -> flow = execute(block.body(), new Scope(block.isScoped() ? scope : scope.root()));
            case Statement.Autoescape escape -> flow = autoescape(escape, scope);
            case Statement.OtherFile other -> throw new Refusal("{% " + other.tag() + " %} reads another file: not supported");
        }
        budget.leave();
        return flow;
    }

    private void write(String text) {
        budget.bytes(6L * text.length());
        out.append(text);
    }

    /// What is written meanwhile, in place of the text.
    private record Captured(String text, Flow flow) {}

    private Captured capture(List<Statement> body, Scope scope) {
        StringBuilder outer = out;
        out = new StringBuilder();
        Flow flow = execute(body, scope);
        String text = out.toString();
        out = outer;
        budget.text(text.length());
        return new Captured(text, flow);
    }

    private Flow choose(Statement.If choice, Scope scope) {
        for (Branch branch : choice.branches()) {
            if (Operators.isTrue(evaluate(branch.test(), scope))) {
                return execute(branch.body(), scope);
            }
        }
        return execute(choice.otherwise(), scope);
    }

    private Flow loop(Statement.For loop, Scope scope) {
        return loop(loop, evaluate(loop.elements(), scope), scope, 0);
    }

    private Flow loop(Statement.For statement, Value elements, Scope scope, int depth0) {
        Iterator<Value> each = operators.iterate(elements);
        int length = operators.knownLength(elements);
        if (statement.condition().isPresent()) {
            Iterator<Value> all = each;
            length = -1;
            each = Value.Stream.of(budget, () -> {
                while (all.hasNext()) {
                    Value element = all.next();
                    Scope inner = new Scope(scope);
                    assign(statement.target(), element, inner);
                    if (Operators.isTrue(evaluate(statement.condition().get(), inner))) {
                        return element;
                    }
                }
                return null;
            });
        }
        Function<Value, Value> recurse = !statement.isRecursive() ? null : inner -> {
            StringBuilder outer = out;
            out = new StringBuilder();
            loop(statement, inner, scope, depth0 + 1);
            String text = out.toString();
            out = outer;
            return new Text(text);
        };
        Loop loop = new Loop(each, length, depth0, recurse);
        for (Value element = loop.advance(); element != null; element = loop.advance()) {
            budget.bytes(200);
            Scope inner = new Scope(scope);
            inner.set("loop", loop);
            assign(statement.target(), element, inner);
            if (execute(statement.body(), inner) == Flow.BREAK) {
                return Flow.ON;
            }
        }
        return loop.index0() < 0 ? execute(statement.otherwise(), new Scope(scope)) : Flow.ON;
    }

    private Flow setBlock(Statement.SetBlock set, Scope scope) {
        Captured captured = capture(set.body(), new Scope(scope));
        if (captured.flow() == Flow.ON) {
            assign(set.target(), filtered(captured.text(), set.filters(), scope), scope);
        }
        return captured.flow();
    }

    private Flow filterBlock(Statement.FilterBlock block, Scope scope) {
        Captured captured = capture(block.body(), new Scope(scope));
        if (captured.flow() == Flow.ON) {
            write(operators.str(filtered(captured.text(), block.filters(), scope)).value());
        }
        return captured.flow();
    }

    private Value filtered(String text, List<Applied> applied, Scope scope) {
        Value value = new Text(text);
        for (Applied filter : applied) {
            Arguments arguments = arguments(filter.name(), filter.arguments(), scope);
            line = filter.line();
            value = filters.apply(filter.name(), value, arguments);
        }
        return value;
    }

    private Flow with(Statement.With with, Scope scope) {
        Scope inner = new Scope(scope);
        for (int i = 0; i < with.targets().size(); i++) {
            assign(with.targets().get(i), evaluate(with.values().get(i), scope), inner);
        }
        return execute(with.body(), inner);
    }

    private Flow autoescape(Statement.Autoescape escape, Scope scope) {
        if (Operators.isTrue(evaluate(escape.isOn(), scope))) {
            throw new Refusal("{% autoescape %} is not supported, except for false");
        }
        return execute(escape.body(), new Scope(scope));
    }

    private void assign(Target target, Value value, Scope scope) {
        switch (target) {
            case Target.Variable variable -> scope.set(variable.name(), value);
            case Target.NamespaceAttribute attribute -> {
                if (!(scope.find(attribute.namespace()) instanceof Namespace namespace)) {
                    throw new Refusal(attribute.namespace() + "." + attribute.name() + ": only attributes of a namespace can be set");
                }
                namespace.attributes().put(attribute.name(), value);
            }
            case Target.Several several -> {
                List<Value> values = operators.elements(value);
                if (values.size() != several.targets().size()) {
                    throw new Refusal(values.size() + " values for " + several.targets().size() + " names");
                }
                for (int i = 0; i < values.size(); i++) {
                    assign(several.targets().get(i), values.get(i), scope);
                }
            }
        }
    }

    // Macros

    private Macro macro(String name, MacroBody body, Scope scope) {
        budget.bytes(200);
        List<String> parameters = body.parameters().stream().map(Parameter::name).toList();
        return new Macro(name, parameters, body.usesKwargs(), body.usesVarargs(), body.usesCaller(),
                arguments -> callMacro(name, body, arguments, scope));
    }

    private Value callMacro(String name, MacroBody macro, Arguments arguments, Scope scope) {
        Scope inner = new Scope(scope);
        Map<String, Value> named = new LinkedHashMap<>(arguments.named());
        List<Value> positional = arguments.positional();
        int parameters = macro.parameters().size();
        boolean hasCallerParameter = false;
        for (int i = 0; i < parameters; i++) {
            Parameter parameter = macro.parameters().get(i);
            hasCallerParameter |= parameter.name().equals("caller");
            Value given = i < positional.size() ? positional.get(i) : named.remove(parameter.name());
            if (given == null) {
                given = parameter.standard().isPresent() ? evaluate(parameter.standard().get(), inner)
                        : new Undefined("parameter '" + parameter.name() + "' was not provided");
            }
            inner.set(parameter.name(), given);
        }
        if (macro.usesCaller() && !hasCallerParameter) {
            Value caller = named.remove("caller");
            inner.set("caller", caller == null ? new Undefined("No caller defined") : caller);
        }
        if (macro.usesVarargs()) {
            inner.set("varargs", Sequence.tuple(positional.subList(Math.min(parameters, positional.size()), positional.size())));
        } else if (positional.size() > parameters) {
            throw new Refusal(label(name) + ": " + positional.size() + " arguments, expected at most " + parameters);
        }
        if (macro.usesKwargs()) {
            Dict.Builder rest = new Dict.Builder();
            named.forEach(rest::put);
            inner.set("kwargs", rest.build());
        } else if (!named.isEmpty()) {
            throw new Refusal(label(name) + ": no parameter is called " + named.keySet().iterator().next());
        }
        return new Text(capture(macro.body(), inner).text());
    }

    private static String label(String macro) {
        return macro.isEmpty() ? "caller" : "macro " + macro;
    }

    private void callBlock(Statement.CallBlock block, Scope scope) {
        Macro caller = macro("", block.caller(), scope);
        Value function = evaluate(block.call().function(), scope);
        Arguments arguments = arguments(name(block.call().function()), block.call().arguments(), scope);
        Map<String, Value> named = new LinkedHashMap<>(arguments.named());
        named.put("caller", caller);
        line = block.line();
        write(operators.str(call(function, new Arguments(arguments.function(), arguments.positional(), named))).value());
    }

    // Expressions

    private Value evaluate(Expression expression, Scope scope) {
        budget.enter();
        Value value = switch (expression) {
            case Expression.Literal literal -> literal.value();
            case Expression.Name name -> name(name, scope);
            case Expression.ListLiteral list -> Sequence.list(all(list.elements(), scope));
            case Expression.TupleLiteral tuple -> Sequence.tuple(all(tuple.elements(), scope));
            case Expression.DictLiteral dict -> dict(dict, scope);
            case Expression.Attribute attribute -> attribute(attribute, scope);
            case Expression.Subscript subscript -> subscript(subscript, scope);
            case Expression.Slice slice -> slice(slice, scope);
            case Expression.Call call -> call(call, scope);
            case Expression.Filter filter -> filter(filter, scope);
            case Expression.Test test -> test(test, scope);
            case Expression.Negation negation -> operators.negate(operand(negation.operand(), expression, scope));
            case Expression.Plus plus -> operators.plus(operand(plus.operand(), expression, scope));
            case Expression.Binary binary -> binary(binary, scope);
            case Expression.Concatenation concatenation -> concatenation(concatenation, scope);
            case Expression.Not not -> Bool.of(!Operators.isTrue(evaluate(not.operand(), scope)));
            case Expression.And and -> and(and, scope);
            case Expression.Or or -> or(or, scope);
            case Expression.Comparison comparison -> comparison(comparison, scope);
            case Expression.Conditional conditional -> conditional(conditional, scope);
        };
        budget.leave();
        return value;
    }

    private Value operand(Expression operand, Expression whole, Scope scope) {
        Value value = evaluate(operand, scope);
        line = whole.line();
        return value;
    }

    private List<Value> all(List<Expression> expressions, Scope scope) {
        budget.list(expressions.size());
        List<Value> values = new ArrayList<>(expressions.size());
        for (Expression expression : expressions) {
            values.add(evaluate(expression, scope));
        }
        return values;
    }

    private static Value name(Expression.Name name, Scope scope) {
        Value value = scope.find(name.name());
        return value != null ? value : new Undefined("'" + name.name() + "' is undefined");
    }

    private Value dict(Expression.DictLiteral literal, Scope scope) {
        budget.map(literal.keys().size());
        Dict.Builder dict = new Dict.Builder();
        for (int i = 0; i < literal.keys().size(); i++) {
            Value key = evaluate(literal.keys().get(i), scope);
            dict.put(operators.hash(key), key, evaluate(literal.values().get(i), scope));
        }
        return dict.build();
    }

    private Value attribute(Expression.Attribute attribute, Scope scope) {
        Value base = operand(attribute.base(), attribute, scope);
        return attributes.attribute(base, attribute.name());
    }

    private Value subscript(Expression.Subscript subscript, Scope scope) {
        Value base = evaluate(subscript.base(), scope);
        Value index = operand(subscript.index(), subscript, scope);
        return attributes.element(base, index);
    }

    private Value slice(Expression.Slice slice, Scope scope) {
        Value base = evaluate(slice.base(), scope);
        Value from = slice.from().isPresent() ? evaluate(slice.from().get(), scope) : None.NONE;
        Value to = slice.to().isPresent() ? evaluate(slice.to().get(), scope) : None.NONE;
        Value step = slice.step().isPresent() ? evaluate(slice.step().get(), scope) : None.NONE;
        line = slice.line();
        return operators.slice(base, from, to, step);
    }

    private Value call(Expression.Call call, Scope scope) {
        Value function = evaluate(call.function(), scope);
        Arguments arguments = arguments(name(call.function()), call.arguments(), scope);
        line = call.line();
        return call(function, arguments);
    }

    private Value call(Value function, Arguments arguments) {
        Operators.demandDefined(function);
        return switch (function) {
            case Callable callable -> callable.body().apply(arguments);
            case Macro macro -> macro.body().apply(arguments);
            case Joiner joiner -> joiner.next();
            case Loop loop -> {
                if (loop.recurse() == null) {
                    throw new Refusal("this loop is called, but is not marked recursive");
                }
                yield loop.recurse().apply(arguments.only("iterable"));
            }
            default -> throw new Refusal(arguments.function() + " is called, but is " + Operators.type(function));
        };
    }

    /// What a function is called, for messages.
    private static String name(Expression function) {
        if (function instanceof Expression.Name name) {
            return name.name();
        }
        return function instanceof Expression.Attribute attribute ? attribute.name() : "a value";
    }

    private Arguments arguments(String function, CallArguments given, Scope scope) {
        List<Value> positional = all(given.positional(), scope);
        Map<String, Value> named = new HashMap<>();
        if (!given.named().isEmpty()) {
            named = new LinkedHashMap<>();
            for (Named argument : given.named()) {
                named.put(argument.name(), evaluate(argument.value(), scope));
            }
        }
        if (given.more().isPresent()) {
            List<Value> more = operators.elements(evaluate(given.more().get(), scope));
            budget.list(more.size());
            positional.addAll(more);
        }
        if (given.moreNamed().isPresent()) {
            if (!(evaluate(given.moreNamed().get(), scope) instanceof Dict dict)) {
                throw new Refusal(function + ": ** expects a map");
            }
            budget.map(dict.size());
            for (Dict.Entry entry : dict.entries().values()) {
                if (named.put(operators.string(entry.key(), "**: a name"), entry.value()) != null) {
                    throw new Refusal(function + ": an argument is given twice");
                }
            }
        }
        return new Arguments(function, positional, named);
    }

    private Value filter(Expression.Filter filter, Scope scope) {
        Value value = evaluate(filter.value(), scope);
        Arguments arguments = arguments(filter.name(), filter.arguments(), scope);
        line = filter.line();
        return filters.apply(filter.name(), value, arguments);
    }

    private Value test(Expression.Test test, Scope scope) {
        Value value = evaluate(test.value(), scope);
        Arguments arguments = arguments(test.name(), test.arguments(), scope);
        line = test.line();
        return Bool.of(tests.isTrue(test.name(), value, arguments));
    }

    private Value binary(Expression.Binary binary, Scope scope) {
        Value left = evaluate(binary.left(), scope);
        Value right = operand(binary.right(), binary, scope);
        return operators.binary(binary.operator(), left, right);
    }

    private Value concatenation(Expression.Concatenation concatenation, Scope scope) {
        StringBuilder text = new StringBuilder();
        for (Expression part : concatenation.parts()) {
            String more = operators.str(evaluate(part, scope)).value();
            budget.bytes(6L * more.length() + 1);
            text.append(more);
        }
        return new Text(text.toString());
    }

    private Value and(Expression.And and, Scope scope) {
        Value left = evaluate(and.left(), scope);
        return Operators.isTrue(left) ? evaluate(and.right(), scope) : left;
    }

    private Value or(Expression.Or or, Scope scope) {
        Value left = evaluate(or.left(), scope);
        return Operators.isTrue(left) ? left : evaluate(or.right(), scope);
    }

    private Value comparison(Expression.Comparison comparison, Scope scope) {
        Value left = evaluate(comparison.first(), scope);
        for (Compared compared : comparison.others()) {
            Value right = evaluate(compared.value(), scope);
            line = comparison.line();
            if (!operators.compare(compared.operator(), left, right)) {
                return Bool.FALSE;
            }
            left = right;
        }
        return Bool.TRUE;
    }

    private Value conditional(Expression.Conditional conditional, Scope scope) {
        if (Operators.isTrue(evaluate(conditional.test(), scope))) {
            return evaluate(conditional.value(), scope);
        }
        return conditional.otherwise().isPresent() ? evaluate(conditional.otherwise().get(), scope)
                : new Undefined("the condition on line " + conditional.line() + " is false, and there is no else");
    }
}
