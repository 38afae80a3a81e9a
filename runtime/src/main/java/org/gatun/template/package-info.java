/// Templates of Jinja's language, as chat templates are written in, and nothing else: text, tags and expressions over
/// strings, numbers, lists and maps.
///
/// [org.gatun.template.Template] is the way in. Below it, in the order of reading: `Lexer` (characters to tokens, and
/// what white space goes), `Parser` (tokens to `Statement`s and `Expression`s), `Evaluator` (the tree, walked), with
/// `Operators`, `Filters`, `Tests` and the methods of values. `Budget` counts what a template takes. Nothing here knows of
/// files, tokens or models, and no object of Java is within a template's reach.
package org.gatun.template;
