package org.gatun.cli;

import java.time.LocalDate;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.ToDoubleFunction;

/// A benchmark as one HTML page that needs nothing else: a table and plots in SVG.
///
/// @param subject what was measured on what
/// @param rows one a method
/// @param plain the row of plain decoding, if it was measured
/// @param greedy whether tokens can be compared
record BenchReport(String subject, List<BenchRow> rows, Optional<BenchRow> plain, boolean greedy) {
    private static final String[] COLOURS = {"#4c6a92", "#d1803a", "#5b8c5a", "#a04b5b", "#7a6a9e", "#8a7b52"};
    private static final int WIDTH = 640;
    private static final int BAR_HEIGHT = 26;
    private static final int LABEL_WIDTH = 160;
    private static final int PLOT_HEIGHT = 240;

    String html() {
        return """
                <!DOCTYPE html>
                <html lang="en">
                <meta charset="utf-8">
                <title>gatun bench</title>
                <style>
                body { font: 15px/1.5 sans-serif; max-width: 52em; margin: 2em auto; color: #222 }
                table { border-collapse: collapse } th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ccc }
                th:first-child, td:first-child { text-align: left } svg text { font: 13px sans-serif }
                </style>
                <h1>gatun bench</h1>
                <p>%s; %s</p>
                %s
                <h2>Tokens a second</h2>
                %s
                <h2>Tokens a pass of the target</h2>
                %s
                <h2>Tokens a second, prompt by prompt</h2>
                %s
                </html>
                """.formatted(escape(subject), LocalDate.now(), table(), bars(BenchRow::tokensPerSecond),
                bars(BenchRow::meanAcceptedLength), lines());
    }

    private String table() {
        StringBuilder html = new StringBuilder("<table><tr><th>method<th>prompts<th>tokens<th>seconds<th>tokens/s<th>speedup"
                + "<th>mean accepted length").append(greedy ? "<th>identical to none" : "").append('\n');
        for (BenchRow row : rows) {
            html.append(format("<tr><td>%s<td>%d<td>%d<td>%.2f<td>%.1f<td>%s<td>%.2f%s\n", escape(row.name()),
                    row.outcomes().size(), row.tokens(), row.seconds(), row.tokensPerSecond(),
                    plain.map(other -> format("%.2f", row.speedup(other))).orElse("-"), row.meanAcceptedLength(),
                    greedy ? "<td>" + plain.map(other -> row.isIdenticalTo(other) ? "yes" : "no").orElse("-") : ""));
        }
        return html.append("</table>").toString();
    }

    /// A bar a method.
    private String bars(ToDoubleFunction<BenchRow> value) {
        double most = rows.stream().mapToDouble(value).max().orElse(0);
        StringBuilder svg = begin(rows.size() * BAR_HEIGHT);
        for (int i = 0; i < rows.size(); i++) {
            double number = value.applyAsDouble(rows.get(i));
            double width = most == 0 ? 0 : number / most * (WIDTH - LABEL_WIDTH - 70);
            int y = i * BAR_HEIGHT;
            svg.append(format("<text x='0' y='%d'>%s</text><rect x='%d' y='%d' width='%.1f' height='%d' fill='%s'/>"
                    + "<text x='%.1f' y='%d'>%.2f</text>\n", y + 17, escape(rows.get(i).name()), LABEL_WIDTH, y + 3, width,
                    BAR_HEIGHT - 6, colour(i), LABEL_WIDTH + width + 6, y + 17, number));
        }
        return svg.append("</svg>").toString();
    }

    /// A line a method, a point a prompt.
    private String lines() {
        double most = rows.stream().flatMap(row -> row.outcomes().stream()).mapToDouble(Outcome::tokensPerSecond).max().orElse(0);
        StringBuilder svg = begin(PLOT_HEIGHT + rows.size() * BAR_HEIGHT);
        svg.append(format("<path d='M40 0V%d H%d' fill='none' stroke='#888'/><text x='0' y='12'>%.0f</text><text x='0' y='%d'>0</text>\n",
                PLOT_HEIGHT, WIDTH, most, PLOT_HEIGHT));
        for (int i = 0; i < rows.size(); i++) {
            List<Outcome> outcomes = rows.get(i).outcomes();
            StringBuilder points = new StringBuilder();
            for (int prompt = 0; prompt < outcomes.size(); prompt++) {
                double x = 40 + (prompt + 0.5) * (WIDTH - 40) / outcomes.size();
                double y = PLOT_HEIGHT * (1 - (most == 0 ? 0 : outcomes.get(prompt).tokensPerSecond() / most));
                points.append(format("%.1f,%.1f ", x, y));
                svg.append(format("<circle cx='%.1f' cy='%.1f' r='3' fill='%s'/>\n", x, y, colour(i)));
            }
            svg.append(format("<polyline points='%s' fill='none' stroke='%s'/><text x='40' y='%d' fill='%s'>%s</text>\n",
                    points, colour(i), PLOT_HEIGHT + 20 + i * BAR_HEIGHT, colour(i), escape(rows.get(i).name())));
        }
        return svg.append("</svg>").toString();
    }

    private static StringBuilder begin(int height) {
        return new StringBuilder(format("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' width='%d' height='%d'>\n",
                WIDTH, height, WIDTH, height));
    }

    private static String colour(int row) {
        return COLOURS[row % COLOURS.length];
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&#39;");
    }

    private static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
