package org.gatun.bundle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class HistoryPagesTest {
    private static final Path DOCS = Path.of("..", "..", "docs", "benchmarks");
    private static final String RUN = """
            {"time": "2026-01-02T03:04:05Z", "commit": "abc", "gpu": true, "driver": "cuda", "device": "A <b>GPU</b> | fast",
             "cuda_version": "13.0", "ceilings": {"copy_bytes_per_second": 4e12}, "tests": {"passed": 7, "failed": 0},
             "kernels": [{"kernel": "matmul", "shape": "8B qkv", "rows": 1, "median_us": 12.5, "min_us": 12, "max_us": 13,
             "bytes": 50000000, "operations": 1e8, "fraction": 0.9, "tflops": 8}]}
            """;

    @TempDir
    Path folder;

    private static List<JsonNode> runs(String... json) {
        return List.of(json).stream().map(JsonMapper.shared()::readTree).toList();
    }

    @Test
    void pages_aRun_haveItsFiguresAndNoForeignMarkup() {
        HistoryPages pages = new HistoryPages(runs(RUN));

        assertTrue(pages.markdown().contains("| matmul | 8B qkv | 1 | 12.5 | 12.0 | 13.0 | 90.0 % | 8.0 |"), pages.markdown());
        assertTrue(pages.markdown().contains("A <b>GPU</b> \\| fast"), pages.markdown());
        assertTrue(pages.html().contains("A &lt;b&gt;GPU&lt;/b&gt;") && pages.html().contains("<circle"), pages.html());
        for (String explained : List.of("kernels of Gatun", "peers", "what the measured bandwidth allows", "operations a byte", "TFLOP/s",
                "least and most the fastest and the slowest", "prefers-color-scheme:dark")) {
            assertTrue(pages.html().contains(explained), explained);
        }
        assertFalse(pages.html().matches("(?s).*(src|href|url)\\s*[=(].*"), "loads nothing");
    }

    @Test
    void pages_docs_areThoseOfTheHistory() throws IOException {
        List<JsonNode> runs = Files.readAllLines(DOCS.resolve("history.jsonl")).stream().filter(line -> !line.isBlank())
                .map(JsonMapper.shared()::readTree).toList();

        assertTrue(runs.stream().allMatch(run -> run.path("gpu").asBoolean(false)), "a run without a GPU is no record");
        assertEquals(new HistoryPages(runs).markdown(), Files.readString(DOCS.resolve("gpu.md")));
    }

    private int report(StringWriter err, String... arguments) {
        return new CommandLine(new ReportCommand()).setErr(new PrintWriter(err)).setExecutionExceptionHandler((e, command, _) -> {
            command.getErr().println(e.getMessage());
            return 2;
        }).execute(arguments);
    }

    @Test
    void report_runOnAGpu_isAppendedOnce() throws IOException {
        Path record = Files.writeString(folder.resolve("record.json"), RUN);
        Path history = folder.resolve("history.jsonl");
        Path page = folder.resolve("page.html");

        assertEquals(0, report(new StringWriter(), "--history", history.toString(), "--add", record.toString(), "--html",
                page.toString()));

        assertEquals(1, Files.readAllLines(history).size());
        assertTrue(Files.readString(page).contains("8B qkv"));
    }

    @Test
    void report_runOfTheSimulatorOrNoJson_isRefused() throws IOException {
        Path history = folder.resolve("history.jsonl");
        for (String bad : List.of(RUN.replace("\"gpu\": true", "\"gpu\": false").replace("\"cuda\"", "\"simulator\""), "{", "[]")) {
            Path record = Files.writeString(folder.resolve("record.json"), bad);
            StringWriter err = new StringWriter();

            assertEquals(2, report(err, "--history", history.toString(), "--add", record.toString()), bad);
            assertTrue(err.toString().contains("record.json") && err.toString().contains("expected"), err.toString());
            assertFalse(Files.exists(history));
        }
    }
}
