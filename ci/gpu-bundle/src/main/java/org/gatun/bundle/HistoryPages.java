package org.gatun.bundle;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import tools.jackson.databind.JsonNode;

/// The history of runs as tables, and the last run as a roofline plot.
///
/// @param records oldest first
record HistoryPages(List<JsonNode> records) {
    private static final int WIDTH = 900;
    private static final int HEIGHT = 480;
    private static final int MARGIN = 60;
    /// Decades of the plot: operations a byte, and TFLOP/s.
    private static final double[] X = {-1, 4};
    private static final double[] Y = {-2, 3};

    /// A table: its head, and a row's cells.
    ///
    /// @param note how to read it; may be empty
    private record Table(String title, String note, List<String> head, List<List<String>> rows) {}

    private List<Table> tables() {
        List<Table> tables = new ArrayList<>();
        tables.add(table("Runs", "", List.of("time", "commit", "device", "CUDA", "copy GB/s", "read GB/s", "tests passed", "failed"), records,
                run -> List.of(text(run, "time"), text(run, "commit"), text(run, "device"), text(run, "cuda_version"),
                        number("%.0f", run.at("/ceilings/copy_bytes_per_second").asDouble(0) / 1e9),
                        number("%.0f", run.at("/ceilings/read_bytes_per_second").asDouble(0) / 1e9),
                        number("%.0f", run.at("/tests/passed").asDouble(0)), number("%.0f", run.at("/tests/failed").asDouble(0)))));
        if (records.isEmpty()) {
            return tables;
        }
        JsonNode last = records.getLast();
        tables.add(table("Kernels of the last run", "µs is the median of the timed launches, least and most the fastest and the "
                + "slowest of them; of bandwidth, the time that the bytes take at the measured bandwidth, as part of the median.", List.of("kernel", "shape", "rows", "µs", "least", "most", "of bandwidth", "TFLOP/s"),
                lines(last, "kernels"), line -> List.of(text(line, "kernel"), text(line, "shape"), text(line, "rows"),
                        number("%.1f", value(line, "median_us")), number("%.1f", value(line, "min_us")),
                        number("%.1f", value(line, "max_us")), number("%.1f %%", 100 * value(line, "fraction")),
                        number("%.1f", value(line, "tflops")))));
        tables.add(table("Models of the last run", "", List.of("model", "type", "what", "rows", "ms", "tokens/s", "weights GB/s", "kernels a token",
                "host µs a token"),
                lines(last, "models"), line -> List.of(text(line, "model"), text(line, "dtype"), text(line, "what"), text(line, "rows"),
                        number("%.3f", value(line, "median_ms")), number("%.1f", value(line, "tokens_per_second")),
                        number("%.0f", value(line, "weight_bytes_per_second") / 1e9), number("%.1f", value(line, "kernels_per_token")),
                        number("%.1f", value(line, "host_us_per_token")))));
        tables.add(table("Peers in the last run", "µs is the median of the timed launches.", List.of("peer", "shape", "rows", "µs", "TFLOP/s"), lines(last, "peers"),
                line -> List.of(text(line, "peer"), text(line, "shape"), text(line, "rows"), number("%.1f", value(line, "median_us")),
                        number("%.1f", value(line, "tflops")))));
        return tables;
    }

    private static Table table(String title, String note, List<String> head, List<JsonNode> of,
            Function<JsonNode, List<String>> cells) {
        return new Table(title, note, head, of.stream().map(cells).toList());
    }

    private static List<JsonNode> lines(JsonNode record, String list) {
        List<JsonNode> lines = new ArrayList<>();
        record.path(list).forEach(lines::add);
        return lines;
    }

    private static String text(JsonNode node, String field) {
        return node.path(field).asString("");
    }

    private static double value(JsonNode node, String field) {
        return node.path(field).asDouble(0);
    }

    private static String number(String format, double number) {
        return number == 0 ? "" : String.format(Locale.ROOT, format, number);
    }

    /// Tables for the docs.
    String markdown() {
        StringBuilder page = new StringBuilder("# Runs on GPUs\n\nEvery figure here was measured on the device that is named.\n");
        if (records.isEmpty()) {
            return page.append("\nThere is none yet.\n").toString();
        }
        for (Table table : tables()) {
            if (!table.rows.isEmpty()) {
                page.append("\n## ").append(table.title).append("\n\n").append(table.note).append(table.note.isEmpty() ? "" : "\n\n");
                line(page, table.head);
                line(page, table.head.stream().map(_ -> "---").toList());
                table.rows.forEach(row -> line(page, row.stream().map(cell -> cell.replace("|", "\\|")).toList()));
            }
        }
        return page.toString();
    }

    private static void line(StringBuilder page, List<String> cells) {
        page.append("| ").append(String.join(" | ", cells)).append(" |\n");
    }

