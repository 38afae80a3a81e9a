package org.gatun.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/// Where the lines of a chat come from. Closed by whoever opened it; closing twice is harmless.
interface ChatInput extends AutoCloseable {

    /// A terminal with editing and history, or lines from a pipe.
    static ChatInput open(Console console) throws IOException {
        return console.readsFromTerminal() ? TerminalInput.open() : ofPipe(console);
    }

    private static ChatInput ofPipe(Console console) {
        BufferedReader lines = new BufferedReader(new InputStreamReader(console.in(), StandardCharsets.UTF_8));
        return new ChatInput() {
            @Override
            public Optional<String> readLine() throws IOException {
                return Optional.ofNullable(lines.readLine());
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
