package org.gatun.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;

/// Lines typed at a terminal, with editing, and a history that is kept in the user's configuration directory if that can be written. The
/// only class that knows JLine, which is loaded for a chat at a terminal alone.
final class TerminalInput implements ChatInput {
    private final Terminal terminal;
    private final LineReader reader;

    private TerminalInput(Terminal terminal) {
        this.terminal = terminal;
        LineReaderBuilder builder = LineReaderBuilder.builder().terminal(terminal).appName("gatun")
                .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true);
        historyFile(configurationDirectory()).ifPresent(file -> builder.variable(LineReader.HISTORY_FILE, file));
        reader = builder.build();
    }

    static TerminalInput open() throws IOException {
        Terminal terminal = TerminalBuilder.terminal();
        try {
            return new TerminalInput(terminal);
        } catch (RuntimeException e) {
            terminal.close();
            throw e;
        }
    }

    /// Where the history is kept; nowhere if the directory cannot be made or written, as in a container whose user has no home, for which
    /// Java says `?`.
    static Optional<Path> historyFile(Path directory) {
        if (!directory.isAbsolute()) {
            return Optional.empty();
        }
        try {
            return Optional.of(Files.createDirectories(directory)).filter(Files::isWritable).map(made -> made.resolve("chat-history"));
        } catch (IOException _) {
            return Optional.empty();
        }
    }

    private static Path configurationDirectory() {
        String configured = System.getenv("XDG_CONFIG_HOME");
        Path base = configured == null || configured.isEmpty()
                ? Path.of(System.getProperty("user.home"), ".config") : Path.of(configured);
        return base.resolve("gatun");
    }

    @Override
    public Optional<String> readLine() {
        try {
            return Optional.of(reader.readLine("> "));
        } catch (EndOfFileException | UserInterruptException _) {
            return Optional.empty();
        }
    }

    @Override
    public void onInterrupt(Runnable action) {
        terminal.handle(Terminal.Signal.INT, _ -> action.run());
    }

    @Override
    public void close() throws IOException {
        terminal.close();
    }
}
