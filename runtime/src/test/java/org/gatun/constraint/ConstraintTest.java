package org.gatun.constraint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.gatun.test.TestScale;
import org.gatun.tokenizer.Tokenizer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.json.JsonMapper;

class ConstraintTest {
    private static final Pieces TOKENS = Pieces.random("abc019{}[]\":, .-eé漢\\n", 300, 11);
    private static final TokenTrie TRIE = TokenTrie.of(TOKENS);
    private static final List<Constraint> CONSTRAINTS = List.of(Constraint.json(), Constraint.regex("(ab|c[^a]?){1,5}é*"),
            Constraint.regex("[a-c]{0,40}"), Constraint.choices(List.of("abc", "ab", "a漢", "b:1")), Constraint.regex(".*:.*"));

    private static boolean accepts(CompiledConstraint constraint, String text) {
        return accepts(constraint, TOKENS.encode(text, Tokenizer.Special.NONE));
    }

    private static boolean accepts(CompiledConstraint constraint, int... tokens) {
        ConstraintMatcher matcher = constraint.matcher();
        for (int token : tokens) {
            if (!matcher.accept(token)) {
                return false;
            }
        }
        return matcher.isComplete();
    }

    private static int[] mask(ConstraintMatcher matcher) {
        int[] mask = new int[TRIE.words()];
        matcher.mask(mask);
        return mask;
    }

    private static boolean isSet(int[] mask, int token) {
        return (mask[token >> 5] >>> token & 1) != 0;
    }

    /// Walks at random over what may follow, and ends where the text may.
    private static String walk(CompiledConstraint constraint, Random random, int most, Consumer<ConstraintMatcher> visit) {
        ConstraintMatcher matcher = constraint.matcher();
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        for (int length = 0; length < most; length++) {
            visit.accept(matcher);
            int[] mask = mask(matcher);
            if (isSet(mask, TOKENS.end()) && random.nextInt(4) == 0) {
                assertTrue(matcher.accept(TOKENS.end()));
                return text.toString(StandardCharsets.UTF_8);
            }
            int token = random.nextInt(TOKENS.vocabularySize());
            while (!isSet(mask, token)) {
                token = (token + 1) % TOKENS.vocabularySize();
            }
            assertTrue(matcher.accept(token));
            if (matcher.isEnded()) {
                return text.toString(StandardCharsets.UTF_8);
            }
            text.writeBytes(TOKENS.bytes(token));
        }
        return null;
    }

    @Test
    void mask_randomStates_isWhatBruteForceAccepts() {
        Random random = new Random(TestScale.seed());
        for (Constraint each : CONSTRAINTS) {
            CompiledConstraint constraint = each.compile(TRIE);
            for (int round = 0; round < TestScale.rounds(4, 60); round++) {
                walk(constraint, random, 30, matcher -> {
                    int[] mask = mask(matcher);
                    for (int token = 0; token < TOKENS.vocabularySize(); token++) {
                        ConstraintMatcher copy = matcher.fork();
                        assertEquals(copy.accept(token), isSet(mask, token), each + ": token " + token + " '" + TOKENS.piece(token) + "'");
                    }
                });
            }
        }
    }

    @Test
    void walk_finishedTexts_areValid() {
        List<Predicate<String>> judges = List.of(ConstraintTest::isJson, Pattern.compile("(ab|c[^a]?){1,5}é*").asMatchPredicate(),
                Pattern.compile("[a-c]{0,40}").asMatchPredicate(), List.of("abc", "ab", "a漢", "b:1")::contains,
                Pattern.compile("[^\\n\\r\u2028\u2029]*:[^\\n\\r\u2028\u2029]*").asMatchPredicate());
        Random random = new Random(TestScale.seed() + 1);
        for (int i = 0; i < CONSTRAINTS.size(); i++) {
            CompiledConstraint constraint = CONSTRAINTS.get(i).compile(TRIE);
            int finished = 0;
            for (int round = 0; round < TestScale.rounds(100, 5000); round++) {
                String text = walk(constraint, random, 40, _ -> { });
                assertTrue(text == null || judges.get(i).test(text), CONSTRAINTS.get(i) + " wrote '" + text + "'");
                finished += text == null ? 0 : 1;
            }
            assertTrue(finished > 0, CONSTRAINTS.get(i) + " finished no text");
        }
    }

