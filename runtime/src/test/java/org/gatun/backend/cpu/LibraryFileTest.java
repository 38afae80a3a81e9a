package org.gatun.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LibraryFileTest {
    private static final String RESOURCE = "META-INF/gatun/linux-x86_64/libgatun.so";

    @TempDir
    Path directory;

    @BeforeEach
    void requireUnixAndLibrary() {
        assumeTrue(directory.getFileSystem().supportedFileAttributeViews().contains("unix"), "owners and modes of files are those of Unix");
        assumeTrue(LibraryFile.class.getClassLoader().getResource(RESOURCE) != null, "no kernels for linux-x86_64: no C compiler, or another machine");
    }

    private static byte[] library() throws IOException {
        try (InputStream in = LibraryFile.class.getClassLoader().getResourceAsStream(RESOURCE)) {
            return in.readAllBytes();
        }
    }

    private Path folder(String name, String mode) throws IOException {
        Path folder = Files.createDirectory(directory.resolve(name));
        return Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString(mode));
    }

    private static void assertEmpty(Path folder) throws IOException {
        try (Stream<Path> entries = Files.list(folder)) {
            assertEquals(List.of(), entries.toList());
        }
    }

    private static String refusal(Path... places) {
        return assertThrows(IOException.class, () -> LibraryFile.load(library(), "libgatun.so", List.of(places))).getMessage();
    }

    @Test
    void load_folderOfThisUser_loadsAndLeavesNothing() throws IOException {
        Path place = folder("own", "rwx------");
        assertTrue(LibraryFile.load(library(), "libgatun.so", List.of(place)).find("gatun_run").isPresent());
        assertEmpty(place);
    }

    /// What others see while the file is there: a folder that they cannot enter, and in it a file that they cannot write.
    @Test
    void load_whileItIsThere_isOfThisUserAlone() throws Exception {
        Path place = folder("watched", "rwx------");
        Path recorded = Files.createFile(directory.resolve("recorded"));
        Thread recorder = Thread.ofPlatform().start(() -> {
            try {
                while (Files.size(recorded) == 0) {
                    try (Stream<Path> entries = Files.walk(place)) {
                        List<Path> found = entries.toList();
                        if (found.size() == 3) {
                            Files.writeString(recorded, PosixFilePermissions.toString(Files.getPosixFilePermissions(found.get(1))) + " "
                                    + PosixFilePermissions.toString(Files.getPosixFilePermissions(found.get(2))));
                        }
                    } catch (IOException | UncheckedIOException _) {
                        // gone again: looked at too late
                    }
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        byte[] library = library();
        for (int i = 0; i < 1000 && Files.size(recorded) == 0; i++) {
            LibraryFile.load(library, "libgatun.so", List.of(place));
        }
        recorder.join(TimeUnit.SECONDS.toMillis(10));
        assertEquals("rwx------ rw-------", Files.readString(recorded));
    }

    @ParameterizedTest
    @ValueSource(strings = {"rwxrwxrwx", "rwxrwx---", "rwx----w-"})
    void load_folderThatOthersWrite_isRefusedAndTheNextTaken(String mode) throws IOException {
        Path open = folder("open", mode);
        String refused = refusal(open);
        assertTrue(refused.startsWith(open + " can be written by others, mode 7"), refused);
        assertTrue(refused.contains("-Dgatun.native.folder=FOLDER"), refused);
        assertEmpty(open);
        assertTrue(LibraryFile.load(library(), "libgatun.so", List.of(open, folder("own", "rwx------"))).find("gatun_run").isPresent());
    }

    @Test
    void load_belowFolderThatOthersWrite_isRefused() throws IOException {
        Path open = folder("open", "rwxrwxrwx");
        Path inner = Files.createDirectory(open.resolve("inner"), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        assertTrue(refusal(inner).startsWith(inner + " lies in " + open + ", which can be written by others, mode 777"), refusal(inner));
    }

    /// As /tmp is: nobody can rename what is another's.
    @Test
    void load_folderWithStickyBit_isTaken() throws IOException {
        Path place = folder("tmp", "rwxrwxrwx");
        Files.setAttribute(place, "unix:mode", (int) Files.getAttribute(place, "unix:mode") | 01000);
        assertTrue(LibraryFile.load(library(), "libgatun.so", List.of(place)).find("gatun_run").isPresent());
        assertEmpty(place);
    }

    /// A link is as good as what it leads to.
    @Test
    void load_linkToFolderThatOthersWrite_isRefused() throws IOException {
        Path link = Files.createSymbolicLink(directory.resolve("link"), folder("open", "rwxrwxrwx"));
        assertTrue(refusal(link).startsWith(link + " can be written by others"), refusal(link));
        Path good = Files.createSymbolicLink(directory.resolve("good"), folder("own", "rwx------"));
        assertTrue(LibraryFile.load(library(), "libgatun.so", List.of(good)).find("gatun_run").isPresent());
    }

    @Test
    void load_folderOfAnotherUser_isRefused() throws IOException {
        Path theirs = folder("theirs", "rwxr-xr-x");
        try {
            Files.setAttribute(theirs, "unix:uid", 12345);
        } catch (IOException e) {
            assumeTrue(false, "only root can give a folder to another user");
        }
        assertTrue(refusal(theirs).startsWith(theirs + " belongs to 12345"), refusal(theirs));
    }

    @Test
    void load_noFolderAtAll_namesEachWithItsCause() throws IOException {
        Path file = Files.createFile(directory.resolve("file"));
        Path open = folder("open", "rwxrwxrwx");
        String refused = refusal(file, open);
        assertTrue(refused.contains(file.toString()) && refused.contains(open.toString()), refused);
        assertFalse(refused.contains("\n"), refused);
    }

    @Test
    void load_fileSystemThatTakesNoFolders_saysSo() throws IOException {
        assumeTrue(Files.isDirectory(Path.of("/proc/self")), "there is no /proc");
        assertTrue(refusal(Path.of("/proc")).startsWith("/proc: no folder can be made there; -Dgatun.native.folder=FOLDER"), refusal(Path.of("/proc")));
    }

    @Test
    void load_folderThatWasNotThere_isGoneAgainIfItFails() throws IOException {
        Path place = directory.resolve("new/er/place");
        assertThrows(IOException.class, () -> LibraryFile.load(new byte[] {1, 2, 3}, "libgatun.so", List.of(place)));
        assertEmpty(directory);

        Path kept = Files.createDirectory(directory.resolve("there"));
        assertThrows(IOException.class, () -> LibraryFile.load(new byte[] {1, 2, 3}, "libgatun.so", List.of(kept.resolve("new"))));
        assertEmpty(kept);
        assertTrue(LibraryFile.load(library(), "libgatun.so", List.of(place)).find("gatun_run").isPresent());
        assertEmpty(place);
    }

    /// In a name space of its own, where a small file system can be mounted.
    private String onMount(String options) throws IOException, InterruptedException {
        Path place = folder("mount", "rwx------");
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        Process process = new ProcessBuilder("unshare", Files.isWritable(Path.of("/root")) ? "-m" : "-rm", "sh", "-c",
                "mount -t tmpfs -o " + options + " none " + place + " || exit 99; exec \"$@\"", "sh", java,
                "--enable-native-access=ALL-UNNAMED", "-XX:TieredStopAtLevel=1", "-Dgatun.native.folder=" + place, "-cp",
                System.getProperty("java.class.path"), Reason.class.getName()).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int exitCode = process.waitFor();
        assumeTrue(exitCode != 99 && !output.startsWith("unshare:"), "file systems cannot be mounted here");
        assertEquals(0, exitCode, output);
        return output.strip();
    }

    /// Prints why there are no kernels.
    static final class Reason {
        private Reason() {}

        public static void main(String[] arguments) {
            System.out.println(CpuBackend.unavailableReason().orElse("loaded"));
        }
    }

    @Test
    void load_noexecFolder_saysCauseAndRemedy() throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/unshare")), "there is no unshare to mount a file system with");
        String reason = onMount("size=64m,mode=0700,noexec");
        assertTrue(reason.contains("failed to map segment") && reason.contains("noexec") && reason.contains("-Dgatun.native.folder="), reason);
    }

    @Test
    void load_fullFolder_saysCauseAndRemedy() throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/unshare")), "there is no unshare to mount a file system with");
        String reason = onMount("size=16k,mode=0700");
        assertTrue(reason.contains("No space left on device") && reason.contains("-Dgatun.native.folder="), reason);
    }

    @Test
    void load_roomyFolder_loads() throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/unshare")), "there is no unshare to mount a file system with");
        assertEquals("loaded", onMount("size=64m,mode=0700"));
    }
}
