package org.gatun.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.gatun.speculative.SpeculationStatistics.Depth;
import org.gatun.speculative.adaptive.CostModel;
import org.gatun.speculative.method.Speculation;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// A benchmark's figures.
///
/// @param subject what was measured on what
/// @param rows one a method
/// @param categories of the prompts, one each
/// @param greedy whether tokens can be compared
/// @param acceptance the rate at which proposals were made right, if they were not the methods' own
record BenchResult(String subject, List<BenchRow> rows, List<String> categories, boolean greedy, Optional<Double> acceptance) {
    private static final int DEPTHS_SHOWN = 12;

    /// The row of plain decoding, if it was measured.
    Optional<BenchRow> plain() {
        return rows.stream().filter(row -> row.method().equals(Speculation.NONE)).findFirst();
    }

    /// The categories in order, each once; none if there is but one.
    List<String> distinctCategories() {
        List<String> distinct = categories.stream().distinct().toList();
        return distinct.size() == 1 ? List.of() : distinct;
    }

    /// The same with the prompts of one category.
    BenchResult of(String category) {
        return new BenchResult(subject, rows.stream().map(row -> row.of(prompt -> categories.get(prompt).equals(category))).toList(),
                categories.stream().filter(category::equals).toList(), greedy, acceptance);
    }

    /// What passes of each size cost.
    CostModel costs() {
        return rows.getFirst().costs();
    }

    /// What to say of figures that are no method's own; empty if they are.
    String warning() {
        return acceptance.map(rate -> "SYNTHETIC ACCEPTANCE " + rate + ": proposals were made right at this rate, whatever the methods "
                + "proposed; what is measured is the engine").orElse("");
    }

    ObjectNode json() {
        ObjectNode costs = JsonNodeFactory.instance.objectNode();
        costs().nanosByRows().forEach((size, nanos) -> costs.put(size.toString(), nanos / 1e9));
        ObjectNode byCategory = JsonNodeFactory.instance.objectNode();
        distinctCategories().forEach(category -> byCategory.set(category, of(category).methods()));
        return JsonNodeFactory.instance.objectNode()
                .put("subject", subject)
                .put("rounds", rows.getFirst().rounds().size())
                .put("synthetic_acceptance", acceptance.orElse(null))
                .set("pass_seconds_by_rows", costs)
                .set("methods", methods())
                .set("categories", byCategory);
    }

    private ArrayNode methods() {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        rows.forEach(row -> list.add(row.json(plain(), greedy)));
        return list;
    }

    /// For people, in lines.
    List<String> lines() {
        List<String> lines = new ArrayList<>();
        acceptance.ifPresent(_ -> lines.add(warning()));
        lines.add(format("%-24s %9s %19s %8s %13s %9s %8s %8s %6s %6s %6s%s", "method", "tokens/s", "min to max", "speedup",
                "min to max", "predicted", "accepted", "rows", "draft", "verify", "host", greedy ? "  identical to none" : ""));
        for (BenchRow row : rows) {
            lines.add(format("%-24s %9.1f %19s %8s %13s %9.2f %8.2f %8.2f %5.0f%% %5.0f%% %5.0f%%%s", row.name(),
                    row.tokensPerSecond().median(), range("%.1f", row.tokensPerSecond()),
                    plain().map(other -> format("%.2f", row.speedup(other).median())).orElse("-"),
                    plain().map(other -> range("%.2f", row.speedup(other))).orElse("-"), row.predictedSpeedup(plain()),
                    row.statistics().meanAcceptedLength(), row.statistics().meanRows(), 100 * row.draftShare(), 100 * row.verifyShare(),
                    100 * row.hostShare(),
                    greedy ? plain().map(other -> row.isIdenticalTo(other) ? "  yes" : "  no").orElse("  -") : ""));
        }
        lines.add("");
        lines.add("accepted: tokens a pass; rows: of a pass; predicted: speedup by the cost of passes: " + costsLine());
        depthLines(lines);
        categoryLines(lines);
        return lines;
    }

    private String costsLine() {
        double single = costs().passNanos(1);
        return format("%.3g ms for one row, ", single / 1e6) + costs().nanosByRows().entrySet().stream()
                .map(entry -> format("%.2f for %d", entry.getValue() / single, entry.getKey())).collect(Collectors.joining(", "));
    }

    private void depthLines(List<String> lines) {
        if (rows.stream().anyMatch(row -> !row.statistics().depths().isEmpty())) {
            lines.add("");
            lines.add(format("%-24s %s", "acceptance by depth", String.join("", IntStream.rangeClosed(1, DEPTHS_SHOWN)
                    .mapToObj(depth -> format("%6d", depth)).toList())));
            for (BenchRow row : rows) {
                List<Depth> depths = row.statistics().depths();
                if (!depths.isEmpty()) {
                    lines.add(format("%-24s %s", row.name(), String.join("", depths.stream().limit(DEPTHS_SHOWN)
                            .map(depth -> format("%6.2f", depth.rate())).toList())));
                }
            }
        }
    }

    private void categoryLines(List<String> lines) {
        if (!distinctCategories().isEmpty()) {
            lines.add("");
            lines.add(format("%-24s %-24s %8s %9s %8s %9s", "category", "method", "prompts", "tokens/s", "speedup", "accepted"));
        }
        for (String category : distinctCategories()) {
            BenchResult part = of(category);
            for (BenchRow row : part.rows) {
                lines.add(format("%-24s %-24s %8d %9.1f %8s %9.2f", category.isEmpty() ? "-" : category, row.name(), row.prompts(),
                        row.tokensPerSecond().median(),
                        part.plain().map(other -> format("%.2f", row.speedup(other).median())).orElse("-"),
                        row.statistics().meanAcceptedLength()));
            }
        }
    }

    private static String range(String format, BenchRow.Spread spread) {
        return format(format + " to " + format, spread.min(), spread.max());
    }

    private static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
