package org.gatun.generation;

import java.util.Optional;
import org.gatun.generation.Generation.Finish;
import org.gatun.tokenizer.TextStream;
import org.gatun.tokenizer.Tokenizer;

/// Turns the tokens of a text into pieces of it, each of whole characters, as they are generated, and finds where the text ends: at an
/// end-of-text token, or before a stop string, however that is spread over tokens and their bytes. What may be the beginning of a stop
/// string is held back.
///
/// One thread at a time.
public final class OutputText {
    private final Tokenizer tokenizer;
    private final boolean ignoreEndOfText;
    private final TextStream stream;
    private final StopStrings stopStrings;
    private Finish finish;

    /// @param prompt what is generated is read as its continuation; its own text is not shown
    /// @param options stop strings, and whether an end-of-text token ends
    public OutputText(Tokenizer tokenizer, int[] prompt, GenerationOptions options) {
        this.tokenizer = tokenizer;
        ignoreEndOfText = options.ignoreEndOfText();
        stream = tokenizer.stream();
        stopStrings = new StopStrings(options.stopStrings());
        for (int token : prompt) {
            textOf(token);
        }
    }

    /// Some models have more rows of logits than their tokenizer has tokens; those have no text.
    private String textOf(int token) {
        return token < tokenizer.vocabularySize() ? stream.append(token) : "";
    }

    /// Reads a token that was generated.
    ///
    /// @return text that is complete now; nothing after the end
    public String append(int token) {
        if (finish != null) {
            return "";
        }
        if (!ignoreEndOfText && token < tokenizer.vocabularySize() && tokenizer.isEndOfText(token)) {
            finish = Finish.END_OF_TEXT;
            return finishText();
        }
        String text = stopStrings.append(textOf(token));
        finish = stopStrings.found() ? Finish.STOP_STRING : null;
        return text;
    }

    /// What was held back, for a text that ends here for another reason.
    public String finishText() {
        return stopStrings.append(stream.finish()) + stopStrings.finish();
    }

    /// Why the text ended, once a token ended it. An [end-of-text token][Finish#END_OF_TEXT] is no part of the text, a token that completes a
    /// stop string is.
    public Optional<Finish> finish() {
        return Optional.ofNullable(finish);
    }
}
