package org.gatun.cli;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.gatun.speculative.method.Speculation;
import org.gatun.speculative.SpeculationStatistics;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// What one method did with all prompts of a benchmark.
///
/// @param name as asked for, options included
/// @param method its settings
/// @param outcomes one a prompt
record BenchRow(String name, Speculation method, List<Outcome> outcomes) {

    int tokens() {
        return outcomes.stream().mapToInt(outcome -> outcome.tokens().length).sum();
    }

    double seconds() {
        return outcomes.stream().mapToDouble(Outcome::seconds).sum();
    }

    double tokensPerSecond() {
        return tokens() == 0 ? 0 : tokens() / seconds();
    }

    double meanAcceptedLength() {
        return outcomes.stream().map(Outcome::statistics).reduce(SpeculationStatistics.NONE, SpeculationStatistics::plus)
                .meanAcceptedLength();
    }

    double speedup(BenchRow plain) {
        return tokensPerSecond() / plain.tokensPerSecond();
    }

    /// Whether both gave the same tokens for every prompt.
    boolean isIdenticalTo(BenchRow other) {
        for (int prompt = 0; prompt < outcomes.size(); prompt++) {
            if (!Arrays.equals(outcomes.get(prompt).tokens(), other.outcomes.get(prompt).tokens())) {
                return false;
            }
        }
        return true;
    }

    /// @param plain the row of plain decoding, if it was measured
    /// @param greedy whether tokens can be compared
    ObjectNode json(Optional<BenchRow> plain, boolean greedy) {
        ObjectNode json = JsonNodeFactory.instance.objectNode()
                .put("method", name)
                .put("prompts", outcomes.size())
                .put("tokens", tokens())
                .put("seconds", seconds())
                .put("tokens_per_second", tokensPerSecond())
                .put("speedup", plain.map(this::speedup).orElse(null))
                .put("mean_accepted_length", meanAcceptedLength());
        if (greedy) {
            json.put("identical_to_none", plain.map(this::isIdenticalTo).orElse(null));
        }
        return json;
    }
}