    /// A page that needs nothing else.
    String html() {
        StringBuilder page = new StringBuilder("""
                <!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
                <title>Gatun on GPUs</title>
                <style>:root{color-scheme:light dark;--text:#222;--page:#fff;--faint:#ddd;--gatun:#2f6fbf;--peers:#c8692a}
                @media (prefers-color-scheme:dark){:root{--text:#ddd;--page:#181a1b;--faint:#3c3f41;--gatun:#6fa8e8;--peers:#e8955a}}
                body{font:14px system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:var(--text);background:var(--page)}
                .wide{overflow-x:auto;margin-bottom:2em}table{border-collapse:collapse}
                td,th{padding:.2em .8em;border-bottom:1px solid var(--faint);text-align:right}th{vertical-align:bottom}
                td:first-child,th:first-child,td:nth-child(2),th:nth-child(2){text-align:left}td{white-space:nowrap}
                svg{width:100%;min-width:34em;height:auto}svg text{fill:var(--text)}.grid{stroke:var(--faint)}.roof{stroke:var(--text)}
                .gatun{fill:var(--gatun)}.peers{fill:var(--peers)}
                .key span{display:inline-block;width:.8em;height:.8em;border-radius:50%;margin:0 .4em 0 1em}
                .key span.roof{height:0;border-top:2px solid var(--text);border-radius:0;width:1.6em;vertical-align:middle}</style>
                <h1>Gatun on GPUs</h1>
                """);
        if (records.isEmpty()) {
            page.append("<p>No run yet.</p>");
        } else {
            page.append(roofline(records.getLast()));
        }
        for (Table table : tables()) {
            if (table.rows.isEmpty()) {
                continue;
            }
            page.append("<h2>").append(escaped(table.title)).append("</h2>");
            if (!table.note.isEmpty()) {
                page.append("<p>").append(escaped(table.note)).append("</p>");
            }
            page.append("<div class=\"wide\"><table><tr>");
            table.head.forEach(cell -> page.append("<th>").append(escaped(cell)).append("</th>"));
            page.append("</tr>");
            for (List<String> row : table.rows) {
                page.append("<tr>");
                row.forEach(cell -> page.append("<td>").append(escaped(cell)).append("</td>"));
                page.append("</tr>\n");
            }
            page.append("</table></div>\n");
        }
        return page.append("</html>\n").toString();
    }

    /// Both axes logarithmic: operations a byte that must be moved, and TFLOP/s; the line is what bandwidth allows.
    private static String roofline(JsonNode run) {
        StringBuilder plot = new StringBuilder("""
                <h2>Roofline of the last run</h2>
                <p class="key"><span class="gatun" style="background:var(--gatun)"></span>kernels of Gatun
                <span class="peers" style="background:var(--peers)"></span>peers
                <span class="roof"></span>what the measured bandwidth allows. Both axes are logarithmic.</p>
                <div class="wide"><svg viewBox="0 0 %d %d" role="img">
                """.formatted(WIDTH, HEIGHT));
        for (int decade = (int) X[0]; decade <= X[1]; decade++) {
            plot.append(grid(x(decade), y(Y[0]), x(decade), y(Y[1])));
            plot.append(label(x(decade), HEIGHT - MARGIN + 20, "middle", power(decade)));
        }
        for (int decade = (int) Y[0]; decade <= Y[1]; decade++) {
            plot.append(grid(x(X[0]), y(decade), x(X[1]), y(decade)));
            plot.append(label(MARGIN - 8, y(decade) + 4, "end", power(decade)));
        }
        plot.append(label(WIDTH / 2.0, HEIGHT - 10, "middle", "operations a byte"));
        plot.append(label(MARGIN, MARGIN - 30, "start", "TFLOP/s"));
        double roof = Math.max(run.at("/ceilings/copy_bytes_per_second").asDouble(1), run.at("/ceilings/read_bytes_per_second").asDouble(1));
        double offset = Math.log10(roof / 1e12);
        plot.append(String.format(Locale.ROOT, "<line class=\"roof\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                x(X[0]), y(X[0] + offset), x(Y[1] - offset), y(Y[1])));
        for (JsonNode line : lines(run, "kernels")) {
            point(plot, line, "gatun", text(line, "kernel"));
        }
        for (JsonNode line : lines(run, "peers")) {
            point(plot, line, "peers", text(line, "peer"));
        }
        return plot.append("</svg></div>\n").toString();
    }

    private static String grid(double x1, double y1, double x2, double y2) {
        return String.format(Locale.ROOT, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>%n", x1, y1, x2, y2);
    }

    private static void point(StringBuilder plot, JsonNode line, String kind, String name) {
        double bytes = value(line, "bytes");
        double tflops = value(line, "tflops");
        if (bytes > 0 && tflops > 0) {
            plot.append(String.format(Locale.ROOT, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill-opacity=\".7\"><title>%s, %s, "
                    + "%s rows: %.1f µs</title></circle>%n", kind, x(Math.log10(value(line, "operations") / bytes)), y(Math.log10(tflops)),
                    escaped(name), escaped(text(line, "shape")), escaped(text(line, "rows")), value(line, "median_us")));
        }
    }

    private static double x(double decade) {
        return MARGIN + (Math.clamp(decade, X[0], X[1]) - X[0]) / (X[1] - X[0]) * (WIDTH - 2 * MARGIN);
    }

    private static double y(double decade) {
        return HEIGHT - MARGIN - (Math.clamp(decade, Y[0], Y[1]) - Y[0]) / (Y[1] - Y[0]) * (HEIGHT - 2 * MARGIN);
    }

    private static String power(int decade) {
        return String.format(Locale.ROOT, decade < 0 ? "%." + -decade + "f" : "%.0f", Math.pow(10, decade));
    }

    private static String label(double x, double y, String anchor, String text) {
        return String.format(Locale.ROOT, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"13\" text-anchor=\"%s\">%s</text>%n", x, y, anchor,
                escaped(text));
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }
}
