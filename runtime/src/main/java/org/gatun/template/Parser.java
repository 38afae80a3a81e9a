package org.gatun.template;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.gatun.template.Expression.BinaryOperator;
import org.gatun.template.Expression.CallArguments;
import org.gatun.template.Expression.Comparator;
import org.gatun.template.Expression.Compared;
import org.gatun.template.Expression.Named;
import org.gatun.template.Statement.Applied;
import org.gatun.template.Statement.Branch;
import org.gatun.template.Statement.MacroBody;
import org.gatun.template.Statement.Parameter;
import org.gatun.template.Statement.Target;
import org.gatun.template.Token.Kind;

/// Builds the tree of a template. Expressions are parsed by precedence, Jinja's: from the loosest, `if else`, `or`, `and`,
/// `not`, comparisons and `in`, `+` and `-`, `~`, `*` `/` `//` `%`, `**`, signs, then what follows a value (`.name`,
/// `[index]`, calls), `|` and `is`.
final class Parser {
    /* Depth is bounded here, chains of operators included, since they make trees as deep: what comes out can be walked
     * by recursion. Python's own bound on what Jinja compiles is about the same. */
    private static final int MAX_DEPTH = 200;

    private static final Map<String, Comparator> COMPARATORS = Map.of("==", Comparator.EQUAL, "!=", Comparator.NOT_EQUAL,
            "<", Comparator.LESS, "<=", Comparator.LESS_OR_EQUAL, ">", Comparator.GREATER,
            ">=", Comparator.GREATER_OR_EQUAL);
    private static final Set<String> CONSTANTS = Set.of("true", "false", "none", "True", "False", "None");

    private static final int SUM = 1;
    private static final int CONCATENATION = 2;
    private static final int PRODUCT = 3;
    private static final int POWER = 4;

    private final List<Token> tokens;
    private int at;
    private int depth;
    private int loops;
    /// Whether filters and tests that nobody knows are let pass here, as Jinja does in what may never be run.
    private boolean isOptional;
    private Set<String> namesOfMacro = new HashSet<>();
    private final Map<String, List<Statement>> blocks = new LinkedHashMap<>();

    Parser(List<Token> tokens) {
        this.tokens = tokens;
    }

    /// A whole template.
    ///
    /// @param blocks the bodies of its blocks by their names, which `self` knows
    record Tree(List<Statement> body, Map<String, List<Statement>> blocks) {}

    /// @throws Refusal with the line of what is not Jinja
    Tree parse() {
        try {
            List<Statement> body = statements(Set.of());
            if (!peek().is(Kind.END)) {
                throw unexpected("text or a tag");
            }
            return new Tree(List.copyOf(body), Collections.unmodifiableMap(blocks));
        } catch (Refusal e) {
            throw e.at(peek().line());
        }
    }

    private Token peek() {
        return tokens.get(at);
    }

    private Token peekSecond() {
        return tokens.get(Math.min(at + 1, tokens.size() - 1));
    }

    private Token next() {
        return tokens.get(at < tokens.size() - 1 ? at++ : at);
    }

    private boolean skipName(String name) {
        boolean found = peek().isName(name);
        at += found ? 1 : 0;
        return found;
    }

    private boolean skipOperator(String operator) {
        boolean found = peek().isOperator(operator);
        at += found ? 1 : 0;
        return found;
    }

    private Token expect(Kind kind, String what) {
        if (!peek().is(kind)) {
            throw unexpected(what);
        }
        return next();
    }

    private void expectOperator(String operator) {
        if (!skipOperator(operator)) {
            throw unexpected("'" + operator + "'");
        }
    }

    private Refusal unexpected(String expected) {
        return new Refusal("found " + peek().shown() + ", expected " + expected);
    }

    private void enter() {
        if (++depth > MAX_DEPTH) {
            throw new Refusal("nested more than " + MAX_DEPTH + " deep");
        }
    }

    // Statements

