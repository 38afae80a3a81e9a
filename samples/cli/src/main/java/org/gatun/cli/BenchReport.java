package org.gatun.cli;

import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import org.gatun.speculative.SpeculationStatistics.Depth;

/// A benchmark as one HTML page that needs nothing else: tables and plots in SVG.
///
/// @param result what was measured
record BenchReport(BenchResult result) {
    private static final String[] COLOURS = {"#4c6a92", "#d1803a", "#5b8c5a", "#a04b5b", "#7a6a9e", "#8a7b52"};
    private static final int WIDTH = 640;
    private static final int BAR_HEIGHT = 26;
    private static final int LABEL_WIDTH = 160;
    private static final int PLOT_HEIGHT = 240;

    /// Points of a line.
    ///
    /// @param name of the line
    /// @param xs where, in falling or rising order
    /// @param ys how high
    private record Line(String name, List<Double> xs, List<Double> ys) {}

    String html() {
        return """
                <!DOCTYPE html>
                <html lang="en">
                <meta charset="utf-8">
                <title>gatun bench</title>
                <style>
                body { font: 15px/1.5 sans-serif; max-width: 62em; margin: 2em auto; color: #222 }
                table { border-collapse: collapse } th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ccc }
                th:first-child, td:first-child { text-align: left } svg text { font: 13px sans-serif }
                </style>
                <h1>gatun bench</h1>
                <p>%s; %s; %d rounds, of which medians, least and most are shown</p>
                <p><strong>%s</strong></p>
                %s
                <h2>Tokens a second</h2>
                %s
                <h2>Tokens a pass of the target</h2>
                %s
                <h2>Speedup as the costs of passes predict it</h2>
                %s
                <h2>Where the time goes: drafting, verifying, the rest</h2>
                %s
                <h2>Acceptance by depth</h2>
                %s
                <h2>Time of a pass by its rows, in passes of one row</h2>
                %s
                %s
                </html>
                """.formatted(escape(result.subject()), LocalDate.now(), result.rows().getFirst().rounds().size(),
                escape(result.warning()), table(), bars(BenchRow::tokensPerSecond),
                bars(row -> exactly(row.statistics().meanAcceptedLength())),
                bars(row -> exactly(row.predictedSpeedup(result.plain()))), shares(), lines(depths(), 1),
                lines(List.of(costs()), 0), categories());
    }

    private static BenchRow.Spread exactly(double value) {
        return new BenchRow.Spread(value, value, value);
    }

    private String table() {
        StringBuilder html = new StringBuilder("<table><tr><th>method<th>prompts<th>tokens/s<th>speedup<th>least to most<th>predicted"
                + "<th>mean accepted length<th>rows a pass").append(result.greedy() ? "<th>identical to none" : "").append('\n');
        for (BenchRow row : result.rows()) {
            html.append(format("<tr><td>%s<td>%d<td>%.1f<td>%s<td>%s<td>%.2f<td>%.2f<td>%.2f%s\n", escape(row.name()), row.prompts(),
                    row.tokensPerSecond().median(),
                    result.plain().map(other -> format("%.2f", row.speedup(other).median())).orElse("-"),
                    result.plain().map(other -> format("%.2f to %.2f", row.speedup(other).least(), row.speedup(other).most())).orElse("-"),
                    row.predictedSpeedup(result.plain()), row.statistics().meanAcceptedLength(), row.statistics().meanRows(),
                    result.greedy() ? "<td>" + result.plain().map(other -> row.isIdenticalTo(other) ? "yes" : "no").orElse("-") : ""));
        }
        return html.append("</table>").toString();
    }

    private String categories() {
        StringBuilder html = new StringBuilder();
        for (String category : result.distinctCategories()) {
            BenchResult part = result.of(category);
            html.append("<h2>").append(category.isEmpty() ? "Without a category" : escape(category)).append("</h2>\n")
                    .append(new BenchReport(part).table()).append(new BenchReport(part).bars(BenchRow::tokensPerSecond));
        }
        return html.toString();
    }

