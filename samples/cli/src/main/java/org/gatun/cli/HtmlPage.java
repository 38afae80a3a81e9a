package org.gatun.cli;

import java.time.LocalDate;
import java.util.List;
import java.util.Locale;

/// A report that needs nothing else: one HTML page with tables and plots in SVG.
final class HtmlPage {
    static final int WIDTH = 640;
    static final int BAR_HEIGHT = 26;
    private static final String[] COLOURS = {"#4c6a92", "#d1803a", "#5b8c5a", "#a04b5b", "#7a6a9e", "#8a7b52"};
    private static final int LABEL_WIDTH = 160;

    private final StringBuilder html;

    /// @param subject what was measured on what
    HtmlPage(String subject) {
        html = new StringBuilder("""
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
                """.formatted(escape(subject), LocalDate.now()));
    }

    HtmlPage heading(String text) {
        html.append("<h2>").append(escape(text)).append("</h2>\n");
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
        double most = values.stream().mapToDouble(Double::doubleValue).max().orElse(0);
        StringBuilder svg = svg(names.size() * BAR_HEIGHT);
        for (int i = 0; i < names.size(); i++) {
            double width = most == 0 ? 0 : values.get(i) / most * (WIDTH - LABEL_WIDTH - 70);
            int y = i * BAR_HEIGHT;
            svg.append(format("<text x='0' y='%d'>%s</text><rect x='%d' y='%d' width='%.1f' height='%d' fill='%s'/>"
                    + "<text x='%.1f' y='%d'>%s</text>\n", y + 17, escape(names.get(i)), LABEL_WIDTH, y + 3, width,
                    BAR_HEIGHT - 6, colour(i), LABEL_WIDTH + width + 6, y + 17, format(values.get(i) < 0.1 ? "%.5f" : "%.2f", values.get(i))));
        }
        return plot(svg);
    }

    /// A plot begun by [#svg].
    HtmlPage plot(StringBuilder svg) {
        html.append(svg).append("</svg>\n");
        return this;
    }

    String html() {
        return html + "</html>\n";
    }

    static StringBuilder svg(int height) {
        return new StringBuilder(format("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' width='%d' height='%d'>\n",
                WIDTH, height, WIDTH, height));
    }

    static String colour(int row) {
        return COLOURS[row % COLOURS.length];
    }

    static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&#39;");
    }

    static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
