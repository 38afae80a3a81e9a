package org.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The script that starts Gatun, in a tree of its own, with programs in the place of Maven and Java that note how they were called.
class LauncherTest {
    private static final Path SCRIPT = Path.of("../../gatun");
    private static final List<String> TOOLS = List.of("awk", "cat", "date", "dirname", "find", "grep", "head", "ln", "locale", "mkdir",
            "mv", "readlink", "rm", "sed", "sh", "sleep", "sort", "tail", "touch");
    /// Notes when it begins and ends, and builds for as long as a file says.
    private static final String MAVEN = """
            #!/bin/sh
            echo "begin $*" >>notes
            echo '[INFO] Downloaded from central: some.jar'
            echo '[INFO] Building Gatun: command line 0.1.0-SNAPSHOT             [2/3]'
            if [ -f broken ]; then
                cat broken
                exit 1
            fi
            sleep "$(cat seconds)"
            mkdir -p samples/cli/target
            : >samples/cli/target/gatun-cli.jar
            echo end >>notes
            """;
    private static final String JAVA = """
            #!/bin/sh
            set -e
            echo "LC_ALL=${LC_ALL:-}"
            for argument; do
                echo "argument $argument"
            done
            cat
            """;

    @TempDir
    Path root;

    private Path bin;

    @BeforeEach
    void makeTree() throws IOException {
        assumeTrue(Files.isExecutable(Path.of("/bin/sh")), "no /bin/sh");
        for (String folder : List.of("bom", "native", "bindings/driver", "cuda-kernels", "runtime", "samples/cli")) {
            Files.createDirectories(root.resolve(folder));
        }
        Files.writeString(root.resolve("pom.xml"), "<project/>");
        Files.writeString(root.resolve("seconds"), "0");
        Files.copy(SCRIPT, root.resolve("gatun"), StandardCopyOption.COPY_ATTRIBUTES);
        bin = Files.createDirectories(root.resolve("tools"));
        write(bin.resolve("mvn"), MAVEN);
        write(Files.createDirectories(root.resolve("jdk/bin")).resolve("java"), JAVA);
        Files.writeString(root.resolve("jdk/release"), "JAVA_VERSION=\"25.0.1\"\n");
    }

    @AfterEach
    void endBuilds() throws IOException {
        ProcessHandle.current().descendants().forEach(ProcessHandle::destroyForcibly);
        for (String tool : TOOLS) {
            Files.deleteIfExists(bin.resolve(tool));
        }
        Files.deleteIfExists(bin.resolve("flock"));
    }

    private static void write(Path file, String script) throws IOException {
        Files.writeString(file, script);
        assertTrue(file.toFile().setExecutable(true));
    }

    /// A process in the tree, whose output goes to files.
    private record Start(Process process, Path out, Path err) {

        int exitCode() throws InterruptedException {
            assertTrue(process.waitFor(60, TimeUnit.SECONDS), "still runs after a minute");
            return process.exitValue();
        }

        /// Standard output of a process that must end well.
        String output() throws IOException, InterruptedException {
            assertEquals(0, exitCode(), messages());
            return Files.readString(out);
        }

        String messages() throws IOException {
            return Files.readString(err);
        }
    }

    /// Runs a line of the shell in the tree, where no tools are found but those that the script may use.
    private Start start(boolean flock, String line, String... environment) throws IOException {
        for (String tool : TOOLS) {
            link(tool);
        }
        if (flock) {
            assumeTrue(link("flock"), "no flock");
        }
        Path out = Files.createTempFile(bin, "out", "");
        Path err = Files.createTempFile(bin, "err", "");
        ProcessBuilder builder = new ProcessBuilder("/bin/sh", "-c", line).directory(root.toFile())
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(out.toFile()).redirectError(err.toFile());
        builder.environment().clear();
        builder.environment().put("PATH", bin.toString());
        builder.environment().put("GATUN_JAVA_HOME", root.resolve("jdk").toString());
        for (String entry : environment) {
            builder.environment().put(entry.substring(0, entry.indexOf('=')), entry.substring(entry.indexOf('=') + 1));
        }
        return new Start(builder.start(), out, err);
    }

    private boolean link(String tool) throws IOException {
        for (String folder : List.of("/usr/bin", "/bin")) {
            if (Files.exists(Path.of(folder, tool)) && !Files.exists(bin.resolve(tool))) {
                Files.createSymbolicLink(bin.resolve(tool), Path.of(folder, tool));
            }
        }
        return Files.exists(bin.resolve(tool));
    }

    private List<String> notes() throws IOException {
        Path notes = root.resolve("notes");
        return Files.exists(notes) ? Files.readAllLines(notes) : List.of();
    }