    /// A bar a method, with a line from the least to the most.
    private String bars(Function<BenchRow, BenchRow.Spread> value) {
        List<BenchRow> rows = result.rows();
        double most = rows.stream().map(value).mapToDouble(BenchRow.Spread::most).max().orElse(0);
        double scale = most == 0 ? 0 : (WIDTH - LABEL_WIDTH - 70) / most;
        StringBuilder svg = begin(rows.size() * BAR_HEIGHT);
        for (int i = 0; i < rows.size(); i++) {
            BenchRow.Spread spread = value.apply(rows.get(i));
            int y = i * BAR_HEIGHT;
            svg.append(format("<text x='0' y='%d'>%s</text><rect x='%d' y='%d' width='%.1f' height='%d' fill='%s'/>"
                    + "<path d='M%.1f %dH%.1f' stroke='#222'/><text x='%.1f' y='%d'>%.2f</text>\n", y + 17, escape(rows.get(i).name()),
                    LABEL_WIDTH, y + 3, spread.median() * scale, BAR_HEIGHT - 6, colour(i), LABEL_WIDTH + spread.least() * scale,
                    y + BAR_HEIGHT / 2, LABEL_WIDTH + spread.most() * scale, LABEL_WIDTH + spread.most() * scale + 6, y + 17,
                    spread.median()));
        }
        return svg.append("</svg>").toString();
    }

    /// A bar of three parts a method.
    private String shares() {
        List<BenchRow> rows = result.rows();
        StringBuilder svg = begin(rows.size() * BAR_HEIGHT);
        for (int i = 0; i < rows.size(); i++) {
            double[] shares = {rows.get(i).draftShare(), rows.get(i).verifyShare(), rows.get(i).hostShare()};
            svg.append(format("<text x='0' y='%d'>%s</text>", i * BAR_HEIGHT + 17, escape(rows.get(i).name())));
            double x = LABEL_WIDTH;
            for (int part = 0; part < shares.length; part++) {
                double width = shares[part] * (WIDTH - LABEL_WIDTH);
                svg.append(format("<rect x='%.1f' y='%d' width='%.1f' height='%d' fill='%s'><title>%.0f %%</title></rect>\n", x,
                        i * BAR_HEIGHT + 3, width, BAR_HEIGHT - 6, colour(part), 100 * shares[part]));
                x += width;
            }
        }
        return svg.append("</svg>").toString();
    }

    private List<Line> depths() {
        List<Line> lines = new ArrayList<>();
        for (BenchRow row : result.rows()) {
            List<Double> rates = row.statistics().depths().stream().map(Depth::rate).toList();
            List<Double> depths = new ArrayList<>();
            for (int depth = 1; depth <= rates.size(); depth++) {
                depths.add((double) depth);
            }
            lines.add(new Line(row.name(), depths, rates));
        }
        return lines;
    }

    private Line costs() {
        double single = result.costs().passNanos(1);
        return new Line("passes of one row", result.costs().nanosByRows().keySet().stream().map(Integer::doubleValue).toList(),
                result.costs().nanosByRows().values().stream().map(nanos -> nanos / single).toList());
    }

    /// Lines from 0 on both axes, each point with its figures as a title.
    ///
    /// @param leastMost the vertical axis goes at least as far
    private String lines(List<Line> lines, double leastMost) {
        double mostX = lines.stream().flatMap(line -> line.xs.stream()).mapToDouble(x -> x).max().orElse(1);
        double mostY = Math.max(leastMost, lines.stream().flatMap(line -> line.ys.stream()).mapToDouble(y -> y).max().orElse(1));
        StringBuilder svg = begin(PLOT_HEIGHT + (lines.size() + 1) * BAR_HEIGHT);
        svg.append(format("<path d='M40 0V%d H%d' fill='none' stroke='#888'/><text x='0' y='12'>%.1f</text><text x='0' y='%d'>0</text>"
                + "<text x='%d' y='%d'>%.0f</text>\n", PLOT_HEIGHT, WIDTH, mostY, PLOT_HEIGHT, WIDTH - 30, PLOT_HEIGHT + 18, mostX));
        for (int i = 0; i < lines.size(); i++) {
            Line line = lines.get(i);
            StringBuilder points = new StringBuilder();
            for (int point = 0; point < line.xs.size(); point++) {
                double x = 40 + line.xs.get(point) / mostX * (WIDTH - 50);
                double y = PLOT_HEIGHT * (1 - line.ys.get(point) / mostY);
                points.append(format("%.1f,%.1f ", x, y));
                svg.append(format("<circle cx='%.1f' cy='%.1f' r='3' fill='%s'><title>%.0f: %.2f</title></circle>\n", x, y, colour(i),
                        line.xs.get(point), line.ys.get(point)));
            }
            svg.append(format("<polyline points='%s' fill='none' stroke='%s'/><text x='40' y='%d' fill='%s'>%s</text>\n",
                    points, colour(i), PLOT_HEIGHT + 20 + i * BAR_HEIGHT, colour(i), escape(line.name)));
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