    /// Statements up to a tag with one of these names, which is left, or the end.
    private List<Statement> statements(Set<String> ends) {
        enter();
        List<Statement> body = new ArrayList<>();
        while (!peek().is(Kind.END)) {
            Token token = next();
            switch (token.kind()) {
                case DATA -> body.add(new Statement.Data(token.line(), token.text()));
                case VARIABLE_BEGIN -> {
                    body.add(new Statement.Output(token.line(), tuple(true, Set.of())));
                    expect(Kind.VARIABLE_END, "'}}'");
                }
                default -> {
                    if (peek().is(Kind.NAME) && ends.contains(peek().text())) {
                        depth--;
                        return body;
                    }
                    statement(body);
                    expect(Kind.BLOCK_END, "'%}'");
                }
            }
        }
        if (!ends.isEmpty()) {
            throw unexpected(String.join(" or ", new TreeSet<>(ends)));
        }
        depth--;
        return body;
    }

    /// What is between a tag and one of these names, which is left.
    private List<Statement> body(String... ends) {
        skipOperator(":");
        expect(Kind.BLOCK_END, "'%}'");
        return statements(Set.of(ends));
    }

    /// A body, its end included, with variables of its own.
    private List<Statement> scopedBody(String end) {
        boolean outer = isOptional;
        isOptional = false;
        List<Statement> body = body(end);
        next();
        isOptional = outer;
        return body;
    }

    private void statement(List<Statement> body) {
        Token tag = expect(Kind.NAME, "the name of a tag");
        int line = tag.line();
        switch (tag.text()) {
            case "if" -> body.add(ifStatement(line));
            case "for" -> body.add(forStatement(line));
            case "set" -> body.add(setStatement(line));
            case "macro" -> body.add(new Statement.DefineMacro(line, variableName(), macroBody("endmacro")));
            case "call" -> body.add(callBlock(line));
            case "filter" -> body.add(new Statement.FilterBlock(line, filters(true), scopedBody("endfilter")));
            case "with" -> body.add(with(line));
            case "generation" -> body.add(new Statement.Scoped(line, bodyOutsideLoops("endgeneration")));
            case "block" -> body.add(block(line));
            case "autoescape" -> body.add(new Statement.Autoescape(line, expression(), scopedBody("endautoescape")));
            case "include", "import", "from", "extends" -> {
                otherFile(tag.text());
                body.add(new Statement.OtherFile(line, tag.text()));
            }
            case "print" -> {
                while (!peek().is(Kind.BLOCK_END)) {
                    body.add(new Statement.Output(line, expression()));
                    if (!peek().is(Kind.BLOCK_END)) {
                        expectOperator(",");
                    }
                }
            }
            case "break", "continue" -> {
                if (loops == 0) {
                    throw new Refusal("{% " + tag.text() + " %} outside of a loop");
                }
                body.add(tag.text().equals("break") ? new Statement.Break(line) : new Statement.Continue(line));
            }
            default -> {
                at--;
                throw new Refusal("unknown tag {% " + tag.text() + " %}");
            }
        }
    }

    private Statement ifStatement(int line) {
        boolean outer = isOptional;
        List<Branch> branches = new ArrayList<>();
        List<Statement> otherwise = List.of();
        String end;
        do {
            isOptional = true;
            Expression test = tuple(false, Set.of());
            branches.add(new Branch(test, body("elif", "else", "endif")));
            end = next().text();
        } while (end.equals("elif"));
        if (end.equals("else")) {
            otherwise = body("endif");
            next();
        }
        isOptional = outer;
        return new Statement.If(line, branches, otherwise);
    }