    private void awaitBuild() throws IOException, InterruptedException {
        for (int i = 0; i < 600 && notes().isEmpty(); i++) {
            Thread.sleep(50);
        }
        assertTrue(notes().getFirst().startsWith("begin"), notes()::toString);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void start_twoAtOnceInATreeThatIsNotBuilt_oneBuildsAndBothRun(boolean flock) throws Exception {
        Files.writeString(root.resolve("seconds"), "2");
        List<Start> starts = List.of(start(flock, "exec ./gatun one"), start(flock, "exec ./gatun two"), start(flock, "exec ./gatun three"));

        for (int i = 0; i < 3; i++) {
            assertTrue(starts.get(i).output().contains("argument " + List.of("one", "two", "three").get(i)));
        }
        assertEquals(2, notes().size(), "one build: " + notes());
        assertEquals(1, starts.stream().filter(start -> says(start, "gatun: built in")).count());
        assertEquals(2, starts.stream().filter(start -> says(start, "another start is building: waiting")).count());
    }

    private static boolean says(Start start, String text) {
        try {
            return start.messages().contains(text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void start_afterABuilderWasKilled_buildsAnew(boolean flock) throws Exception {
        Files.writeString(root.resolve("seconds"), "600");
        Path half = Files.createDirectories(root.resolve("runtime/target/classes")).resolve("Half.class");
        Start killed = start(flock, "exec ./gatun one");
        awaitBuild();
        Files.writeString(half, "half a class");
        Start waiting = start(flock, "exec ./gatun two");
        List<ProcessHandle> all = killed.process.descendants().toList();
        killed.process.destroyForcibly().waitFor();
        all.forEach(ProcessHandle::destroyForcibly);
        Files.writeString(root.resolve("seconds"), "0");

        assertTrue(waiting.output().contains("argument two"));
        assertEquals(3, notes().size(), "begun twice, ended once: " + notes());
        assertFalse(Files.exists(half), "what a killed build wrote is not built upon");
        assertTrue(start(flock, "exec ./gatun three").output().contains("argument three"));
        assertEquals(3, notes().size(), "nothing is left to build: " + notes());
    }

    @Test
    void start_whileMavenOutlivesItsKilledScript_waitsForMaven() throws Exception {
        Files.writeString(root.resolve("seconds"), "3");
        Start killed = start(true, "exec ./gatun one");
        awaitBuild();
        killed.process.destroyForcibly().waitFor();
        Files.writeString(root.resolve("seconds"), "0");

        assertTrue(start(true, "exec ./gatun two").output().contains("argument two"));
        assertEquals(List.of("begin", "end", "begin", "end"), notes().stream().map(note -> note.split(" ")[0]).toList());
    }

    @Test
    void start_firstTime_buildsTheCommandLineAndSaysItsSteps() throws Exception {
        Files.writeString(root.resolve("seconds"), "2");
        Start first = start(true, "./gatun one");
        first.output();

        assertTrue(notes().getFirst().endsWith("-pl samples/cli -am package"), notes()::toString);
        assertTrue(first.messages().contains("building: step 2 of 3, command line, 1 file downloaded"), first.messages());
        assertFalse(first.messages().contains("\r"), "no terminal: " + first.messages());
        Start second = start(true, "./gatun two");
        assertTrue(second.output().contains("argument two"));
        assertEquals("", second.messages());
        assertEquals(2, notes().size(), "no second build");

        Path source = Files.writeString(root.resolve("runtime/A.java"), "class A {}");
        Files.setLastModifiedTime(source, FileTime.from(Instant.now().plusSeconds(5)));
        start(true, "./gatun three").output();
        assertEquals(4, notes().size(), "a newer source is built");
    }

    @ParameterizedTest
    @ValueSource(strings = {"[ERROR] something is wrong", "something is wrong with JAVA_HOME"})
    void start_buildThatFails_showsItsErrorsAndExits2(String said) throws Exception {
        Files.writeString(root.resolve("broken"), said + "\n");
        Start start = start(true, "./gatun one");

        assertEquals(2, start.exitCode());
        assertEquals("", Files.readString(start.out));
        assertTrue(start.messages().contains("something is wrong") && start.messages().contains("target/build.log"), start.messages());
        Files.delete(root.resolve("broken"));
        assertTrue(start(true, "./gatun two").output().contains("argument two"));
    }

    @Test
    void start_messagesThatCannotBeWritten_buildsAndRuns() throws Exception {
        assumeTrue(Files.isWritable(Path.of("/dev/full")), "no /dev/full");
        assertTrue(start(true, "./gatun one 2>/dev/full").output().contains("argument one"));
        assertEquals(2, notes().size(), notes()::toString);
    }

    @Test
    void start_nothingCanBeBuiltHere_saysSoAndExits2() throws Exception {
        Files.createFile(root.resolve("target"));
        Start start = start(true, "./gatun one");

        assertEquals(2, start.exitCode());
        assertEquals("gatun: there is something to build, but " + root.toRealPath().resolve("target") + " cannot be written\n",
                start.messages());
    }

    @Test
    void start_closedStreams_areSaidOrFail() throws Exception {
        start(true, "./gatun one").output();

        String closed = start(true, "./gatun two <&-").output();
        assertTrue(closed.contains("argument -Dgatun.input=closed"), closed);
        String open = start(true, "echo said | ./gatun three").output();
        assertTrue(open.contains("argument -Dgatun.input=open") && open.endsWith("said\n"), open);
        assertTrue(open.contains("argument -Dgatun.terminal.output=false") && open.contains("argument -Dgatun.terminal.error=false"), open);
        assertTrue(start(true, "./gatun four >&-").exitCode() != 0, "writing fails as on a closed stream");
        assertTrue(start(true, "./gatun five 2>&-").output().contains("argument five"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"LC_ALL=xx_YY.UTF-8", "LANG=xx_YY.UTF-8", "LANG=C", "LC_CTYPE=POSIX", "UNSET=1", "LC_ALL=C.UTF-8"})
    void start_anyLocale_runsJavaInOneOfUtf8(String locale) throws Exception {
        Start start = start(true, "./gatun \"$(printf 'caf\\303\\251')\"", locale);
        String output = start.output();
        assertTrue(output.contains("LC_ALL=C.UTF-8\n") || output.contains("LC_ALL=C.utf8\n"), output);
        assertTrue(output.contains("argument caf\u00e9"), output);
    }
}
