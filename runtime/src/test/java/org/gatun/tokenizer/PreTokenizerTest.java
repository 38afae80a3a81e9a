package org.gatun.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PreTokenizerTest {

    private static List<String> words(String name, String text) {
        List<String> words = new ArrayList<>();
        PreTokenizer.named(name).orElseThrow().split(text, (from, to) -> words.add(text.substring(from, to)));
        assertEquals(text, String.join("", words));
        return words;
    }

    @ParameterizedTest
    @CsvSource(delimiter = ';', quoteCharacter = '`', value = {
            "gpt-2; I'll take 123  apples!!; I|'ll| take| 123| | apples|!!",
            "starcoder; a 123; a| |1|2|3",
            "llama-bpe; I'LL pay 12345 $$; I|'LL| pay| |123|45| $$",
            "qwen2; x=12\u00A0y; x|=|1|2|\u00A0y",
            "falcon; a-b 3333; a|-|b| |333|3",
            "deepseek-llm; Ab1 国x; Ab|1| |国|x",
            "deepseek-coder; ab12 cd!; ab|1|2| cd|!",
            "deepseek-v3; ab 1234 かな!x; ab| |123|4| |かな|!x",
            "gpt-4o; aBC Déjà's; a|BC| Déjà's",
            "tekken; HTTPServer 12; HTTPServer| |1|2",
            "kimi-k2; ab国国cd; ab|国国|cd",
            "bloom; a, b.c; a|,| b|.|c",
            "viking; a12; a|1|2",
            "superbpe; a1234567 12; a|1|234|567| |12",
            "chameleon; a!  b; a|!|  |b",
            "default; a-b 1234; a|-|b| |123|4",
    })
    void split_familyAndText_givesItsWords(String name, String text, String words) {
        assertEquals(words, String.join("|", words(name, text)));
    }

    /// Texts that make careless patterns recurse or look at everything again and again.
    @ParameterizedTest
    @ValueSource(strings = {"default", "llama3", "qwen2", "qwen35", "ufakzeka", "laguna", "minicpm5", "jais-2",
            "bailingmoe", "seed-coder", "gpt-2", "starcoder", "falcon", "deepseek-llm", "deepseek-coder", "deepseek-v3",
            "afmoe", "youtu", "gpt-4o", "tiny_aya", "superbpe", "tekken", "kimi-k2", "bloom", "viking", "chameleon"})
    void split_hugeText_takesLinearTime(String name) {
        assertTimeoutPreemptively(Duration.ofSeconds(60), () -> {
            for (String unit : List.of("a", "A", " ", "1", "'", "国", "\u0301", "ㄱ", "🦙a", "\n ", "IMGIMGA")) {
                String text = unit.repeat(TestScale.rounds(60_000, 300_000) / unit.length());
                assertTrue(words(name, text).size() <= text.length());
                assertTrue(words(name, "x" + text + "国").size() <= text.length() + 2);
            }
        });
    }

    @Test
    void named_unknown_isEmpty() {
        assertTrue(PreTokenizer.named("").isEmpty());
        assertTrue(PreTokenizer.named("qwen3-from-the-future").isEmpty());
    }
}