    private Statement forStatement(int line) {
        Target target = targets(false, Set.of("in"));
        expectName("in");
        if (names(target).contains("loop")) {
            throw new Refusal("a for cannot assign to loop");
        }
        Expression elements = tuple(false, Set.of("recursive"));
        Optional<Expression> condition = skipName("if") ? Optional.of(expression()) : Optional.empty();
        boolean isRecursive = skipName("recursive");
        boolean outer = isOptional;
        isOptional = false;
        loops++;
        List<Statement> body = body("endfor", "else");
        loops--;
        List<Statement> otherwise = List.of();
        if (next().text().equals("else")) {
            otherwise = body("endfor");
            next();
        }
        isOptional = outer;
        return new Statement.For(line, target, elements, condition, isRecursive, body, otherwise);
    }

    private Statement setStatement(int line) {
        Target target = targets(true, Set.of());
        if (skipOperator("=")) {
            return new Statement.Set(line, target, tuple(true, Set.of()));
        }
        List<Applied> filters = filters(false);
        return new Statement.SetBlock(line, target, filters, scopedBody("endset"));
    }

    private Statement callBlock(int line) {
        List<Parameter> parameters = peek().isOperator("(") ? parameters() : List.of();
        if (!(expression() instanceof Expression.Call call)) {
            throw new Refusal("{% call %} expects the call of a macro");
        }
        return new Statement.CallBlock(line, call, macroBody(parameters, "endcall"));
    }

    private Statement with(int line) {
        List<Target> targets = new ArrayList<>();
        List<Expression> values = new ArrayList<>();
        while (!peek().is(Kind.BLOCK_END)) {
            if (!targets.isEmpty()) {
                expectOperator(",");
            }
            targets.add(targets(false, Set.of()));
            expectOperator("=");
            values.add(expression());
        }
        return new Statement.With(line, targets, values, scopedBody("endwith"));
    }

    private Statement block(int line) {
        String name = expect(Kind.NAME, "the name of the block").text();
        boolean isScoped = skipName("scoped");
        boolean isRequired = skipName("required");
        List<Statement> body = bodyOutsideLoops("endblock");
        if (isRequired) {
            throw new Refusal("block " + name + " is required, but no other template is there to have it");
        }
        if (blocks.putIfAbsent(name, body) != null) {
            throw new Refusal("two blocks are called " + name);
        }
        skipName(name);
        return new Statement.Block(line, isScoped, body);
    }

    /// What follows the name of a tag that reads another file: it may stand where it is never reached.
    private void otherFile(String tag) {
        expression();
        switch (tag) {
            case "include" -> {
                if (peek().isName("ignore") && peekSecond().isName("missing")) {
                    at += 2;
                }
            }
            case "import" -> {
                expectName("as");
                variableName();
            }
            case "from" -> {
                expectName("import");
                do {
                    if (variableName().startsWith("_")) {
                        throw new Refusal("a name that begins with _ cannot be imported");
                    }
                    if (skipName("as")) {
                        variableName();
                    }
                } while (skipOperator(","));
            }
            default -> { }
        }
        boolean hasContext = (peek().isName("with") || peek().isName("without")) && peekSecond().isName("context");
        at += hasContext && !tag.equals("extends") ? 2 : 0;
    }

    private void expectName(String name) {
        if (!skipName(name)) {
            throw unexpected("'" + name + "'");
        }
    }

    /// A body that no `break` leaves.
    private List<Statement> bodyOutsideLoops(String end) {
        int outer = loops;
        loops = 0;
        List<Statement> body = scopedBody(end);
        loops = outer;
        return body;
    }

    private MacroBody macroBody(String end) {
        return macroBody(parameters(), end);
    }

    private MacroBody macroBody(List<Parameter> parameters, String end) {
        Set<String> outer = namesOfMacro;
        namesOfMacro = new HashSet<>();
        List<Statement> body = bodyOutsideLoops(end);
        Set<String> names = namesOfMacro;
        outer.addAll(names);
        namesOfMacro = outer;
        return new MacroBody(parameters, body, names.contains("caller"), names.contains("varargs"),
                names.contains("kwargs"));
    }

