package org.gatun.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;

/// Lines typed at a terminal, with editing, and a history that is kept in the user's configuration directory as long as that can be
/// written; that it cannot is said once. The only class that knows JLine, which is loaded for a chat at a terminal alone.
final class TerminalInput implements ChatInput {
    private final Terminal terminal;
    private final LineReader reader;
    private final Consumer<String> notes;
    private boolean keepsHistory;

    private TerminalInput(Terminal terminal, Optional<Path> history, Consumer<String> notes) {
        this.terminal = terminal;
        this.notes = notes;
        keepsHistory = history.isPresent();
        LineReaderBuilder builder = LineReaderBuilder.builder().terminal(terminal).appName("gatun")
                .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
                .option(LineReader.Option.HISTORY_INCREMENTAL, false); // it would warn at each line that it cannot save
        history.ifPresent(file -> builder.variable(LineReader.HISTORY_FILE, file));
        reader = builder.build();
    }

    static TerminalInput open(Console console) throws IOException {
        return open(TerminalBuilder.builder(), historyFile(configurationDirectory()), console::note);
    }

    /// @param history where lines are kept
    /// @param notes hears once that they cannot be
    static TerminalInput open(TerminalBuilder builder, Optional<Path> history, Consumer<String> notes) throws IOException {
        // asking the terminal how wide it samples characters takes what was typed before for the answer, and drops it
        Terminal terminal = builder.graphemeCluster(false).build();
        try {
            return new TerminalInput(terminal, history, notes);
        } catch (RuntimeException e) {
            terminal.close();
            throw e;
        }
    }

    /// Where the history is kept; nowhere if the directory cannot be made or written, as in a container whose user has no home, for which
    /// Java says `?`, or if something else has its name.
    static Optional<Path> historyFile(Path directory) {
        if (!directory.isAbsolute()) {
            return Optional.empty();
        }
        try {
            Path file = Files.createDirectories(directory).resolve("chat-history");
            boolean isOurs = Files.isRegularFile(file) && Files.isReadable(file) && Files.isWritable(file);
            return isOurs || !Files.exists(file) && Files.isWritable(directory) ? Optional.of(file) : Optional.empty();
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
            String line = reader.readLine("> ");
            saveHistory();
            return Optional.of(line);
        } catch (EndOfFileException | UserInterruptException _) {
            return Optional.empty();
        }
    }

    private void saveHistory() {
        try {
            if (keepsHistory) {
                reader.getHistory().save();
            }
        } catch (IOException e) {
            keepsHistory = false;
            notes.accept("gatun: the history of this chat is not kept: " + e);
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
