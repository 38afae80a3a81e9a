package org.gatun.constraint;

import java.util.stream.IntStream;

/// Rules of a grammar for any JSON: values, lists and objects. White space may stand before each lexeme but the first.
final class JsonRules {
    private final Grammar.Builder grammar;
    /// The lexemes of punctuation.
    final int comma;
    final int beginArray;
    final int endArray;
    final int beginObject;
    final int endObject;
    /// Any value.
    final int value;
    /// Any list.
    final int array;
    /// Any object; a key may come twice.
    final int object;
    private final JsonText text;

    JsonRules(Grammar.Builder grammar, JsonText text) {
        this.grammar = grammar;
        this.text = text;
        comma = grammar.lexeme(text.text(","));
        beginArray = grammar.lexeme(text.text("["));
        endArray = grammar.lexeme(text.text("]"));
        beginObject = grammar.lexeme(text.text("{"));
        endObject = grammar.lexeme(text.text("}"));
        value = grammar.rule();
        array = grammar.rule();
        object = grammar.rule();
        grammar.add(value, grammar.lexeme(text.anyString));
        grammar.add(value, grammar.lexeme(text.anyNumber));
        grammar.add(value, grammar.lexeme(text.words));
        grammar.add(value, grammar.call(array));
        grammar.add(value, grammar.call(object));
        list(array, beginArray, endArray, grammar.call(value));
        list(object, beginObject, endObject, key(text.anyString), grammar.call(value));
    }

    private void list(int rule, int begin, int end, int... element) {
        int elements = grammar.rule();
        grammar.add(rule, begin, end);
        grammar.add(rule, begin, grammar.call(elements), end);
        grammar.add(elements, element);
        grammar.add(elements, IntStream.concat(IntStream.of(element), IntStream.of(comma, grammar.call(elements))).toArray());
    }

    /// The lexeme of a key that an expression matches, with the colon.
    int key(int regex) {
        return grammar.lexeme(text.regexes().concat(regex, text.space, text.text(":")));
    }
}