    private List<Parameter> parameters() {
        List<Parameter> parameters = new ArrayList<>();
        expectOperator("(");
        while (!peek().isOperator(")")) {
            if (!parameters.isEmpty()) {
                expectOperator(",");
            }
            String name = variableName();
            Optional<Expression> standard = skipOperator("=") ? Optional.of(expression()) : Optional.empty();
            if (standard.isEmpty() && !parameters.isEmpty() && parameters.getLast().standard().isPresent()) {
                throw new Refusal("parameter " + name + " has no default, but the one before it has");
            }
            if (name.equals("caller") && standard.isEmpty()) {
                throw new Refusal("a parameter that is called caller needs a default");
            }
            if (parameters.stream().anyMatch(parameter -> parameter.name().equals(name))) {
                throw new Refusal("two parameters are called " + name);
            }
            parameters.add(new Parameter(name, standard));
        }
        expectOperator(")");
        return parameters;
    }

    private String variableName() {
        String name = expect(Kind.NAME, "a name").text();
        if (CONSTANTS.contains(name)) {
            throw new Refusal("'" + name + "' cannot be assigned to");
        }
        return name;
    }

    private static List<String> names(Target target) {
        return switch (target) {
            case Target.Variable variable -> List.of(variable.name());
            case Target.NamespaceAttribute _ -> List.of();
            case Target.Several several -> several.targets().stream().flatMap(one -> names(one).stream()).toList();
        };
    }

    private Target targets(boolean withAttributes, Set<String> ends) {
        List<Target> targets = new ArrayList<>();
        boolean isTuple = false;
        while (!isEndOfTuple(ends) && !peek().isOperator("=")) {
            targets.add(target(withAttributes));
            if (!skipOperator(",")) {
                break;
            }
            isTuple = true;
        }
        if (targets.isEmpty()) {
            throw unexpected("a name to assign to");
        }
        return isTuple ? new Target.Several(targets) : targets.getFirst();
    }

    private Target target(boolean withAttributes) {
        if (skipOperator("(")) {
            enter();
            Target inner = targets(withAttributes, Set.of());
            expectOperator(")");
            depth--;
            return inner;
        }
        String name = variableName();
        if (withAttributes && skipOperator(".")) {
            return new Target.NamespaceAttribute(name, expect(Kind.NAME, "the name of an attribute").text());
        }
        return new Target.Variable(name);
    }

    // Expressions

    private boolean isEndOfTuple(Set<String> ends) {
        Token token = peek();
        return token.is(Kind.VARIABLE_END) || token.is(Kind.BLOCK_END) || token.isOperator(")")
                || token.is(Kind.NAME) && ends.contains(token.text());
    }

    /// An expression, or several with commas between, which are a tuple.
    private Expression tuple(boolean withConditional, Set<String> ends) {
        int line = peek().line();
        List<Expression> elements = new ArrayList<>();
        boolean isTuple = false;
        while (!isEndOfTuple(ends)) {
            elements.add(withConditional ? expression() : or());
            if (!skipOperator(",")) {
                break;
            }
            isTuple = true;
        }
        if (elements.isEmpty()) {
            throw unexpected("an expression");
        }
        return isTuple ? new Expression.TupleLiteral(line, elements) : elements.getFirst();
    }

    private Expression expression() {
        enter();
        int before = depth;
        int line = peek().line();
        boolean outer = isOptional;
        isOptional |= isConditional();
        Expression value = or();
        while (skipName("if")) {
            enter();
            isOptional = true;
            Expression test = or();
            Optional<Expression> otherwise = skipName("else") ? Optional.of(expression()) : Optional.empty();
            value = new Expression.Conditional(line, test, value, otherwise);
        }
        isOptional = outer;
        depth = before - 1;
        return value;
    }

