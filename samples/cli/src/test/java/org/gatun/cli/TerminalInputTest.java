package org.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.logging.Logger;
import org.jline.terminal.TerminalBuilder;
import org.junit.jupiter.api.Assertions;
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
    void historyFile_nameThatSomethingElseHas_isNone() throws IOException {
        Files.createDirectories(home.resolve("chat-history"));

        assertEquals(Optional.empty(), TerminalInput.historyFile(home));
    }

    /// A terminal at which somebody has typed something, and does not go.
    private static TerminalBuilder typed(String keys, OutputStream out) throws IOException {
        PipedOutputStream keyboard = new PipedOutputStream();
        PipedInputStream in = new PipedInputStream(keyboard);
        keyboard.write(keys.getBytes(StandardCharsets.UTF_8));
        return TerminalBuilder.builder().system(false).type("xterm-256color").encoding(StandardCharsets.UTF_8).streams(in, out);
    }

    @Test
    void readLine_keysTypedBeforeThePrompt_areRead() throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/script")), "there is no script, which runs a program at a terminal of its own");
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        Path output = home.resolve("output");
        Process process = new ProcessBuilder("/usr/bin/script", "-qec", "exec '" + java + "' --enable-native-access=ALL-UNNAMED "
                + "-XX:TieredStopAtLevel=1 -cp '" + System.getProperty("java.class.path") + "' '" + Typing.class.getName() + "'", "/dev/null")
                .redirectErrorStream(true).redirectOutput(output.toFile()).start();
        try (OutputStream keyboard = process.getOutputStream()) {
            keyboard.write("first\nsécond\n".getBytes(StandardCharsets.UTF_8));
            keyboard.flush();
            boolean ended = process.waitFor(60, TimeUnit.SECONDS);
            String read = Files.readString(output);
            assertTrue(ended && read.contains("read Optional[first], Optional[sécond]"), read);
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    /// Opens the terminal when something has been typed, and reads two lines.
    static final class Typing {
        private Typing() {}

        public static void main(String[] arguments) throws IOException, InterruptedException {
            while (System.in.available() == 0) {
                Thread.sleep(5);
            }
            TerminalBuilder builder = TerminalBuilder.builder().type("xterm-256color").encoding(StandardCharsets.UTF_8);
            try (TerminalInput input = TerminalInput.open(builder, Optional.empty(), System.err::println)) {
                String read = "read " + input.readLine() + ", " + input.readLine();
                System.out.writeBytes((read + "\n").getBytes(StandardCharsets.UTF_8));
            }
        }
    }

    @Test
    void readLine_historyThatCanBeKept_isThereNextTime() throws IOException {
        Path history = home.resolve("chat-history");
        try (TerminalInput input = TerminalInput.open(typed("first\n", OutputStream.nullOutputStream()), Optional.of(history), Assertions::fail)) {
            input.readLine();
            assertTrue(Files.readString(history).contains("first"));
        }
        String up = "\u0010"; // as Ctrl-P
        try (TerminalInput input = TerminalInput.open(typed(up + "\n", OutputStream.nullOutputStream()), Optional.of(history), Assertions::fail)) {
            assertEquals(Optional.of("first"), input.readLine());
        }
    }

    @Test
    void readLine_historyThatCannotBeKept_isSaidOnce() throws IOException {
        Path history = Files.createFile(home.resolve("file")).resolve("chat-history");
        List<String> notes = new ArrayList<>();
        Logger log = Logger.getLogger("org.jline");
        log.setFilter(record -> !record.getMessage().contains("history") || !notes.add(record.getMessage()));
        try (TerminalInput input = TerminalInput.open(typed("first\nsecond\n", OutputStream.nullOutputStream()), Optional.of(history),
                notes::add)) {
            assertEquals(Optional.of("first"), input.readLine());
            assertEquals(Optional.of("second"), input.readLine());
        } finally {
            log.setFilter(null);
        }
        assertEquals(1, notes.size(), notes::toString);
        assertTrue(notes.getFirst().startsWith("gatun: the history of this chat is not kept: "), notes::toString);
    }

    @Test
    void historyFile_directoryThatCannotBeMade_isNone() throws IOException {
        Path file = Files.createFile(home.resolve("file"));

        assertEquals(Optional.empty(), TerminalInput.historyFile(file));
        assertEquals(Optional.empty(), TerminalInput.historyFile(file.resolve("gatun")));
        assertEquals(Optional.empty(), TerminalInput.historyFile(Path.of("?/.config/gatun")));
    }
}
