package org.gatun.cli;

import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStreamWriter;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.gatun.format.FormatException;

/// What a command reads from and writes to, in UTF-8 whatever the locale.
///
/// A terminal obeys control characters, and texts of models and files are not to command it: what goes to a terminal has them written
/// out, as `\x1b`. Elsewhere texts are left as they are.
final class Console {
    private static final Path STANDARD_INPUT = Path.of("-");

    private final InputStream in;
    private final Output output;
    private final PrintWriter out;
    private final PrintWriter err;
    private final boolean terminalOutput;
    private final boolean terminalError;
    private final boolean pipe;

    /// @param in standard input
    /// @param out for results
    /// @param err for progress, statistics and messages
    /// @param terminalOutput whether `out` is a terminal
    /// @param terminalError whether `err` is a terminal, on which a line may be overwritten
    Console(InputStream in, Writer out, Writer err, boolean terminalOutput, boolean terminalError) {
        this(in, out, err, terminalOutput, terminalError, false);
    }

    private Console(InputStream in, Writer out, Writer err, boolean terminalOutput, boolean terminalError, boolean pipe) {
        this.in = in;
        output = new Output(out);
        this.out = new PrintWriter(output);
        this.err = new PrintWriter(err);
        this.terminalOutput = terminalOutput;
        this.terminalError = terminalError;
        this.pipe = pipe;
    }

    /// The process's own streams.
    static Console ofProcess() {
        return new Console(ProcessStreams.inputIsClosed() ? new ClosedInput() : System.in, writer(FileDescriptor.out),
                writer(FileDescriptor.err), ProcessStreams.outputIsTerminal(), ProcessStreams.errorIsTerminal(),
                ProcessStreams.outputIsPipe());
    }

    private static Writer writer(FileDescriptor descriptor) {
        return new OutputStreamWriter(new FileOutputStream(descriptor), StandardCharsets.UTF_8);
    }

    /// Standard input when there is none.
    private static final class ClosedInput extends InputStream {
        @Override
        public int read() throws IOException {
            throw new IOException("standard input is closed");
        }
    }

    /// Keeps the first failure, which a [PrintWriter] swallows.
    private static final class Output extends Writer {
        private final Writer writer;
        private Optional<IOException> failure = Optional.empty();

        Output(Writer writer) {
            this.writer = writer;
        }

        @Override
        public void write(char[] text, int from, int length) throws IOException {
            try {
                writer.write(text, from, length);
            } catch (IOException e) {
                failure = failure.or(() -> Optional.of(e));
                throw e;
            }
        }

        @Override
        public void flush() throws IOException {
            try {
                writer.flush();
            } catch (IOException e) {
                failure = failure.or(() -> Optional.of(e));
                throw e;
            }
        }

        @Override
        public void close() throws IOException {
            writer.close();
        }
    }

    /// Standard input.
    InputStream in() {
        return in;
    }

    /// Where results go, for text of our own: nothing is written out.
    PrintWriter out() {
        return out;
    }

    /// Where messages go, for text of our own: nothing is written out.
    PrintWriter err() {
        return err;
    }

    /// Whether a line on [#err] may be overwritten.
    boolean interactive() {
        return terminalError;
    }

    /// Whether somebody types at [#in].
    boolean readsFromTerminal() {
        return in == System.in && System.console() != null && System.console().isTerminal();
    }

    /// @throws IOException if standard input is closed
    void requireInput() throws IOException {
        if (in instanceof ClosedInput closed) {
            closed.read();
        }
    }

    /// Prints a piece of a result at once.
    ///
    /// @return whether it was taken; false once a pipe is broken or a disk is full
    boolean print(String text) {
        out.print(terminalOutput ? visible(text) : text);
        return !out.checkError();
    }

    /// Prints a line of a result.
    void println(String line) {
        print(line + "\n");
    }

    /// Prints a line for people on standard error.
    void note(String line) {
        err.print((terminalError ? visible(line) : line) + "\n");
        err.flush();
    }

    /// Why results could not be written; empty if they were, or if their reader has gone, as `head` does, and wants no more.
    Optional<String> lostOutput() {
        out.flush();
        return output.failure.filter(e -> !isReaderGone(e)).map(e -> "standard output: " + e.getMessage());
    }

    /// The message may be in another language; but a pipe does not fail otherwise.
    private boolean isReaderGone(IOException e) {
        return pipe || String.valueOf(e.getMessage()).contains("Broken pipe");
    }

    /// A stream whose lines are noted, for what others print, such as warnings that are logged.
    PrintStream notes() {
        return new PrintStream(new ByteArrayOutputStream() {
            @Override
            public synchronized void flush() {
                String text = toString(StandardCharsets.UTF_8);
                if (!text.isEmpty()) {
                    reset();
                    note(text.endsWith("\n") ? text.substring(0, text.length() - 1) : text);
                }
            }
        }, true, StandardCharsets.UTF_8);
    }

    /// The text with control characters written out, but for ends of lines and tabulators.
    static String visible(String text) {
        StringBuilder written = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean obeyed = Character.isISOControl(c) && c != '\n' && c != '\t';
            written.append(obeyed ? "\\x%02x".formatted((int) c) : String.valueOf(c));
        }
        return written.toString();
    }

    /// The text of a file, or of standard input for `-`, without a byte order mark, else unaltered.
    ///
    /// @throws FormatException if it is a directory, or no UTF-8
    String read(Path file) throws IOException {
        if (Files.isDirectory(file)) {
            throw new FormatException(file, -1, "found a directory: expected a file with text");
        }
        return file.equals(STANDARD_INPUT) ? Utf8.decode(in.readAllBytes(), Path.of("standard input"))
                : Utf8.decode(Files.readAllBytes(file), file);
    }
}