    /// Whether an `if` follows the value that begins here, within the brackets in which it stands.
    private boolean isConditional() {
        int brackets = 0;
        for (int i = at; i < tokens.size(); i++) {
            Token token = tokens.get(i);
            if (token.isOperator("(") || token.isOperator("[") || token.isOperator("{")) {
                brackets++;
            } else if (token.isOperator(")") || token.isOperator("]") || token.isOperator("}")) {
                brackets--;
            }
            boolean isEnd = token.is(Kind.VARIABLE_END) || token.is(Kind.BLOCK_END) || token.is(Kind.END)
                    || brackets == 0 && (token.isOperator(",") || token.isOperator(":"));
            if (brackets < 0 || isEnd) {
                return false;
            }
            if (brackets == 0 && token.isName("if")) {
                return true;
            }
        }
        return false;
    }

    private Expression or() {
        int before = depth;
        int line = peek().line();
        Expression left = and();
        while (skipName("or")) {
            enter();
            left = new Expression.Or(line, left, and());
        }
        depth = before;
        return left;
    }

    private Expression and() {
        int before = depth;
        int line = peek().line();
        Expression left = not();
        while (skipName("and")) {
            enter();
            left = new Expression.And(line, left, not());
        }
        depth = before;
        return left;
    }

    private Expression not() {
        int line = peek().line();
        if (!skipName("not")) {
            return comparison();
        }
        enter();
        Expression operand = not();
        depth--;
        return new Expression.Not(line, operand);
    }

    private Expression comparison() {
        int line = peek().line();
        Expression first = arithmetic(SUM);
        List<Compared> others = new ArrayList<>();
        while (true) {
            Token token = peek();
            if (token.is(Kind.OPERATOR) && COMPARATORS.containsKey(token.text())) {
                next();
                others.add(new Compared(COMPARATORS.get(token.text()), arithmetic(SUM)));
            } else if (skipName("in")) {
                others.add(new Compared(Comparator.IN, arithmetic(SUM)));
            } else if (token.isName("not") && peekSecond().isName("in")) {
                at += 2;
                others.add(new Compared(Comparator.NOT_IN, arithmetic(SUM)));
            } else {
                return others.isEmpty() ? first : new Expression.Comparison(line, first, others);
            }
        }
    }

    /// Operators that bind at least so tightly, from the left.
    private Expression arithmetic(int strength) {
        int before = depth;
        int line = peek().line();
        Expression left = unary(true);
        for (int found = strength(peek()); found >= strength; found = strength(peek())) {
            enter();
            Token operator = next();
            Expression right = arithmetic(found + 1);
            left = found == CONCATENATION ? concatenation(line, left, right)
                    : new Expression.Binary(line, operator(operator.text()), left, right);
        }
        depth = before;
        return left;
    }

    private static int strength(Token token) {
        return !token.is(Kind.OPERATOR) ? 0 : switch (token.text()) {
            case "+", "-" -> SUM;
            case "~" -> CONCATENATION;
            case "*", "/", "//", "%" -> PRODUCT;
            case "**" -> POWER;
            default -> 0;
        };
    }

    private static BinaryOperator operator(String sign) {
        for (BinaryOperator operator : BinaryOperator.values()) {
            if (operator.sign().equals(sign)) {
                return operator;
            }
        }
        throw new AssertionError(sign);
    }

    private static Expression concatenation(int line, Expression left, Expression right) {
        List<Expression> parts = new ArrayList<>();
        if (left instanceof Expression.Concatenation before) {
            parts.addAll(before.parts());
        } else {
            parts.add(left);
        }
        parts.add(right);
        return new Expression.Concatenation(line, parts);
    }

    /// A value with its sign, and what follows it.
    ///
    /// @param withFilters whether `|` and `is` may follow: not after a sign, which binds tighter
    private Expression unary(boolean withFilters) {
        enter();
        int before = depth;
        int line = peek().line();
        Expression value;
        if (skipOperator("-")) {
            value = new Expression.Negation(line, unary(false));
        } else if (skipOperator("+")) {
            value = new Expression.Plus(line, unary(false));
        } else {
            value = primary();
        }
        value = postfix(value);
        while (withFilters) {
            enter();
            if (peek().isOperator("|")) {
                next();
                value = filter(value);
            } else if (peek().isName("is")) {
                value = test(value);
            } else if (peek().isOperator("(")) {
                value = call(value);
            } else {
                break;
            }
        }
        depth = before - 1;
        return value;
    }

