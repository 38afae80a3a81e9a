package org.gatun.cli;

import java.time.LocalDate;
import java.util.List;
import java.util.Locale;

/// A report that needs nothing else: one HTML page with tables and plots in SVG.
final class HtmlPage {
    private static final String[] COLOURS = {"#4c6a92", "#d1803a", "#5b8c5a", "#a04b5b", "#7a6a9e", "#8a7b52"};
    private static final int WIDTH = 640;
    private static final int BAR_HEIGHT = 26;
    private static final int LABEL_WIDTH = 160;
    private static final int PLOT_HEIGHT = 240;

    private final StringBuilder html;

    /// Points of a line.
    ///
    /// @param name of the line
    /// @param xs where
    /// @param ys how high
    record Line(String name, List<Double> xs, List<Double> ys) {}

    /// @param subject what was measured on what
    HtmlPage(String subject) {
        html = new StringBuilder("""
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
                <p>%s; %s</p>
                """.formatted(escape(subject), LocalDate.now()));
    }

    HtmlPage heading(String text) {
        html.append("<h2>").append(escape(text)).append("</h2>\n");
        return this;
    }

    /// Something that the reader must not miss; nothing if it is empty.
    HtmlPage warning(String text) {
        if (!text.isEmpty()) {
            html.append("<p><strong>").append(escape(text)).append("</strong></p>\n");
        }
        return this;
    }

    HtmlPage table(List<String> columns, List<List<String>> rows) {
        html.append("<table><tr>");
        columns.forEach(column -> html.append("<th>").append(escape(column)));
        for (List<String> row : rows) {
            html.append("\n<tr>");
            row.forEach(cell -> html.append("<td>").append(escape(cell)));
        }
        html.append("\n</table>\n");
        return this;
    }

    /// A bar for each name.
    HtmlPage bars(List<String> names, List<Double> values) {
        return spreads(names, values.stream().map(value -> new BenchRow.Spread(value, value, value)).toList());
    }

    /// A bar for each name, with a line from the least to the most.
    HtmlPage spreads(List<String> names, List<BenchRow.Spread> values) {
        double most = values.stream().mapToDouble(BenchRow.Spread::most).max().orElse(0);
        double scale = most == 0 ? 0 : (WIDTH - LABEL_WIDTH - 70) / most;
        beginPlot(names.size() * BAR_HEIGHT);
        for (int i = 0; i < names.size(); i++) {
            BenchRow.Spread spread = values.get(i);
            int y = i * BAR_HEIGHT;
            label(names.get(i), y);
            bar(LABEL_WIDTH, y, spread.median() * scale, i, "");
            html.append(format("<path d='M%.1f %dH%.1f' stroke='#222'/><text x='%.1f' y='%d'>%s</text>\n",
                    LABEL_WIDTH + spread.least() * scale, y + BAR_HEIGHT / 2, LABEL_WIDTH + spread.most() * scale,
                    LABEL_WIDTH + spread.most() * scale + 6, y + 17, format(spread.median() < 0.1 ? "%.5f" : "%.2f", spread.median())));
        }
        return endPlot();
    }

    /// For each name a bar of parts that add up to 1.
    HtmlPage shares(List<String> names, List<double[]> parts) {
        beginPlot(names.size() * BAR_HEIGHT);
        for (int i = 0; i < names.size(); i++) {
            label(names.get(i), i * BAR_HEIGHT);
            double x = LABEL_WIDTH;
            for (int part = 0; part < parts.get(i).length; part++) {
                double share = parts.get(i)[part];
                bar(x, i * BAR_HEIGHT, share * (WIDTH - LABEL_WIDTH), part, format("%.0f %%", 100 * share));
                x += share * (WIDTH - LABEL_WIDTH);
            }
        }
        return endPlot();
    }

    /// Lines from 0 on both axes, each point with its figures as a title.
    ///
    /// @param leastMost the vertical axis goes at least as far
    HtmlPage lines(List<Line> lines, double leastMost) {
        double mostX = lines.stream().flatMap(line -> line.xs.stream()).mapToDouble(x -> x).max().orElse(1);
        double mostY = Math.max(leastMost, lines.stream().flatMap(line -> line.ys.stream()).mapToDouble(y -> y).max().orElse(1));
        beginPlot(PLOT_HEIGHT + (lines.size() + 1) * BAR_HEIGHT);
        html.append(format("<path d='M40 0V%d H%d' fill='none' stroke='#888'/><text x='0' y='12'>%.1f</text><text x='0' y='%d'>0</text>"
                + "<text x='%d' y='%d'>%s</text>\n", PLOT_HEIGHT, WIDTH, mostY, PLOT_HEIGHT, WIDTH - 30, PLOT_HEIGHT + 18, number(mostX)));
        for (int i = 0; i < lines.size(); i++) {
            Line line = lines.get(i);
            StringBuilder points = new StringBuilder();
            for (int point = 0; point < line.xs.size(); point++) {
                double x = 40 + line.xs.get(point) / mostX * (WIDTH - 50);
                double y = PLOT_HEIGHT * (1 - line.ys.get(point) / mostY);
                points.append(format("%.1f,%.1f ", x, y));
                html.append(format("<circle cx='%.1f' cy='%.1f' r='3' fill='%s'><title>%s: %.4f</title></circle>\n", x, y, colour(i),
                        number(line.xs.get(point)), line.ys.get(point)));
            }
            html.append(format("<polyline points='%s' fill='none' stroke='%s'/><text x='40' y='%d' fill='%s'>%s</text>\n",
                    points, colour(i), PLOT_HEIGHT + 20 + i * BAR_HEIGHT, colour(i), escape(line.name)));
        }
        return endPlot();
    }

    String html() {
        return html + "</html>\n";
    }

    private void beginPlot(int height) {
        html.append(format("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' width='%d' height='%d'>\n",
                WIDTH, height, WIDTH, height));
    }

    private HtmlPage endPlot() {
        html.append("</svg>\n");
        return this;
    }

    private void label(String name, int y) {
        html.append(format("<text x='0' y='%d'>%s</text>", y + 17, escape(name)));
    }

    private void bar(double x, int y, double width, int colour, String title) {
        html.append(format("<rect x='%.1f' y='%d' width='%.1f' height='%d' fill='%s'><title>%s</title></rect>\n", x, y + 3, width,
                BAR_HEIGHT - 6, colour(colour), title));
    }

    private static String colour(int index) {
        return COLOURS[index % COLOURS.length];
    }

    /// Without a fraction if it has none.
    private static String number(double value) {
        return value == Math.rint(value) ? Long.toString((long) value) : Double.toString(value);
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&#39;");
    }

    private static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
