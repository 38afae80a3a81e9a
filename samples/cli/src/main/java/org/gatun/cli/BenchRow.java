package org.gatun.cli;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.gatun.speculative.SpeculationStatistics;
import org.gatun.speculative.adaptive.CostModel;
import org.gatun.speculative.method.Speculation;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// What one method did with the prompts of a benchmark, round by round.
///
/// @param name as asked for, options included
/// @param method its settings
/// @param rounds in the order they were run; grows while measuring
record BenchRow(String name, Speculation method, List<Round> rounds) {

    /// One time through all prompts.
    ///
    /// @param outcomes one a prompt
    /// @param costs of passes, measured at the end of the round
    record Round(List<Outcome> outcomes, CostModel costs) {

        long tokens() {
            return outcomes.stream().mapToLong(outcome -> outcome.tokens().length).sum();
        }

        double seconds() {
            return outcomes.stream().mapToDouble(Outcome::seconds).sum();
        }

        double tokensPerSecond() {
            return tokens() == 0 ? 0 : tokens() / seconds();
        }

        SpeculationStatistics statistics() {
            return outcomes.stream().map(Outcome::statistics).reduce(SpeculationStatistics.NONE, SpeculationStatistics::plus);
        }
    }

    /// The middle of some rounds' figures, and their ends.
    record Spread(double median, double min, double max) {

        static Spread of(double... values) {
            double[] sorted = values.clone();
            Arrays.sort(sorted);
            int middle = sorted.length / 2;
            return new Spread(sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2,
                    sorted[0], sorted[sorted.length - 1]);
        }

        ArrayNode json() {
            return JsonNodeFactory.instance.arrayNode().add(min).add(median).add(max);
        }
    }

    /// The same with some of the prompts only.
    BenchRow of(IntPredicate prompts) {
        return new BenchRow(name, method, rounds.stream().map(round -> new Round(IntStream.range(0, round.outcomes.size())
                .filter(prompts).mapToObj(round.outcomes::get).toList(), round.costs)).toList());
    }

    int prompts() {
        return rounds.getFirst().outcomes.size();
    }

    long tokens() {
        return rounds.stream().mapToLong(Round::tokens).sum();
    }

    double seconds() {
        return rounds.stream().mapToDouble(Round::seconds).sum();
    }

    Spread tokensPerSecond() {
        return Spread.of(rounds.stream().mapToDouble(Round::tokensPerSecond).toArray());
    }

    SpeculationStatistics statistics() {
        return rounds.stream().map(Round::statistics).reduce(SpeculationStatistics.NONE, SpeculationStatistics::plus);
    }

    /// Each round against plain decoding in the same one.
    Spread speedup(BenchRow plain) {
        return Spread.of(IntStream.range(0, rounds.size())
                .mapToDouble(i -> rounds.get(i).tokensPerSecond() / plain.rounds.get(i).tokensPerSecond()).toArray());
    }

    /// What passes of each size cost.
    CostModel costs() {
        return CostModel.medians(rounds.stream().map(Round::costs).toList());
    }

    /// What the costs of passes say the speedup should be; 1 of nothing. Drafting was timed with whatever else the machine did, and
    /// so were plain passes: where there are some, costs are taken in relation to these.
    double predictedSpeedup(Optional<BenchRow> plain) {
        if (tokens() == 0) {
            return 1;
        }
        CostModel costs = plain.filter(row -> row.tokens() > 0)
                .map(row -> row.costs().scaledTo(row.statistics().verifyNanos() / (double) row.tokens()))
                .orElseGet(this::costs);
        return costs.speedup(statistics(), hostShare() * seconds() * 1e9 / tokens());
    }

    /// Part of the time that went into drafting.
    double draftShare() {
        return statistics().draftNanos() / 1e9 / seconds();
    }

    /// Part of the time that went into passes of the target and verification.
    double verifyShare() {
        return statistics().verifyNanos() / 1e9 / seconds();
    }

    /// Part of the time that went into everything else.
    double hostShare() {
        return Math.max(0, 1 - draftShare() - verifyShare());
    }

    /// Whether both gave the same tokens for every prompt.
    boolean isIdenticalTo(BenchRow other) {
        for (int round = 0; round < rounds.size(); round++) {
            for (int prompt = 0; prompt < prompts(); prompt++) {
                if (!Arrays.equals(rounds.get(round).outcomes.get(prompt).tokens(),
                        other.rounds.get(round).outcomes.get(prompt).tokens())) {
                    return false;
                }
            }
        }
        return true;
    }

    /// @param plain the row of plain decoding, if it was measured
    /// @param greedy whether tokens can be compared
    ObjectNode json(Optional<BenchRow> plain, boolean greedy) {
        SpeculationStatistics statistics = statistics();
        ArrayNode depths = JsonNodeFactory.instance.arrayNode();
        statistics.depths().forEach(depth -> depths.add(depth.rate()));
        ObjectNode json = JsonNodeFactory.instance.objectNode()
                .put("method", name)
                .put("prompts", prompts())
                .put("tokens", tokens())
                .put("seconds", seconds())
                .put("draft_seconds", statistics.draftNanos() / 1e9)
                .put("verify_seconds", statistics.verifyNanos() / 1e9)
                .put("draft_ahead_seconds", statistics.draftAheadNanos() / 1e9)
                .put("host_seconds", hostShare() * seconds())
                .put("tokens_per_second", tokensPerSecond().median())
                .set("tokens_per_second_spread", tokensPerSecond().json())
                .put("speedup", plain.map(other -> speedup(other).median()).orElse(null))
                .set("speedup_spread", plain.map(other -> speedup(other).json()).orElse(null))
                .put("predicted_speedup", predictedSpeedup(plain))
                .put("mean_accepted_length", statistics.meanAcceptedLength())
                .put("mean_rows", statistics.meanRows())
                .set("acceptance_by_depth", depths);
        if (greedy) {
            json.put("identical_to_none", plain.map(this::isIdenticalTo).orElse(null));
        }
        return json;
    }
}
