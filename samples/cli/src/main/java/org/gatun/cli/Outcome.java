package org.gatun.cli;

import java.util.Locale;
import java.util.function.Predicate;
import org.gatun.generation.Generation;
import org.gatun.speculative.SpeculationStatistics;
import org.gatun.speculative.method.Speculation;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// What a generation gave, and how long it took.
///
/// @param promptTokens tokens of the prompt
/// @param tokens generated ids
/// @param text the same as text
/// @param seconds from the first pass after the prompt to the end
/// @param firstSeconds from there to the first text; to the end if there is none
/// @param statistics of its passes
record Outcome(int promptTokens, int[] tokens, String text, double seconds, double firstSeconds, SpeculationStatistics statistics) {

    /// Generates to the end.
    ///
    /// @param reader shown each piece of text as it comes; answers whether to go on
    static Outcome of(Generation generation, Predicate<String> reader) {
        StringBuilder text = new StringBuilder();
        long begun = System.nanoTime();
        long first = 0;
        while (generation.hasNext()) {
            String piece = generation.next();
            if (text.isEmpty()) {
                first = System.nanoTime();
            }
            text.append(piece);
            if (!reader.test(piece)) {
                generation.cancel();
            }
        }
        long ended = System.nanoTime();
        return new Outcome(generation.promptTokens(), generation.tokens(), text.toString(), (ended - begun) / 1e9,
                ((text.isEmpty() ? ended : first) - begun) / 1e9, generation.statistics());
    }

    double tokensPerSecond() {
        return tokens.length == 0 ? 0 : tokens.length / seconds;
    }

    /// As `188 tokens, 412.3 tokens/s, draft, 3.1 tokens a pass (cpu)`.
    String summary(Speculation speculation, String backend) {
        return String.format(Locale.ROOT, "%d tokens, %.1f tokens/s, %s, %.2f tokens a pass (%s)",
                tokens.length, tokensPerSecond(), speculation.method().name(), statistics.meanAcceptedLength(), backend);
    }

    ObjectNode json(Speculation speculation, String backend) {
        ObjectNode json = JsonNodeFactory.instance.objectNode()
                .put("text", text)
                .set("tokens", array(tokens))
                .put("prompt_tokens", promptTokens)
                .put("generated_tokens", tokens.length)
                .put("seconds", seconds)
                .put("tokens_per_second", tokensPerSecond())
                .put("backend", backend)
                .put("method", speculation.method().name());
        if (!speculation.equals(Speculation.NONE)) {
            json.put("target_passes", statistics.targetPasses())
                    .put("mean_accepted_length", statistics.meanAcceptedLength())
                    .put("acceptance_rate", statistics.acceptanceRate())
                    .put("draft_seconds", statistics.draftNanos() / 1e9)
                    .put("verify_seconds", statistics.verifyNanos() / 1e9)
                    .put("draft_ahead_seconds", statistics.draftAheadNanos() / 1e9);
        }
        return json;
    }

    /// Numbers as JSON.
    static ArrayNode array(int[] numbers) {
        ArrayNode array = JsonNodeFactory.instance.arrayNode(numbers.length);
        for (int number : numbers) {
            array.add(number);
        }
        return array;
    }
}
