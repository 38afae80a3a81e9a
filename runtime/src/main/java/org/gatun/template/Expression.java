package org.gatun.template;

import java.util.List;
import java.util.Optional;

/// What has a value. Each knows the line where it stands, from 1.
sealed interface Expression {
    int line();

    record Literal(int line, Value value) implements Expression {}

    record Name(int line, String name) implements Expression {}

    record ListLiteral(int line, List<Expression> elements) implements Expression {}

    record TupleLiteral(int line, List<Expression> elements) implements Expression {}

    record DictLiteral(int line, List<Expression> keys, List<Expression> values) implements Expression {}

    /// `base.name`
    record Attribute(int line, Expression base, String name) implements Expression {}

    /// `base[index]`
    record Subscript(int line, Expression base, Expression index) implements Expression {}

    /// `base[from:to:step]`
    record Slice(int line, Expression base, Optional<Expression> from, Optional<Expression> to, Optional<Expression> step)
            implements Expression {}

    record Call(int line, Expression function, CallArguments arguments) implements Expression {}

    /// `value | name(arguments)`
    record Filter(int line, Expression value, String name, CallArguments arguments) implements Expression {}

    /// `value is name(arguments)`
    record Test(int line, Expression value, String name, CallArguments arguments) implements Expression {}

    record Negation(int line, Expression operand) implements Expression {}

    record Plus(int line, Expression operand) implements Expression {}

    record Binary(int line, BinaryOperator operator, Expression left, Expression right) implements Expression {}

    /// `a ~ b ~ c`
    record Concatenation(int line, List<Expression> parts) implements Expression {}

    record Not(int line, Expression operand) implements Expression {}

    record And(int line, Expression left, Expression right) implements Expression {}

    record Or(int line, Expression left, Expression right) implements Expression {}

    /// `first < second <= third`
    record Comparison(int line, Expression first, List<Compared> others) implements Expression {}

    /// `value if test else otherwise`
    record Conditional(int line, Expression test, Expression value, Optional<Expression> otherwise) implements Expression {}

    /// One of the values of a comparison, and how the one before it is compared with it.
    record Compared(Comparator operator, Expression value) {}

    /// @param more `*more`
    /// @param moreNamed `**moreNamed`
    record CallArguments(List<Expression> positional, List<Named> named, Optional<Expression> more,
            Optional<Expression> moreNamed) {
        static final CallArguments NONE = new CallArguments(List.of(), List.of(), Optional.empty(), Optional.empty());
    }

    record Named(String name, Expression value) {}

    enum BinaryOperator {
        ADD("+"), SUBTRACT("-"), MULTIPLY("*"), DIVIDE("/"), FLOOR_DIVIDE("//"), MODULO("%"), POWER("**");

        private final String sign;

        BinaryOperator(String sign) {
            this.sign = sign;
        }

        String sign() {
            return sign;
        }
    }

    enum Comparator {
        EQUAL("=="), NOT_EQUAL("!="), LESS("<"), LESS_OR_EQUAL("<="), GREATER(">"), GREATER_OR_EQUAL(">="), IN("in"),
        NOT_IN("not in");

        private final String sign;

        Comparator(String sign) {
            this.sign = sign;
        }

        String sign() {
            return sign;
        }
    }
}
