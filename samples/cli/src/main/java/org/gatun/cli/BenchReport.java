package org.gatun.cli;

import static org.gatun.cli.HtmlPage.BAR_HEIGHT;
import static org.gatun.cli.HtmlPage.WIDTH;
import static org.gatun.cli.HtmlPage.colour;
import static org.gatun.cli.HtmlPage.escape;
import static org.gatun.cli.HtmlPage.format;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// A benchmark of methods as a page.
///
/// @param subject what was measured on what
/// @param rows one a method
/// @param plain the row of plain decoding, if it was measured
/// @param greedy whether tokens can be compared
record BenchReport(String subject, List<BenchRow> rows, Optional<BenchRow> plain, boolean greedy) {
    private static final int PLOT_HEIGHT = 240;

    String html() {
        List<String> names = rows.stream().map(BenchRow::name).toList();
        List<String> columns = new ArrayList<>(List.of("method", "prompts", "tokens", "seconds", "tokens/s", "speedup",
                "mean accepted length"));
        if (greedy) {
            columns.add("identical to none");
        }
        return new HtmlPage(subject)
                .table(columns, rows.stream().map(this::cells).toList())
                .heading("Tokens a second").bars(names, rows.stream().map(BenchRow::tokensPerSecond).toList())
                .heading("Tokens a pass of the target").bars(names, rows.stream().map(BenchRow::meanAcceptedLength).toList())
                .heading("Tokens a second, prompt by prompt").plot(lines())
                .html();
    }

    private List<String> cells(BenchRow row) {
        List<String> cells = new ArrayList<>(List.of(row.name(), format("%d", row.outcomes().size()), format("%d", row.tokens()),
                format("%.2f", row.seconds()), format("%.1f", row.tokensPerSecond()),
                plain.map(other -> format("%.2f", row.speedup(other))).orElse("-"), format("%.2f", row.meanAcceptedLength())));
        if (greedy) {
            cells.add(plain.map(other -> row.isIdenticalTo(other) ? "yes" : "no").orElse("-"));
        }
        return cells;
    }

    /// A line a method, a point a prompt.
    private StringBuilder lines() {
        double most = rows.stream().flatMap(row -> row.outcomes().stream()).mapToDouble(Outcome::tokensPerSecond).max().orElse(0);
        StringBuilder svg = HtmlPage.svg(PLOT_HEIGHT + rows.size() * BAR_HEIGHT);
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
        return svg;
    }
}
