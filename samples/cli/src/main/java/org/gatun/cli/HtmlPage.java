package org.gatun.cli;

import java.time.LocalDate;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/// A report that needs nothing else: one HTML page with tables and plots in SVG, for wide and narrow windows, light and dark.
final class HtmlPage {
    /// Readable on white and on black.
    private static final String[] COLOURS = {"#4f7cac", "#d1803a", "#5b9a5a", "#b0566a", "#8a78b8", "#9a8a55", "#3f9aa0",
        "#c05fa8"};
    private static final int WIDTH = 720;
    private static final int BAR_HEIGHT = 26;
    private static final int PLOT_HEIGHT = 240;
    private static final int TICK_HEIGHT = 22;
    private static final int TITLE_HEIGHT = 20;
    private static final int LEFT = 56;
    private static final int RIGHT = 64;
    private static final int TOP = 12;
    private static final int MAX_TICKS = 6;
    private static final int LONGEST_NAME = 34;
    private static final double LETTER_WIDTH = 7.2;

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
                <meta name="viewport" content="width=device-width">
                <title>gatun bench</title>
                <style>
                :root { color-scheme: light dark; --text: #222; --page: #fff; --faint: #ccc; --quiet: #666 }
                @media (prefers-color-scheme: dark) { :root { --text: #ddd; --page: #181a1b; --faint: #444; --quiet: #999 } }
                body { font: 15px/1.5 sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: var(--text); background: var(--page) }
                .wide { overflow-x: auto } .note { color: var(--quiet); margin: .2em 0 .6em }
                table { border-collapse: collapse }
                td { white-space: nowrap } th { vertical-align: bottom }
                th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid var(--faint) }
                th:first-child, td:first-child { text-align: left; padding-left: 0 }
                svg { display: block; width: 100%%; min-width: 28em; max-width: 48em; height: auto }
                svg text { font: 13px sans-serif; fill: var(--text) } svg .quiet { fill: var(--quiet) }
                svg .grid { stroke: var(--faint); fill: none } svg .mark { stroke: var(--text); fill: none }
                .key { display: flex; flex-wrap: wrap; gap: .1em 1.2em; margin: .2em 0 .6em; padding: 0; list-style: none }
                .key span { display: inline-block; width: .8em; height: .8em; margin-right: .4em; border-radius: 2px }
                </style>
                <h1>gatun bench</h1>
                <p>%s; %s</p>
                """.formatted(escape(subject), LocalDate.now()));
    }

    HtmlPage heading(String text) {
        html.append("<h2>").append(escape(text)).append("</h2>\n");
        return this;
    }

    /// How to read what follows.
    HtmlPage note(String text) {
        html.append("<p class='note'>").append(escape(text)).append("</p>\n");
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
        html.append("<div class='wide'><table><tr>");
        columns.forEach(column -> html.append("<th>").append(escape(column)));
        for (List<String> row : rows) {
            html.append("\n<tr>");
            row.forEach(cell -> html.append("<td>").append(escape(cell)));
        }
        html.append("\n</table></div>\n");
        return this;
    }

    /// A bar for each name.
    ///
    /// @param unit of the values
    HtmlPage bars(List<String> names, List<Double> values, String unit) {
        return spreads(names, values.stream().map(value -> new BenchRow.Spread(value, value, value)).toList(), unit);
    }

    /// A bar for each name, with a line from the least to the most.
    ///
    /// @param unit of the values
    HtmlPage spreads(List<String> names, List<BenchRow.Spread> values, String unit) {
        double max = values.stream().mapToDouble(BenchRow.Spread::max).max().orElse(0);
        int left = labelWidth(names);
        double scale = max == 0 ? 0 : (WIDTH - left - RIGHT) / max;
        int height = names.size() * BAR_HEIGHT;
        beginPlot(height + TICK_HEIGHT + TITLE_HEIGHT);
        for (double tick : ticks(max)) {
            verticalTick(left + tick * scale, 0, height, number(tick));
        }
        title(left, height + TICK_HEIGHT + TITLE_HEIGHT - 6, unit);
        for (int i = 0; i < names.size(); i++) {
            BenchRow.Spread spread = values.get(i);
            int y = i * BAR_HEIGHT;
            String figure = format(spread.median() < 0.1 ? "%.5f" : "%.2f", spread.median());
            label(names.get(i), y);
            bar(left, y, spread.median() * scale, 0, names.get(i) + ": " + figure);
            if (spread.min() < spread.max()) {
                int middle = y + BAR_HEIGHT / 2;
                double from = left + spread.min() * scale;
                double to = left + spread.max() * scale;
                html.append(format("<path class='mark' d='M%.1f %dH%.1fM%.1f %dV%dM%.1f %dV%d'><title>%.2f to %.2f</title></path>\n", from,
                        middle, to, from, middle - 4, middle + 4, to, middle - 4, middle + 4, spread.min(), spread.max()));
            }
            html.append(format("<text x='%.1f' y='%d'>%s</text>\n", left + spread.max() * scale + 6, y + 17, figure));
        }
        return endPlot();
    }

    /// For each name a bar of parts that add up to 1.
    ///
    /// @param parts their names
    /// @param shares for each of `names`, one a part
    HtmlPage shares(List<String> names, List<String> parts, List<double[]> shares) {
        key(parts);
        int left = labelWidth(names);
        int height = names.size() * BAR_HEIGHT;
        int width = WIDTH - left - RIGHT;
        beginPlot(height + TICK_HEIGHT + TITLE_HEIGHT);
        for (double tick : ticks(100)) {
            verticalTick(left + tick / 100 * width, 0, height, number(tick));
        }
        title(left, height + TICK_HEIGHT + TITLE_HEIGHT - 6, "% of the time");
        for (int i = 0; i < names.size(); i++) {
            label(names.get(i), i * BAR_HEIGHT);
            double x = left;
            for (int part = 0; part < parts.size(); part++) {
                double share = shares.get(i)[part];
                bar(x, i * BAR_HEIGHT, share * width, part, format("%s, %s: %.1f %%", names.get(i), parts.get(part), 100 * share));
                x += share * width;
            }
        }
        return endPlot();
    }

    /// Lines from 0 on both axes, each point with its figures as a title.
    ///
    /// @param across what the horizontal axis is, with its unit
    /// @param up what the vertical axis is, with its unit
    /// @param atLeast the vertical axis goes at least as far
    HtmlPage lines(List<Line> lines, String across, String up, double atLeast) {
        if (lines.size() > 1) {
            key(lines.stream().map(Line::name).toList());
        }
        double maxX = lines.stream().flatMap(line -> line.xs.stream()).mapToDouble(x -> x).max().orElse(1);
        double maxY = Math.max(atLeast, lines.stream().flatMap(line -> line.ys.stream()).mapToDouble(y -> y).max().orElse(1));
        maxY = maxY == 0 ? 1 : maxY;
        int right = WIDTH - 20;
        int top = TITLE_HEIGHT + TOP;
        int bottom = top + PLOT_HEIGHT;
        beginPlot(bottom + TICK_HEIGHT + TITLE_HEIGHT);
        title(0, TITLE_HEIGHT - 6, up);
        for (double tick : ticks(maxY)) {
            double y = bottom - tick / maxY * PLOT_HEIGHT;
            html.append(format("<path class='grid' d='M%d %.1fH%d'/><text class='quiet' x='%d' y='%.1f' text-anchor='end'>%s</text>\n", LEFT, y,
                    right, LEFT - 8, y + 4, number(tick)));
        }
        for (double tick : ticks(maxX)) {
            verticalTick(LEFT + tick / maxX * (right - LEFT), top, bottom, number(tick));
        }
        title(LEFT, bottom + TICK_HEIGHT + TITLE_HEIGHT - 6, across);
        for (int i = 0; i < lines.size(); i++) {
            Line line = lines.get(i);
            StringBuilder points = new StringBuilder();
            for (int point = 0; point < line.xs.size(); point++) {
                double x = LEFT + line.xs.get(point) / maxX * (right - LEFT);
                double y = bottom - line.ys.get(point) / maxY * PLOT_HEIGHT;
                points.append(format("%.1f,%.1f ", x, y));
                html.append(format("<circle cx='%.1f' cy='%.1f' r='3.5' fill='%s'><title>%s, %s: %.4f</title></circle>\n", x, y, colour(i),
                        escape(line.name), number(line.xs.get(point)), line.ys.get(point)));
            }
            html.append(format("<polyline points='%s' fill='none' stroke='%s' stroke-width='1.5'%s/>\n", points, colour(i),
                    i < COLOURS.length ? "" : " stroke-dasharray='5 4'"));
        }
        return endPlot();
    }

    String html() {
        return html + "</html>\n";
    }

    /// What the colours stand for.
    private void key(List<String> names) {
        html.append("<ul class='key'>");
        for (int i = 0; i < names.size(); i++) {
            html.append(format("<li><span style='background:%s'></span>%s%s\n", colour(i), escape(names.get(i)),
                    i < COLOURS.length ? "" : " (broken line)"));
        }
        html.append("</ul>\n");
    }

    private void beginPlot(int height) {
        html.append(format("<div class='wide'><svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' role='img'>\n", WIDTH, height));
    }

    private HtmlPage endPlot() {
        html.append("</svg></div>\n");
        return this;
    }

    private void verticalTick(double x, int top, int bottom, String text) {
        html.append(format("<path class='grid' d='M%.1f %dV%d'/><text class='quiet' x='%.1f' y='%d' text-anchor='middle'>%s</text>\n", x, top,
                bottom, x, bottom + 16, text));
    }

    private void title(int x, int y, String text) {
        html.append(format("<text class='quiet' x='%d' y='%d'>%s</text>\n", x, y, escape(text)));
    }

    private void label(String name, int y) {
        html.append(format("<text x='0' y='%d'>%s<title>%s</title></text>", y + 17, escape(shortened(name)), escape(name)));
    }

    private void bar(double x, int y, double width, int colour, String title) {
        html.append(format("<rect x='%.1f' y='%d' width='%.1f' height='%d' fill='%s'><title>%s</title></rect>\n", x, y + 3, width,
                BAR_HEIGHT - 6, colour(colour), escape(title)));
    }

    private static int labelWidth(List<String> names) {
        return (int) (names.stream().mapToInt(name -> shortened(name).length()).max().orElse(0) * LETTER_WIDTH) + 14;
    }

    private static String shortened(String name) {
        return name.length() <= LONGEST_NAME ? name : name.substring(0, LONGEST_NAME - 1) + "…";
    }

    private static String colour(int index) {
        return COLOURS[index % COLOURS.length];
    }

    /// From 0 to at most `max`, in steps of 1, 2 or 5 times a power of ten.
    static List<Double> ticks(double max) {
        if (!(max > 0)) {
            return List.of(0.0);
        }
        double power = Math.pow(10, Math.floor(Math.log10(max / MAX_TICKS)));
        double step = IntStream.of(1, 2, 5, 10).mapToDouble(factor -> factor * power).filter(one -> max / one <= MAX_TICKS).findFirst()
                .orElse(10 * power);
        return IntStream.rangeClosed(0, (int) Math.floor(max / step + 1e-9)).mapToObj(i -> i * step).toList();
    }

    /// In as many digits as it needs.
    private static String number(double value) {
        String text = format("%.6f", value).replaceFirst("\\.?0+$", "");
        return text.isEmpty() ? "0" : text;
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&#39;");
    }

    private static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
