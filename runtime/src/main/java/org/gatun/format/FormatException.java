package org.gatun.format;

import java.io.IOException;
import java.nio.file.Path;

/// A file is not what it should be. The message names the file, the place, what was found and what was expected, in one
/// line: names that come from the file are cut short and lose their control characters.
public final class FormatException extends IOException {
    private static final long serialVersionUID = 1L;
    private static final int MAX_PROBLEM_LENGTH = 1200;

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

    /// A file that somebody writes to or cuts short while it is read.
    ///
    /// @param cause that revealed it, if any
    public static FormatException changed(Path file, Throwable cause) {
        return new FormatException(file, -1, "the file changed while it was read: expected it to stay as it is until the model is ready; "
                + "load it again", cause);
    }

    /// What a fault in mapped memory means: its file was cut short.
    ///
    /// @throws InternalError `error` itself, if it is no such fault
    public static FormatException ofFault(Path file, InternalError error) {
        if (!String.valueOf(error.getMessage()).contains("fault occurred")) {
            throw error;
        }
        return changed(file, error);
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
