package org.gatun.template;

import java.util.List;
import java.util.Optional;

/// What is done: text and tags. Each knows the line where it begins, from 1.
sealed interface Statement {
    int line();

    /// Text outside of tags.
    record Data(int line, String text) implements Statement {}

    /// `{{ value }}`
    record Output(int line, Expression value) implements Statement {}

    record If(int line, List<Branch> branches, List<Statement> otherwise) implements Statement {}

    record Branch(Expression test, List<Statement> body) {}

    record For(int line, Target target, Expression elements, Optional<Expression> condition, boolean isRecursive,
            List<Statement> body, List<Statement> otherwise) implements Statement {}

    record Break(int line) implements Statement {}

    record Continue(int line) implements Statement {}

    /// `{% set target = value %}`
    record Set(int line, Target target, Expression value) implements Statement {}

    /// `{% set target | filters %} ... {% endset %}`
    record SetBlock(int line, Target target, List<Applied> filters, List<Statement> body) implements Statement {}

    record DefineMacro(int line, String name, MacroBody macro) implements Statement {}

    /// `{% call(parameters) function(arguments) %} ... {% endcall %}`
    record CallBlock(int line, Expression.Call call, MacroBody caller) implements Statement {}

    record FilterBlock(int line, List<Applied> filters, List<Statement> body) implements Statement {}

    record With(int line, List<Target> targets, List<Expression> values, List<Statement> body) implements Statement {}

    /// A body whose variables are its own: what `generation` marks.
    record Scoped(int line, List<Statement> body) implements Statement {}

    /// `{% block %}`.
    ///
    /// @param isScoped whether its body sees the variables around it, and not those of the whole template only
    record Block(int line, boolean isScoped, List<Statement> body) implements Statement {}

    record Autoescape(int line, Expression isOn, List<Statement> body) implements Statement {}

    /// A tag that reads another file.
    record OtherFile(int line, String tag) implements Statement {}

    /// A filter that is applied to text written before.
    record Applied(int line, String name, Expression.CallArguments arguments) {}

    /// @param usesCaller whether `caller` stands in the body, and `varargs` and `kwargs` likewise
    record MacroBody(List<Parameter> parameters, List<Statement> body, boolean usesCaller, boolean usesVarargs,
            boolean usesKwargs) {}

    record Parameter(String name, Optional<Expression> standard) {}

    /// What is assigned to.
    sealed interface Target {
        record Variable(String name) implements Target {}

        record NamespaceAttribute(String namespace, String name) implements Target {}

        record Several(List<Target> targets) implements Target {}
    }
}
