package org.gatun.cli;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Optional;

/// Where the lines of a chat come from. Closed by whoever opened it; closing twice is harmless.
interface ChatInput extends AutoCloseable {

    /// A terminal with editing and history, or lines from a pipe.
    static ChatInput open(Console console) throws IOException {
        return console.readsFromTerminal() ? TerminalInput.open(console) : ofPipe(console);
    }

    private static ChatInput ofPipe(Console console) {
        InputStream in = new BufferedInputStream(console.in());
        return new ChatInput() {
            @Override
            public Optional<String> readLine() throws IOException {
                ByteArrayOutputStream line = new ByteArrayOutputStream();
                int next = in.read();
                if (next < 0) {
                    return Optional.empty();
                }
                for (; next >= 0 && next != '\n'; next = in.read()) {
                    line.write(next);
                }
                String text = Utf8.decode(line.toByteArray(), Path.of("standard input"));
                return Optional.of(text.endsWith("\r") ? text.substring(0, text.length() - 1) : text);
            }

            @Override
            public void onInterrupt(Runnable action) {
                // Ctrl-C ends the process
            }

            @Override
            public void close() {
                // standard input stays open
            }
        };
    }

    /// The next line; empty at the end.
    Optional<String> readLine() throws IOException;

    /// What Ctrl-C does from now on, outside of [#readLine].
    void onInterrupt(Runnable action);

    @Override
    void close() throws IOException;
}