    private static boolean isJson(String text) {
        try {
            JsonMapper.shared().readTree(text);
            return !text.isBlank();
        } catch (RuntimeException _) {
            return false;
        }
    }

    @Test
    void rollback_anyNumber_restoresMasksBitForBit() {
        CompiledConstraint constraint = Constraint.json().compile(TRIE);
        ConstraintMatcher matcher = constraint.matcher();
        int[] tokens = TOKENS.encode("{\"a\": [1, {\"b\": \"c\"}], \"é\": null}", Tokenizer.Special.NONE);
        int[][] masks = new int[tokens.length][];
        for (int i = 0; i < tokens.length; i++) {
            masks[i] = mask(matcher);
            assertTrue(matcher.accept(tokens[i]));
        }
        for (int back = tokens.length - 1; back >= 0; back--) {
            matcher.rollback(1);
            assertArrayEquals(masks[back], mask(matcher));
        }
        assertThrows(IllegalArgumentException.class, () -> matcher.rollback(1));
    }

    @Test
    void json_nestedLists_comeBackToTheSameState() {
        CompiledConstraint constraint = Constraint.json().compile(TRIE);

        Parser.State once = behind(constraint, "{\"a\": [1, [2, ");
        Parser.State again = behind(constraint, "{\"abc\" : [{}, 3, [{\"b\":1}, [], 2, ");

        assertEquals(once, again);
    }

    private static Parser.State behind(CompiledConstraint constraint, String text) {
        Parser.State state = constraint.start();
        for (byte each : text.getBytes(StandardCharsets.UTF_8)) {
            state = constraint.behind(state, each & 0xff);
        }
        return state;
    }

    @Test
    void forcedBytes_oneChoiceLeft_areItsRest() {
        ConstraintMatcher matcher = Constraint.choices(List.of("orderId", "orderName")).compile(TRIE).matcher();

        assertEquals("order", new String(matcher.forcedBytes(), StandardCharsets.UTF_8));
        for (int token : TOKENS.encode("orderN", Tokenizer.Special.NONE)) {
            assertTrue(matcher.accept(token));
        }
        assertEquals("ame", new String(matcher.forcedBytes(), StandardCharsets.UTF_8));
    }

    @Test
    void accept_endBeforeTheTextIsComplete_isRefused() {
        ConstraintMatcher matcher = Constraint.choices(List.of("ab")).compile(TRIE).matcher();

        assertFalse(matcher.accept(TOKENS.end()));
        assertTrue(matcher.accept('a'));
        assertTrue(matcher.accept('b'));
        assertTrue(matcher.accept(TOKENS.end()));
        assertFalse(matcher.accept('a'));
        assertThrows(IllegalStateException.class, () -> mask(matcher));
    }

