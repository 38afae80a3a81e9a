package org.gatun.format;

import java.io.IOException;
import java.nio.file.Path;

/// A file is not what it should be. The message names the file, the place, what was found and what was expected, in one
/// line: names that come from the file are cut short and lose their control characters.
public final class FormatException extends IOException {
    private static final long serialVersionUID = 1L;
    private static final int MAX_PROBLEM_LENGTH = 600;

    private final transient Path file;
    private final long offset;

    /// @param file the damaged file
    /// @param offset byte offset of the fault, or -1 where there is no single place
    /// @param problem what was found, what was expected
    public FormatException(Path file, long offset, String problem) {
        this(file, offset, problem, null);
    }

    /// As the other, with the exception that revealed it.
    public FormatException(Path file, long offset, String problem, Throwable cause) {
        super(file + (offset < 0 ? "" : " at byte " + offset) + ": " + oneLine(problem), cause);
        this.file = file;
        this.offset = offset;
    }

    /// The damaged file.
    public Path file() {
        return file;
    }

    /// Byte offset of the fault, or -1.
    public long offset() {
        return offset;
    }

    /// A text that came from a file, as a short line without control characters.
    static String oneLine(String problem) {
        String cut = problem.length() <= MAX_PROBLEM_LENGTH ? problem : problem.substring(0, MAX_PROBLEM_LENGTH) + "…";
        return cut.replaceAll("\\p{Cntrl}", "\uFFFD");
    }
}
