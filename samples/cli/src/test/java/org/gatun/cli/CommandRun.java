package org.gatun.cli;

import java.io.ByteArrayInputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
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
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        Console console = new Console(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)), new PrintWriter(out),
                new PrintWriter(err), false);
        int exitCode = Gatun.run(console, arguments);
        return new CommandRun(exitCode, out.toString(), err.toString());
    }

    /// Standard output as the JSON it must be.
    JsonNode json() {
        return JsonMapper.shared().readTree(out);
    }
}