    @Test
    void regex_countOfAHundredThousand_isCompiledAtOnce() {
        CompiledConstraint constraint = Constraint.regex("[ab]{3,100000}c").compile(TRIE);

        assertTrue(accepts(constraint, "ab".repeat(500) + "c"));
        assertFalse(accepts(constraint, "abc"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = ' ', value = {"a|bc bc", "^a$ a", "^(a|b)+?$ abab", "\\d{2,} 123", "[^\\W_]+ a1", "[\\w-]+ a-b", "\\u{1F600} 😀",
            "\\uD83D\\uDE00 😀", "\\x41\\u0042 AB", "(?<n>a)(?:b) ab", "\\p{Lu}+ ÄB", "[\\]\\\\] ]", "a{,2} a{,2}", "[é-ü] ö",
            "[^\\uD800-\\uDFFF] -", "[\\u0000-\\uDFFF] a", "\\cA|a a", "\\p{Lower}\\p{Alpha}\\p{Upper} éßÄ", "\\p{Script=Greek}+ αβ", "\\p{Uppercase_Letter} Ä", "(a{2}){3} aaaaaa", "a{2}? aa"})
    void regex_ecmaSyntax_matches(String expression, String text) {
        assertTrue(accepts(Constraint.regex(expression).compile(TRIE), text));
        assertFalse(accepts(Constraint.regex(expression).compile(TRIE), text + "\n"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"(?=a)b", "(?<!a)b", "a\\b", "(a)\\1", "a(b", "a)", "*a", "[b-a]", "a{3,2}", "[a", "x^y", "\\p{Nonsense}", "\\p{Alnum}", "\\p{Script_Extensions=Greek}", "a{2}{3}", "a**", "[\\c", "a\\c"})
    void regex_malformedOrUnsupported_isRefusedWithItsText(String expression) {
        String message = assertThrows(IllegalArgumentException.class, () -> Constraint.regex(expression).compile(TRIE)).getMessage();

        assertTrue(message.contains("'" + expression + "'"), message);
    }

    @Test
    void json_deeperThanAsked_isRefusedAndWhatIsOpenCanBeClosed() {
        CompiledConstraint constraint = Constraint.json().withMaxDepth(20).compile(TRIE);
        ConstraintMatcher matcher = constraint.matcher();
        int open = 0;
        while (matcher.accept('[')) {
            open++;
        }

        assertEquals(21, open);
        assertTrue(isSet(mask(matcher), ']') && !isSet(mask(matcher), '{'));
        for (; open > 0; open--) {
            assertTrue(matcher.accept(']'));
        }
        assertTrue(matcher.isComplete());
        assertThrows(IllegalArgumentException.class, () -> Constraint.json().withMaxDepth(0));
    }

    @Test
    void json_halfASurrogatePair_isRefused() {
        CompiledConstraint constraint = Constraint.json().compile(TRIE);

        assertFalse(accepts(constraint, "{\"k\\ud800\":null}"));
        assertFalse(accepts(constraint, "\"\\udc00\\ud800\""));
        assertTrue(accepts(constraint, "\"\\ud83d\\uDE00\\u0041\""));
    }

    @Test
    void regex_manyOptionalParts_isRefusedRatherThanSlow() {
        String message = assertThrows(IllegalArgumentException.class, () -> Constraint.regex("a?".repeat(3000)).compile(TRIE)).getMessage();

        assertTrue(message.contains("300 optional parts"), message);
        assertTrue(accepts(Constraint.regex("(a?){0,3000}").compile(TRIE), "a".repeat(3000)));
    }

    @Test
    void compile_tokensThatCannotSpellOrEnd_isRefused() {
        Constraint digits = Constraint.regex("[0-9]");
        CompiledConstraint endless = digits.compile(Pieces.only(false, "1"));

        assertTrue(assertThrows(IllegalArgumentException.class, () -> digits.compile(Pieces.only(true, "a", "b"))).getMessage().contains("spells"));
        assertTrue(assertThrows(IllegalArgumentException.class, () -> endless.matcherFor(1)).getMessage().contains("ends a text"));
    }

    @Test
    void tryMask_nothingSpellsWhatFollows_isFalseAndAllowsNothing() {
        ConstraintMatcher matcher = Constraint.regex("a|bX").compile(Pieces.only(true, "a", "b")).matcher();
        int[] mask = new int[1];

        assertTrue(matcher.tryMask(mask));
        assertTrue(matcher.accept(1));
        assertFalse(matcher.tryMask(mask));
        assertEquals(0, mask[0]);
        assertTrue(assertThrows(IllegalStateException.class, () -> matcher.mask(mask)).getMessage().contains("'regex a|bX'"));
    }

    @Test
    void compile_noTextMatches_isRefused() {
        assertTrue(assertThrows(IllegalArgumentException.class, () -> Constraint.regex("[^\\s\\S]").compile(TRIE)).getMessage()
                .contains("'regex [^\\s\\S]' is unsatisfiable"));
        assertThrows(IllegalArgumentException.class, () -> Constraint.choices(List.of()));
    }
}
