package org.gatun.tokenizer;

/// Turns tokens into text as they come, never splitting a character: bytes of an unfinished UTF-8 sequence wait for the
/// tokens that finish it. Not safe for several threads.
public interface TextStream {

    /// The text that this token completes; may be empty.
    String append(int token);

    /// Whatever is left, an unfinished character as U+FFFD.
    String finish();
}
