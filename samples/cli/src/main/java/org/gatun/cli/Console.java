package org.gatun.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.gatun.format.FormatException;

/// What a command reads from and writes to, in UTF-8 whatever the locale.
///
/// @param in standard input
/// @param out results
/// @param err progress, statistics and messages
/// @param interactive whether `err` is a terminal, on which a line may be overwritten
record Console(InputStream in, PrintWriter out, PrintWriter err, boolean interactive) {
    private static final Path STANDARD_INPUT = Path.of("-");

    /// The process's own streams.
    static Console ofProcess() {
        // Java cannot ask whether standard error is a terminal; the launcher can.
        return new Console(System.in, writer(FileDescriptor.out), writer(FileDescriptor.err), Boolean.getBoolean("gatun.terminal"));
    }

    private static PrintWriter writer(FileDescriptor descriptor) {
        return new PrintWriter(new OutputStreamWriter(new FileOutputStream(descriptor), StandardCharsets.UTF_8));
    }

    /// Whether somebody types at [#in].
    boolean readsFromTerminal() {
        return in == System.in && System.console() != null && System.console().isTerminal();
    }

    /// Prints a piece of a result at once.
    ///
    /// @return whether anybody still reads it; false once a pipe is broken
    boolean print(String text) {
        out.print(text);
        return !out.checkError();
    }

    /// Prints a line of a result.
    void println(String line) {
        print(line + "\n");
    }

    /// Prints a line for people on standard error.
    void note(String line) {
        err.print(line + "\n");
        err.flush();
    }

    /// The text of a file, or of standard input for `-`, unaltered.
    ///
    /// @throws FormatException if it is a directory
    String read(Path file) throws IOException {
        if (Files.isDirectory(file)) {
            throw new FormatException(file, -1, "found a directory: expected a file with text");
        }
        byte[] bytes = file.equals(STANDARD_INPUT) ? in.readAllBytes() : Files.readAllBytes(file);
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
