package org.gatun.speculative.retrieval;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.gatun.model.Model;
import org.gatun.tokenizer.Tokenizer;

/// Reads the file of text that retrieval searches.
final class Corpus {
    /// A text is tokenized in memory.
    private static final long MAX_BYTES = 256L << 20;

    private Corpus() {}

    /// The tokens of a text file in the order that finds continuations; an empty one where no file is named. Padding that is written out
    /// in the file ends a text.
    ///
    /// @param file name of a UTF-8 text file, or empty
    /// @param target whose tokens they are
    /// @throws IllegalArgumentException if the file cannot be read, is empty, too large or not text
    static SuffixArray read(String file, Model target) {
        int[] tokens = file.isEmpty() ? new int[0] : target.tokenizer().encode(text(Path.of(file)), Tokenizer.Special.NONE);
        for (int i = 0; i < tokens.length; i++) {
            tokens[i] = tokens[i] < target.unpaddedVocabulary() ? tokens[i] : -1;
        }
        return new SuffixArray(tokens);
    }

    private static String text(Path file) {
        try {
            long size = Files.size(file);
            if (size == 0 || size > MAX_BYTES) {
                throw new IllegalArgumentException("corpus " + file + " has " + size + " bytes: expected UTF-8 text of 1 to "
                        + MAX_BYTES + " bytes");
            }
            String text = Files.readString(file);
            if (text.indexOf('\0') >= 0) {
                throw new IllegalArgumentException("corpus " + file + " holds a zero byte: expected UTF-8 text");
            }
            return text;
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException("corpus " + file + " is not UTF-8: expected UTF-8 text", e);
        } catch (IOException e) {
            throw new IllegalArgumentException("corpus " + file + " cannot be read (" + e.getMessage()
                    + "): expected a file of UTF-8 text", e);
        }
    }
}
