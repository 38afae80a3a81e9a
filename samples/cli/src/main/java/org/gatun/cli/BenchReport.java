package org.gatun.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.gatun.speculative.SpeculationStatistics.Depth;

/// A comparison of methods as a page.
///
/// @param result what was measured
record BenchReport(BenchResult result) {

    String html() {
        List<String> names = names();
        HtmlPage page = new HtmlPage(result.subject() + "; " + result.rows().getFirst().rounds().size()
                + " rounds, of which medians, least and most are shown");
        page.warning(result.warning());
        table(page);
        page.heading("Tokens a second").spreads(names, figures(BenchRow::tokensPerSecond))
                .heading("Tokens a pass of the target").bars(names, figures(row -> row.statistics().meanAcceptedLength()))
                .heading("Speedup as the costs of passes predict it")
                .bars(names, figures(row -> row.predictedSpeedup(result.plain())))
                .heading("Where the time goes: drafting, verifying, the rest")
                .shares(names, figures(row -> new double[] {row.draftShare(), row.verifyShare(), row.hostShare()}))
                .heading("Acceptance by depth").lines(figures(BenchReport::depths), 1)
                .heading("Time of a pass by its rows, in passes of one row").lines(List.of(costs()), 0);
        for (String category : result.distinctCategories()) {
            BenchReport part = new BenchReport(result.of(category));
            page.heading(category.isEmpty() ? "Without a category" : category);
            part.table(page);
            page.spreads(names, part.figures(BenchRow::tokensPerSecond));
        }
        return page.html();
    }

    private List<String> names() {
        return result.rows().stream().map(BenchRow::name).toList();
    }

    private <T> List<T> figures(Function<BenchRow, T> figure) {
        return result.rows().stream().map(figure).toList();
    }

    private void table(HtmlPage page) {
        List<String> columns = new ArrayList<>(List.of("method", "prompts", "tokens/s", "speedup", "least to most", "predicted",
                "mean accepted length", "rows a pass"));
        if (result.greedy()) {
            columns.add("identical to none");
        }
        page.table(columns, figures(this::cells));
    }

    private List<String> cells(BenchRow row) {
        List<String> cells = new ArrayList<>(List.of(row.name(), Integer.toString(row.prompts()),
                format("%.1f", row.tokensPerSecond().median()),
                result.plain().map(other -> format("%.2f", row.speedup(other).median())).orElse("-"),
                result.plain().map(other -> format("%.2f to %.2f", row.speedup(other).least(), row.speedup(other).most())).orElse("-"),
                format("%.2f", row.predictedSpeedup(result.plain())), format("%.2f", row.statistics().meanAcceptedLength()),
                format("%.2f", row.statistics().meanRows())));
        if (result.greedy()) {
            cells.add(result.plain().map(other -> row.isIdenticalTo(other) ? "yes" : "no").orElse("-"));
        }
        return cells;
    }

    private static HtmlPage.Line depths(BenchRow row) {
        List<Double> rates = row.statistics().depths().stream().map(Depth::rate).toList();
        return new HtmlPage.Line(row.name(), IntStream.rangeClosed(1, rates.size()).mapToObj(depth -> (double) depth).toList(), rates);
    }

    private HtmlPage.Line costs() {
        double single = result.costs().passNanos(1);
        return new HtmlPage.Line("passes of one row", result.costs().nanosByRows().keySet().stream().map(Integer::doubleValue).toList(),
                result.costs().nanosByRows().values().stream().map(nanos -> nanos / single).toList());
    }

    private static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
