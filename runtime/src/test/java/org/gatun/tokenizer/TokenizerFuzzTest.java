package org.gatun.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.OptionalInt;
import org.gatun.format.FormatException;
import org.gatun.tokenizer.Tokenizer.Special;
import org.gatun.tokenizer.Vocabulary.Kind;
import org.gatun.tokenizer.Vocabulary.Spelling;
import org.junit.jupiter.api.io.TempDir;

/// As part of the build this replays the files under `TokenizerFuzzTestInputs`; with `JAZZER_FUZZ=1` in the environment,
/// and one method chosen, it searches for inputs that fail.
class TokenizerFuzzTest {
    @TempDir
    static Path directory;

    @FuzzTest(maxDuration = "5m")
    void sentencePiece_anyBytes_readsOrFails(byte[] bytes) throws IOException {
        try {
            Tokenizer tokenizer = Tokenizers.fromSentencePiece(Files.write(directory.resolve("any.model"), bytes));
            tokenizer.decode(tokenizer.encode(new String(bytes, StandardCharsets.UTF_8), Special.ADD));
        } catch (FormatException _) {
            // as it should be
        }
    }

    /// A text, a line feed, and a tokenizer for it.
    @FuzzTest(maxDuration = "5m")
    void tokenizerJson_anyBytes_readsOrFails(byte[] bytes) throws IOException {
        String input = new String(bytes, StandardCharsets.UTF_8);
        int line = input.indexOf('\n');
        try {
            Tokenizer tokenizer = Tokenizers.fromTokenizerJson(
                    Files.writeString(directory.resolve("any.json"), input.substring(line + 1)));
            tokenizer.decode(tokenizer.encode(input.substring(0, Math.max(0, line)), new Special(true, true)));
        } catch (FormatException _) {
            // as it should be
        } catch (IllegalArgumentException e) {
            assertTrue(e.getMessage().contains("steps a character"), e.getMessage());
        }
    }

    @FuzzTest(maxDuration = "5m")
    void bytePairs_anyText_comesBack(byte[] bytes) {
        String text = new String(bytes, StandardCharsets.UTF_8);
        for (String pre : List.of("default", "gpt-2", "llama-bpe", "deepseek-llm", "deepseek-v3", "gpt-4o", "superbpe")) {
            Tokenizer tokenizer = tokenizer(PreTokenizer.named(pre).orElseThrow());
            assertEquals(text, tokenizer.decode(tokenizer.encode(text, Special.NONE)));
        }
    }

    /// All bytes, and merges of some that are common in UTF-8.
    private static Tokenizer tokenizer(PreTokenizer words) {
        List<String> pieces = new ArrayList<>();
        for (int b = 0; b < 256; b++) {
            pieces.add(String.valueOf(ByteAlphabet.letter(b)));
        }
        List<String> merges = new ArrayList<>();
        for (int lead : new int[] {' ', 0xC3, 0xE2, 0xF0}) {
            for (int next : new int[] {'a', ' ', 0x80, 0x9F}) {
                String left = pieces.get(lead);
                String right = pieces.get(next);
                merges.add(left + " " + right);
                pieces.add(left + right);
            }
        }
        Kind[] kinds = new Kind[pieces.size()];
        Arrays.fill(kinds, Kind.NORMAL);
        Vocabulary vocabulary = new Vocabulary(pieces.toArray(String[]::new), kinds, new float[0], Spelling.BYTES);
        return new VocabularyTokenizer(vocabulary, new BytePairs(vocabulary, words, false, merges),
                new VocabularyTokenizer.Frame(new int[0], new int[0], OptionalInt.empty(),
                        new BitSet(), false));
    }
}