    private Expression primary() {
        Token token = peek();
        int line = token.line();
        switch (token.kind()) {
            case NAME -> {
                next();
                return switch (token.text()) {
                    case "true", "True" -> new Expression.Literal(line, Value.Bool.TRUE);
                    case "false", "False" -> new Expression.Literal(line, Value.Bool.FALSE);
                    case "none", "None" -> new Expression.Literal(line, Value.None.NONE);
                    default -> {
                        namesOfMacro.add(token.text());
                        yield new Expression.Name(line, token.text());
                    }
                };
            }
            case STRING -> {
                StringBuilder text = new StringBuilder();
                while (peek().is(Kind.STRING)) {
                    text.append(next().text());
                }
                return new Expression.Literal(line, new Value.Text(text.toString()));
            }
            case INTEGER -> {
                next();
                return new Expression.Literal(line, new Value.Int(new BigInteger(token.text())));
            }
            case FLOAT -> {
                next();
                return new Expression.Literal(line, new Value.Real(Double.parseDouble(token.text())));
            }
            case OPERATOR -> {
                switch (token.text()) {
                    case "(" -> {
                        next();
                        Expression inner = peek().isOperator(")") ? new Expression.TupleLiteral(line, List.of())
                                : tuple(true, Set.of());
                        expectOperator(")");
                        return inner;
                    }
                    case "[" -> {
                        return list();
                    }
                    case "{" -> {
                        return dict();
                    }
                    default -> throw unexpected("an expression");
                }
            }
            default -> throw unexpected("an expression");
        }
    }

    private Expression list() {
        int line = next().line();
        List<Expression> elements = new ArrayList<>();
        while (!peek().isOperator("]")) {
            elements.add(expression());
            if (!skipOperator(",")) {
                break;
            }
        }
        expectOperator("]");
        return new Expression.ListLiteral(line, elements);
    }

    private Expression dict() {
        int line = next().line();
        List<Expression> keys = new ArrayList<>();
        List<Expression> values = new ArrayList<>();
        while (!peek().isOperator("}")) {
            keys.add(expression());
            expectOperator(":");
            values.add(expression());
            if (!skipOperator(",")) {
                break;
            }
        }
        expectOperator("}");
        return new Expression.DictLiteral(line, keys, values);
    }

    private Expression postfix(Expression base) {
        Expression value = base;
        while (true) {
            enter();
            if (peek().isOperator(".")) {
                int line = next().line();
                Token name = next();
                if (name.is(Kind.INTEGER)) {
                    value = new Expression.Subscript(line, value,
                            new Expression.Literal(line, new Value.Int(new BigInteger(name.text()))));
                } else if (name.is(Kind.NAME)) {
                    value = new Expression.Attribute(line, value, name.text());
                } else {
                    at--;
                    throw unexpected("the name of an attribute");
                }
            } else if (peek().isOperator("[")) {
                value = subscript(value);
            } else if (peek().isOperator("(")) {
                value = call(value);
            } else {
                return value;
            }
        }
    }

    private Expression subscript(Expression base) {
        int line = next().line();
        Optional<Expression> from = peek().isOperator(":") ? Optional.empty() : Optional.of(expression());
        Expression value;
        if (skipOperator(":")) {
            Optional<Expression> to = sliceBound();
            Optional<Expression> step = skipOperator(":") ? sliceBound() : Optional.empty();
            value = new Expression.Slice(line, base, from, to, step);
        } else if (peek().isOperator(",")) {
            List<Expression> elements = new ArrayList<>(List.of(from.get()));
            while (skipOperator(",") && !peek().isOperator("]")) {
                elements.add(expression());
            }
            value = new Expression.Subscript(line, base, new Expression.TupleLiteral(line, elements));
        } else {
            value = new Expression.Subscript(line, base, from.get());
        }
        expectOperator("]");
        return value;
    }

