package org.gatun.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class AtomicOutputTest {
    /// More than any system gives.
    private static final String DEAD = "4999999-abc-xyz.part";

    @TempDir
    Path directory;

    private List<String> names() throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.map(entry -> entry.getFileName().toString()).sorted().toList();
        }
    }

    private void writeFolder(String name, String content) throws IOException {
        try (AtomicOutput output = AtomicOutput.folder(directory.resolve(name))) {
            Files.writeString(output.path().resolve("content"), content);
            output.commit();
        }
    }

    @Test
    void commit_fileOverFile_replacesItAndLeavesNothingElse() throws IOException {
        AtomicOutput.write(directory.resolve("a.txt"), "old");
        try (AtomicOutput output = AtomicOutput.file(directory.resolve("a.txt"))) {
            Files.writeString(output.path(), "new");
            assertEquals("old", Files.readString(directory.resolve("a.txt")));
            assertEquals(2, names().size(), names().toString());
            output.commit();
        }
        assertEquals("new", Files.readString(directory.resolve("a.txt")));
        assertEquals(List.of("a.txt"), names());
    }

    @Test
    void commit_folderOverFolder_hasNothingOfTheOld() throws IOException {
        writeFolder("a", "old");
        Files.writeString(directory.resolve("a/more"), "of the old");
        writeFolder("a", "new");
        assertEquals("new", Files.readString(directory.resolve("a/content")));
        assertFalse(Files.exists(directory.resolve("a/more")));
        assertEquals(List.of("a"), names());
    }

    @Test
    void commit_folderWithLeftoverOfAFileInIt_hasTheFileAlone() throws IOException {
        try (AtomicOutput output = AtomicOutput.folder(directory.resolve("a"))) {
            AtomicOutput.write(output.path().resolve("content"), "new");
            Files.writeString(Files.createDirectory(output.path().resolve("content." + DEAD)).resolve("lock"), "");
            output.commit();
        }
        try (Stream<Path> entries = Files.list(directory.resolve("a"))) {
            assertEquals(List.of(directory.resolve("a/content")), entries.toList());
        }
    }

    @Test
    void close_withoutCommit_leavesWhatWasThere() throws IOException {
        writeFolder("a", "old");
        try (AtomicOutput output = AtomicOutput.folder(directory.resolve("a"))) {
            Files.writeString(output.path().resolve("content"), "new");
        }
        AtomicOutput closed = AtomicOutput.file(directory.resolve("b"));
        Files.writeString(closed.path(), "new");
        closed.close();
        closed.close();
        assertThrows(IllegalStateException.class, closed::commit);
        assertEquals("old", Files.readString(directory.resolve("a/content")));
        assertEquals(List.of("a"), names());
    }

    @Test
    void commit_folderOverFolderManyTimes_neverWithoutTheName() throws Exception {
        writeFolder("probe", "1");
        writeFolder("probe2", "2");
        assumeTrue(NameExchange.exchange(directory.resolve("probe"), directory.resolve("probe2")),
                "this system cannot exchange two names in one step");
        assertEquals("2", Files.readString(directory.resolve("probe/content")));
        writeFolder("a", "0");
        AtomicBoolean done = new AtomicBoolean();
        AtomicBoolean missing = new AtomicBoolean();
        Thread reader = Thread.ofPlatform().start(() -> {
            while (!done.get()) {
                if (!Files.exists(directory.resolve("a/content"))) {
                    missing.set(true);
                }
            }
        });
        for (int i = 1; i <= 100; i++) {
            writeFolder("a", String.valueOf(i));
        }
        done.set(true);
        reader.join();
        assertFalse(missing.get());
    }

    @Test
    void open_leftoversOfDeadRuns_areRemoved() throws IOException {
        Path file = Files.createDirectory(directory.resolve("a.gguf." + DEAD));
        Files.writeString(file.resolve("lock"), "");
        Files.writeString(file.resolve("new"), "half");
        Path folder = Files.createDirectories(directory.resolve("other." + DEAD)); // dead before it had a lock
        Files.createDirectories(folder.resolve("new/model.safetensors." + DEAD));
        Files.writeString(directory.resolve("mine.part"), "of another program");
        AtomicOutput.write(directory.resolve("a.gguf"), "whole");
        assertEquals(List.of("a.gguf", "mine.part"), names());
        assertEquals("whole", Files.readString(directory.resolve("a.gguf")));
    }

    /// Where names cannot be exchanged, a run may end when the old folder has lost its name and the new one has not got it.
    @Test
    void open_runThatEndedBetweenTwoRenames_isCompleted() throws IOException {
        Path staging = Files.createDirectory(directory.resolve("a." + DEAD));
        Files.writeString(Files.createDirectory(staging.resolve("old")).resolve("content"), "old");
        Files.writeString(Files.createDirectory(staging.resolve("new")).resolve("content"), "new");
        Path other = Files.createDirectory(directory.resolve("b." + DEAD));
        Files.writeString(Files.createDirectory(other.resolve("old")).resolve("content"), "old b");
        AtomicOutput.write(directory.resolve("c"), "c");
        assertEquals(List.of("a", "b", "c"), names());
        assertEquals("new", Files.readString(directory.resolve("a/content")));
        assertEquals("old b", Files.readString(directory.resolve("b/content")));
    }

    @Test
    void open_twiceForOneTarget_refusesTheSecondByName() throws IOException {
        Path target = directory.resolve("a.gguf");
        try (AtomicOutput first = AtomicOutput.file(target)) {
            assertTrue(assertThrows(IOException.class, () -> AtomicOutput.file(target)).getMessage()
                    .startsWith(target + " is being written by another run (a.gguf."));
            AtomicOutput.write(directory.resolve("b.gguf"), "another target");
            Files.writeString(first.path(), "first");
            first.commit();
        }
        assertEquals("first", Files.readString(target));
        assertEquals(List.of("a.gguf", "b.gguf"), names());
    }

    @Test
    void open_whileAnotherProcessWritesIt_isRefusedUntilThatIsKilled() throws Exception {
        Path target = directory.resolve("a.gguf");
        Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp",
                System.getProperty("java.class.path"), Holder.class.getName(), target.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try {
            assertEquals('h', process.getInputStream().read());
            assertThrows(IOException.class, () -> AtomicOutput.file(target));
        } finally {
            process.destroyForcibly().waitFor();
        }
        assertEquals(1, names().size());
        AtomicOutput.write(target, "mine");
        assertEquals(List.of("a.gguf"), names());
    }

    /// Begins an output and holds it.
    static final class Holder {
        private Holder() {}

        public static void main(String[] arguments) throws Exception {
            try (AtomicOutput output = AtomicOutput.file(Path.of(arguments[0]))) {
                Files.writeString(output.path(), "theirs");
                System.out.print("h");
                System.out.flush();
                Thread.sleep(60_000);
            }
        }
    }

    /// Ctrl-C and the like: what the process was making is removed as it ends.
    @Test
    void exit_withOpenOutput_leavesNothing() throws Exception {
        Path target = directory.resolve("a.gguf");
        Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp",
                System.getProperty("java.class.path"), Holder.class.getName(), target.toString()).start();
        try {
            assertEquals('h', process.getInputStream().read());
            assertEquals(1, names().size());
            process.destroy();
            process.waitFor();
            assertEquals(List.of(), names());
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void open_fileSystemThatTakesNoNames_saysSoAndNotThatAnotherRunWrites() {
        for (Path target : List.of(Path.of("/proc/model.gguf"), Path.of("/proc/self/model"), Path.of("/sys/model.gguf"))) {
            for (Executable open : List.<Executable>of(() -> AtomicOutput.file(target), () -> AtomicOutput.folder(target))) {
                String message = assertThrows(IOException.class, open).getMessage();
                assertFalse(message.contains("another run"), message);
                assertTrue(message.startsWith(target + ": nothing can be written in " + target.getParent() + " ("), message);
                assertFalse(message.contains(".part"), message);
            }
        }
    }

    @Test
    void open_badTargets_areNamed() throws IOException {
        Path folder = Files.createDirectory(directory.resolve("folder"));
        Path file = Files.writeString(directory.resolve("file"), "");
        assertTrue(assertThrows(IOException.class, () -> AtomicOutput.file(folder)).getMessage().contains("is a directory or device"));
        assertTrue(assertThrows(IOException.class, () -> AtomicOutput.folder(file)).getMessage().contains("is a file"));
        assertTrue(assertThrows(IOException.class, () -> AtomicOutput.folder(FileSystems.getDefault().getRootDirectories().iterator().next()))
                .getMessage().contains("cannot be replaced"));
        assertTrue(assertThrows(IOException.class, () -> AtomicOutput.file(directory.resolve("no/where"))).getMessage().contains("create it"));
        assertEquals(List.of("file", "folder"), names());
    }
}
