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
        int rounds = result.rows().getFirst().rounds().size();
        HtmlPage page = new HtmlPage(result.subject() + "; " + (rounds == 1 ? "1 round" : rounds + " rounds"));
        page.warning(result.warning());
        table(page);
        page.note("All prompts are run in each round. A figure is the median of the rounds; least and most are those of the slowest and the "
                + "fastest round. A speedup is that over none in the same round; predicted is what the costs of passes say it should be.");
        page.heading("Tokens a second").note("Bar: median of the rounds; line: from the round with the least to that with the most.")
                .spreads(names, figures(BenchRow::tokensPerSecond), "tokens/s")
                .heading("Tokens a pass of the target").note("Its own token included (mean accepted length).")
                .bars(names, figures(row -> row.statistics().meanAcceptedLength()), "tokens a pass")
                .heading("Speedup as the costs of passes predict it")
                .bars(names, figures(row -> row.predictedSpeedup(result.plain())), "times the speed of none")
                .heading("Where the time goes")
                .shares(names, List.of("drafting", "verifying: passes of the target", "host: all the rest"),
                        figures(row -> new double[] {row.draftShare(), row.verifyShare(), row.hostShare()}))
                .heading("Acceptance by depth").note("How often a proposal was accepted where all before it were.")
                .lines(figures(BenchReport::depths), "depth: which token of the proposal", "part accepted", 1)
                .heading("Time of a pass by its rows")
                .lines(List.of(costs()), "rows of the pass", "time, in passes of one row", 0);
        for (String category : result.distinctCategories()) {
            BenchReport part = new BenchReport(result.of(category));
            page.heading(category.isEmpty() ? "Without a category" : category);
            part.table(page);
            page.spreads(names, part.figures(BenchRow::tokensPerSecond), "tokens/s");
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
        List<String> columns = new ArrayList<>(List.of("method", "prompts", "tokens/s", "speedup", "min to max", "predicted",
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
                result.plain().map(other -> format("%.2f to %.2f", row.speedup(other).min(), row.speedup(other).max())).orElse("-"),
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
