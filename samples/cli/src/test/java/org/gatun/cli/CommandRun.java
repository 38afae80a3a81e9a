package org.gatun.cli;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.StringWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// What a command gave, run in this process.
///
/// @param exitCode of the process, had it been one
/// @param out what it wrote to standard output
/// @param err what it wrote to standard error
record CommandRun(int exitCode, String out, String err) {

    /// Runs a command with nothing on standard input.
    static CommandRun of(String... arguments) {
        return withInput("", arguments);
    }

    /// Runs a command.
    static CommandRun withInput(String input, String... arguments) {
        return of(input.getBytes(StandardCharsets.UTF_8), false, arguments);
    }

    /// Runs a command whose output and messages go to a terminal.
    static CommandRun onTerminal(String... arguments) {
        return of(new byte[0], true, arguments);
    }

    /// Runs a command with bytes on standard input.
    static CommandRun of(byte[] input, boolean terminal, String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int exitCode = Gatun.run(new Console(new ByteArrayInputStream(input), out, err, terminal, terminal), arguments);
        return new CommandRun(exitCode, out.toString(), err.toString());
    }

    /// Runs a command each of whose writes of a result fails.
    static CommandRun withoutOutput(String failure, String... arguments) {
        return withoutOutput(failure, "", arguments);
    }

    /// The same with a text on standard input.
    static CommandRun withoutOutput(String failure, String input, String[] arguments) {
        Writer failing = new Writer() {
            @Override
            public void write(char[] text, int from, int length) throws IOException {
                throw new IOException(failure);
            }

            @Override
            public void flush() {}

            @Override
            public void close() {}
        };
        StringWriter err = new StringWriter();
        int exitCode = Gatun.run(new Console(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)), failing, err, false, false), arguments);
        return new CommandRun(exitCode, "", err.toString());
    }

    /// Standard output as the JSON it must be.
    JsonNode json() {
        return JsonMapper.shared().readTree(out);
    }
}
