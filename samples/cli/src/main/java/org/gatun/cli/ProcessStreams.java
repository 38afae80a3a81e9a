package org.gatun.cli;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// What the streams of this process are, which Java does not tell: the launcher says it by properties; without the launcher it is
/// seen where the system has `/proc`.
final class ProcessStreams {
    private static final int INPUT = 0;
    private static final int OUTPUT = 1;
    private static final int ERROR = 2;

    private ProcessStreams() {}

    /// Whether there is no standard input. Then a file that the JVM opened has its place, so it must not be read.
    static boolean inputIsClosed() {
        String said = System.getProperty("gatun.input");
        return said == null ? target(INPUT).filter(ProcessStreams::isOfJvm).isPresent() : said.equals("closed");
    }

    static boolean outputIsTerminal() {
        return isTerminal("gatun.terminal.output", OUTPUT);
    }

    static boolean errorIsTerminal() {
        return isTerminal("gatun.terminal.error", ERROR);
    }

    /// Whether standard output is read by another process.
    static boolean outputIsPipe() {
        return target(OUTPUT).filter(name -> name.startsWith("pipe:") || name.startsWith("socket:")).isPresent();
    }

    private static boolean isTerminal(String property, int descriptor) {
        String said = System.getProperty(property);
        return said == null ? target(descriptor).filter(name -> name.matches("/dev/(pts/|tty|console).*")).isPresent()
                : Boolean.parseBoolean(said);
    }

    private static boolean isOfJvm(String name) {
        Stream<String> classPath = Stream.of(System.getProperty("java.class.path").split(Pattern.quote(File.pathSeparator)))
                .filter(entry -> !entry.isEmpty()).map(entry -> Path.of(entry).toAbsolutePath().normalize().toString());
        return Stream.concat(Stream.of(System.getProperty("java.home")), classPath).anyMatch(name::startsWith);
    }

    /// What a descriptor leads to, as `/dev/pts/3` or `pipe:[81]`.
    private static Optional<String> target(int descriptor) {
        try {
            return Optional.of(Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor)).toString());
        } catch (IOException | UnsupportedOperationException | SecurityException _) {
            return Optional.empty(); // another system, or the descriptor is closed
        }
    }
}
