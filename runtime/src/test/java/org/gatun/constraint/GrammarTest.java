package org.gatun.constraint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.gatun.constraint.Grammar.Guard;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Grammars against all words of a few letters, and expressions against those of Java.
class GrammarTest {
    private static final int MAX_LETTERS = 7;

    private final Regexes regexes = new Regexes();
    private final Grammar.Builder grammar = new Grammar.Builder(regexes, "a grammar");
    private final int rule = grammar.rule();

    private int lexeme(String text) {
        return grammar.lexeme(regexes.literal(text.getBytes(StandardCharsets.UTF_8)));
    }

    private static List<String> words(String letters) {
        List<String> words = new ArrayList<>(List.of(""));
        for (int i = 0; i < words.size() && words.get(i).length() < MAX_LETTERS; i++) {
            for (char letter : letters.toCharArray()) {
                words.add(words.get(i) + letter);
            }
        }
        return words;
    }

    private void requireWords(String letters, Predicate<String> expected) {
        Parser parser = new Parser(grammar.build(rule, Regexes.EPSILON), 1000);
        for (String word : words(letters)) {
            Parser.State state = parser.start();
            for (byte each : word.getBytes(StandardCharsets.UTF_8)) {
                state = parser.next(state, parser.byteClass(each));
            }
            assertEquals(expected.test(word), state != parser.dead() && state.isComplete(), word);
        }
    }

    @Test
    void parser_brackets_areThoseThatMatch() {
        grammar.add(rule);
        grammar.add(rule, lexeme("("), grammar.call(rule), lexeme(")"), grammar.call(rule));

        requireWords("()", word -> {
            int open = 0;
            for (char each : word.toCharArray()) {
                open += each == '(' ? 1 : -1;
                if (open < 0) {
                    return false;
                }
            }
            return open == 0;
        });
    }

    @Test
    void parser_leftRecursionAndAmbiguity_allWaysAreFollowed() {
        grammar.add(rule, grammar.call(rule), lexeme("b"), grammar.call(rule));
        grammar.add(rule, grammar.lexeme(RegexSyntax.whole("a+|ab+", regexes, set -> set.utf8(regexes))));
        grammar.add(rule, grammar.call(rule));

        Pattern pattern = Pattern.compile("(a+|ab+)(b(a+|ab+))*");
        requireWords("ab", word -> pattern.matcher(word).matches());
    }

    @Test
    void parser_ruleThatMayBeNothing_isSkippedInTheMiddle() {
        int maybe = grammar.rule();
        grammar.add(maybe);
        grammar.add(maybe, lexeme("b"), grammar.call(maybe));
        grammar.add(rule, grammar.call(maybe), grammar.call(maybe), lexeme("a"), grammar.call(maybe), grammar.call(maybe));

        requireWords("ab", word -> word.matches("b*ab*"));
    }

    @Test
    void parser_parameterAsSet_letsLettersComeOnceInAnyOrder() {
        int letters = grammar.rule();
        grammar.add(rule, lexeme("("), grammar.call(letters), lexeme(")"));
        grammar.add(letters, Guard.bits(0b11, 0b11)); // a and b are required
        for (int i = 0; i < 3; i++) {
            grammar.add(letters, Guard.bits(1L << i, 0), lexeme("abc".substring(i, i + 1)), grammar.tail(letters, 1L << i));
        }

        requireWords("abc()", word -> word.matches("\\([abc]*\\)") && word.contains("a") && word.contains("b")
                && word.chars().distinct().count() == word.length());
    }

    @Test
    void parser_parameterAsCounter_countsExactly() {
        int list = grammar.rule();
        grammar.add(rule, grammar.call(list), lexeme("!"));
        grammar.add(list, Guard.NONE.counter(8, 2, 4));
        grammar.add(list, Guard.NONE.counter(8, 0, 3), lexeme("a"), grammar.tail(list, 1 << 8));

        requireWords("a!", word -> word.matches("a{2,4}!"));
    }

    @Test
    void build_ruleThatLeadsNowhere_isDroppedOrRefused() {
        int endless = grammar.rule();
        grammar.add(endless, lexeme("a"), grammar.call(endless));
        grammar.add(rule, grammar.call(endless));
        assertThrows(IllegalArgumentException.class, () -> grammar.build(rule, Regexes.EPSILON));
        grammar.add(rule, lexeme("b"));

        requireWords("ab", "b"::equals);
    }

    @Test
    void builder_inheritedParameterBeforeTheEnd_isRefused() {
        assertThrows(IllegalArgumentException.class, () -> grammar.add(rule, grammar.tail(rule, 1), lexeme("a")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"a*b?c{2}", "(a|bc)*", "(ab?){1,3}c*", "[^a]*a", "a{0,2}b{2,}|c", "((a|b)*c){2}", ""})
    void matches_allWords_isWhatJavaSays(String expression) {
        int regex = RegexSyntax.whole(expression, regexes, set -> set.utf8(regexes));
        Pattern pattern = Pattern.compile(expression);

        for (String word : words("abc")) {
            byte[] bytes = word.getBytes(StandardCharsets.UTF_8);
            boolean expected = pattern.matcher(word).matches();
            assertEquals(expected, regexes.matches(regex, bytes), expression + " on " + word);
            assertEquals(!expected, regexes.matches(regexes.complement(regex), bytes), "not " + expression + " on " + word);
        }
    }

    @Test
    void matchesSomething_conjunctions_isWhetherAWordDoes() {
        Random random = new Random(TestScale.seed());
        String[] expressions = {"a*", "(ab)*", "b.*", "a{3}", ".*c", "[ab]*", "c?", ".{2}", "(a|b)+", ""};
        int[] all = new int[expressions.length];
        for (int i = 0; i < all.length; i++) {
            all[i] = RegexSyntax.whole(expressions[i], regexes, set -> set.utf8(regexes));
        }
        List<String> words = words("abc");
        for (int round = 0; round < 40; round++) {
            int first = all[random.nextInt(all.length)];
            int second = all[random.nextInt(all.length)];
            int both = regexes.conjunction(first, round % 2 == 0 ? second : regexes.complement(second));
            boolean found = words.stream().anyMatch(word -> regexes.matches(both, word.getBytes(StandardCharsets.UTF_8)));
            boolean said = regexes.matchesSomething(both);
            assertTrue(said || !found);
            if (said && !found) { // with letters beyond a, b and c
                assertTrue(regexes.matchesSomething(regexes.conjunction(both, RegexSyntax.whole("[^]*[^abc][^]*", regexes,
                        set -> set.utf8(regexes)))));
            }
        }
    }
}
