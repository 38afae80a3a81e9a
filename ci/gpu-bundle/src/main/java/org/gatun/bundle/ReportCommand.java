package org.gatun.bundle;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Keeps the history of runs, a JSON object a line, and makes pages of it.
@Command(name = "report", mixinStandardHelpOptions = true,
        description = "Adds a run to the history, and writes the history as a page and as a table.")
final class ReportCommand implements Callable<Integer> {
    private static final JsonMapper JSON = JsonMapper.shared();

    @Option(names = "--history", paramLabel = "FILE", required = true, description = "records of runs, a line each")
    private Path history;

    @Option(names = "--add", paramLabel = "RECORD", description = "record.json of a run on a GPU, to be appended")
    private Optional<Path> added;

    @Option(names = "--html", paramLabel = "FILE", description = "page to write, with nothing loaded from elsewhere")
    private Optional<Path> html;

    @Option(names = "--markdown", paramLabel = "FILE", description = "table to write")
    private Optional<Path> markdown;

    @Override
    public Integer call() throws IOException {
        if (added.isPresent()) {
            JsonNode record = read(added.get(), Files.readString(added.get()));
            if (!record.path("gpu").asBoolean(false)) {
                throw new IllegalArgumentException("--add " + added.get() + ": found a run on "
                        + record.path("driver").asString("no driver") + ", expected one on a GPU");
            }
            Files.writeString(history, JSON.writeValueAsString(record) + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        }
        List<JsonNode> records = new ArrayList<>();
        for (String line : Files.exists(history) ? Files.readAllLines(history) : List.<String>of()) {
            if (!line.isBlank()) {
                records.add(read(history, line));
            }
        }
        HistoryPages pages = new HistoryPages(records);
        if (html.isPresent()) {
            Files.writeString(html.get(), pages.html());
        }
        if (markdown.isPresent()) {
            Files.writeString(markdown.get(), pages.markdown());
        }
        System.out.println(records.size() + " runs in " + history);
        return 0;
    }

    private static JsonNode read(Path file, String json) {
        try {
            return JSON.readTree(json);
        } catch (JacksonException e) {
            throw new IllegalArgumentException(file + ": found no JSON, expected a record of a run: " + e.getOriginalMessage(), e);
        }
    }
}