    private Optional<Expression> sliceBound() {
        return peek().isOperator("]") || peek().isOperator(":") ? Optional.empty() : Optional.of(expression());
    }

    private Expression call(Expression function) {
        int line = peek().line();
        return new Expression.Call(line, function, arguments());
    }

    private CallArguments arguments() {
        expectOperator("(");
        List<Expression> positional = new ArrayList<>();
        List<Named> named = new ArrayList<>();
        Optional<Expression> more = Optional.empty();
        Optional<Expression> moreNamed = Optional.empty();
        while (!peek().isOperator(")")) {
            if (skipOperator("*")) {
                more = once(more, moreNamed.isEmpty());
            } else if (skipOperator("**")) {
                moreNamed = once(moreNamed, true);
            } else if (peek().is(Kind.NAME) && peekSecond().isOperator("=")) {
                String name = next().text();
                next();
                if (moreNamed.isPresent() || named.stream().anyMatch(argument -> argument.name().equals(name))) {
                    throw new Refusal("argument " + name + " comes twice, or after **");
                }
                named.add(new Named(name, expression()));
            } else {
                if (!named.isEmpty() || more.isPresent() || moreNamed.isPresent()) {
                    throw new Refusal("an argument without a name comes after one with a name, * or **");
                }
                positional.add(expression());
            }
            if (!skipOperator(",")) {
                break;
            }
        }
        expectOperator(")");
        return new CallArguments(positional, named, more, moreNamed);
    }

    private Optional<Expression> once(Optional<Expression> before, boolean mayFollow) {
        if (before.isPresent() || !mayFollow) {
            throw new Refusal("* and ** may come once in a call, and in this order");
        }
        return Optional.of(expression());
    }

    private String dottedName() {
        StringBuilder name = new StringBuilder(expect(Kind.NAME, "a name").text());
        while (skipOperator(".")) {
            name.append('.').append(expect(Kind.NAME, "a name").text());
        }
        return name.toString();
    }

    private Expression filter(Expression value) {
        Applied filter = applied();
        return new Expression.Filter(filter.line(), value, filter.name(), filter.arguments());
    }

    private Applied applied() {
        int line = peek().line();
        String name = dottedName();
        if (!isOptional && !Filters.NAMES.contains(name)) {
            throw Filters.unknown(name);
        }
        return new Applied(line, name, peek().isOperator("(") ? arguments() : CallArguments.NONE);
    }

    private List<Applied> filters(boolean withoutBar) {
        List<Applied> filters = new ArrayList<>();
        boolean isNext = withoutBar || skipOperator("|");
        while (isNext) {
            filters.add(applied());
            isNext = skipOperator("|");
        }
        return filters;
    }

    private Expression test(Expression value) {
        int line = next().line();
        boolean isNegated = skipName("not");
        String name = dottedName();
        if (!isOptional && !Tests.NAMES.contains(name)) {
            throw Tests.unknown(name);
        }
        CallArguments arguments = CallArguments.NONE;
        Token token = peek();
        if (token.isOperator("(")) {
            arguments = arguments();
        } else if (beginsArgument(token)) {
            if (token.isName("is")) {
                throw new Refusal("a test follows a test: put the first one into brackets");
            }
            arguments = new CallArguments(List.of(postfix(primary())), List.of(), Optional.empty(), Optional.empty());
        }
        Expression test = new Expression.Test(line, value, name, arguments);
        return isNegated ? new Expression.Not(line, test) : test;
    }

    private static boolean beginsArgument(Token token) {
        return switch (token.kind()) {
            case NAME -> !token.isName("else") && !token.isName("or") && !token.isName("and");
            case STRING, INTEGER, FLOAT -> true;
            case OPERATOR -> token.isOperator("[") || token.isOperator("{");
            default -> false;
        };
    }
}
