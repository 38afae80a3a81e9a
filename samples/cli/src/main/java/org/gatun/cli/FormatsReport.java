package org.gatun.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;

/// A comparison of types of weights, to be printed or as a page.
///
/// @param rows the model as stored first
record FormatsReport(List<FormatRow> rows) {
    private static final String DIVERGENCE = "Divergence of the probabilities from those as stored, by temperature";
    private static final String SAME_SAMPLE = "Tokens sampled alike with the same random numbers, by temperature";

    ArrayNode json() {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        rows.forEach(row -> list.add(row.json()));
        return list;
    }

    /// Tables as lines of text.
    List<String> lines() {
        List<String> lines = new ArrayList<>();
        table(lines, FormatRow.COLUMNS, FormatRow::cells);
        lines.add("");
        lines.add(DIVERGENCE);
        table(lines, FormatRow.SWEEP_COLUMNS, FormatRow::divergenceCells);
        lines.add("");
        lines.add(SAME_SAMPLE);
        table(lines, FormatRow.SWEEP_COLUMNS, FormatRow::sameSampleCells);
        return lines;
    }

    private void table(List<String> lines, List<String> columns, Function<FormatRow, List<String>> cells) {
        lines.add(line(columns));
        rows.forEach(row -> lines.add(line(cells.apply(row))));
    }

    private static String line(List<String> cells) {
        StringBuilder line = new StringBuilder("%-20s".formatted(cells.getFirst()));
        cells.stream().skip(1).forEach(cell -> line.append("%11s".formatted(cell)));
        return line.toString();
    }

    /// @param model what was measured
    String html(String model) {
        List<String> names = figures(FormatRow::name);
        return new HtmlPage(model + ", its weights in several types")
                .table(FormatRow.COLUMNS, figures(FormatRow::cells))
                .heading("Megabytes").bars(names, figures(row -> row.bytes() / 1e6), "MB")
                .heading("Perplexity").note("Less is better.").bars(names, figures(FormatRow::perplexity), "perplexity")
                .heading(DIVERGENCE).table(FormatRow.SWEEP_COLUMNS, figures(FormatRow::divergenceCells))
                .lines(figures(row -> new HtmlPage.Line(row.name(), FormatRow.TEMPERATURES, row.divergences())), "temperature",
                        "nats a token", 0)
                .heading(SAME_SAMPLE).table(FormatRow.SWEEP_COLUMNS, figures(FormatRow::sameSampleCells))
                .lines(figures(row -> new HtmlPage.Line(row.name(), FormatRow.TEMPERATURES, row.sameSamples())), "temperature",
                        "part of the tokens", 1)
                .heading("Tokens a second").bars(names, figures(FormatRow::tokensPerSecond), "tokens/s")
                .html();
    }

    private <T> List<T> figures(Function<FormatRow, T> figure) {
        return rows.stream().map(figure).toList();
    }
}
