package org.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Where the lines of a chat are remembered.
class TerminalInputTest {
    @TempDir
    Path home;

    @Test
    void historyFile_directoryThatIsNotThereYet_isMade() {
        Path directory = home.resolve(".config/gatun");

        assertEquals(Optional.of(directory.resolve("chat-history")), TerminalInput.historyFile(directory));
        assertEquals(Optional.of(directory.resolve("chat-history")), TerminalInput.historyFile(directory));
    }

    @Test
    void historyFile_directoryThatCannotBeMade_isNone() throws IOException {
        Path file = Files.createFile(home.resolve("file"));

        assertEquals(Optional.empty(), TerminalInput.historyFile(file));
        assertEquals(Optional.empty(), TerminalInput.historyFile(file.resolve("gatun")));
        assertEquals(Optional.empty(), TerminalInput.historyFile(Path.of("?/.config/gatun")));
    }
}
