package org.gatun.speculative.retrieval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.sampling.Sampling;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RetrievalDrafterTest {
    @TempDir
    Path directory;

    @Test
    void draft_severalContinuations_proposesTheMostFrequentFirst() {
        SuffixArray corpus = new SuffixArray(new int[] {1, 2, 7, 5, -1, 1, 2, 8, 6, -1, 1, 2, 8, 4, -1});

        assertEquals("8 7", Trees.text(new RetrievalDrafter(List.of(corpus), 2), 64, 1, 2));
        assertEquals("8(4 6) 7(5)", Trees.text(new RetrievalDrafter(List.of(corpus), 15), 64, 1, 2));
        assertEquals("8 7", Trees.text(new RetrievalDrafter(List.of(corpus), 15), 3, 1, 2));
    }

    @Test
    void draft_sameText_takesTheLongestEndAndNeverItself() {
        RetrievalDrafter drafter = new RetrievalDrafter(List.of(new SameText()), 3);

        assertEquals("4(5(9))", Trees.text(drafter, 64, 1, 2, 3, 4, 5, 9, 2, 3, 6, 1, 2, 3));
        assertEquals("", Trees.text(drafter, 64, 1, 2, 3));
        assertEquals("7", Trees.text(drafter, 64, 7, 7, 7));
    }

    @Test
    void draft_twoRetrievers_theLongerMatchCounts() {
        SuffixArray shorter = new SuffixArray(new int[] {2, 3, 9});
        SuffixArray longer = new SuffixArray(new int[] {1, 2, 3, 8});

        assertEquals("8", Trees.text(new RetrievalDrafter(List.of(shorter, longer), 15), 64, 1, 2, 3));
        assertEquals("8", Trees.text(new RetrievalDrafter(List.of(longer, shorter), 15), 64, 1, 2, 3));
        assertEquals("9", Trees.text(new RetrievalDrafter(List.of(shorter, longer), 15), 64, 7, 2, 3));
    }

    @Test
    void draft_textBefore_isRemembered() {
        RetrievalDrafter drafter = new RetrievalDrafter(List.of(new EarlierTexts()), 15);
        TokenSequence first = new TokenSequence(1, 2, 3);
        drafter.begin(null, first, Sampling.GREEDY);
        first.append(4);
        assertEquals("", Trees.text(drafter, 64, 2, 3));

        drafter.begin(null, new TokenSequence(4, 2, 3), Sampling.GREEDY);

        assertEquals("4", Trees.text(drafter, 64, 4, 2, 3));
        assertEquals("", Trees.text(drafter, 64, 3, 4)); // a text does not go on in the next one
    }

    @Test
    void open_badCorpus_isRefusedInOneLine() throws IOException {
        Path empty = Files.write(directory.resolve("empty.txt"), new byte[0]);
        Path binary = Files.write(directory.resolve("binary.txt"), new byte[] {'a', 0, 'b'});
        Path latin = Files.write(directory.resolve("latin.txt"), new byte[] {'a', (byte) 0xE9, 'b'});
        Path missing = directory.resolve("missing.txt");
        try (Backend backend = Backends.open("reference");
                Model model = Model.load(RandomModel.tiny(1).write(directory.resolve("model.gguf")), backend, ModelOptions.STANDARD)) {
            for (Path file : List.of(empty, binary, latin, missing, directory)) {
                String message = assertThrows(IllegalArgumentException.class,
                        () -> RetrievalDrafter.of(file.toString(), model, 15)).getMessage();

                assertTrue(message.contains(file.toString()) && message.contains("expected"), message);
                assertEquals(1, message.lines().count());
            }
        }
    }

    @Test
    void open_textCorpus_isReadWithTheTokenizerOfTheModel() throws IOException {
        Path file = Files.writeString(directory.resolve("corpus.txt"), "XYZ");
        try (Backend backend = Backends.open("reference");
                Model model = Model.load(RandomModel.tiny(1).write(directory.resolve("model.gguf")), backend, ModelOptions.STANDARD)) {
            RetrievalDrafter drafter = RetrievalDrafter.of(file.toString(), model, 15);

            assertEquals(Integer.toString('Z' - 'A' + 3), Trees.text(drafter, 64, 'X' - 'A' + 3, 'Y' - 'A' + 3));
        }
    }
}
