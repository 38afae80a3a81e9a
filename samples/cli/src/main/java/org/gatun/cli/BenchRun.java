package org.gatun.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.Session;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.SyntheticAcceptance;
import org.gatun.speculative.adaptive.CostModel;
import org.gatun.speculative.method.Speculation;

/// Runs prompts through methods. The methods take turns prompt by prompt, so that what else the machine does meets all alike. In each
/// round a method has one drafter for all prompts, so that what it learns from one serves the next.
///
/// @param models what runs
/// @param session of the target
/// @param prompts tokens of each
/// @param options without a method
/// @param acceptance rate at which proposals are made right, if they are not to be the methods' own
record BenchRun(OpenModels models, Session session, List<int[]> prompts, GenerationOptions options, Optional<Double> acceptance,
        Console console) {
    private static final int WARM_UP_TOKENS = 16;
    /// A round that takes less is repeated more often.
    private static final long SHORT_NANOS = 3_000_000_000L;
    private static final int SHORT_ROUNDS = 5;
    private static final int ROUNDS = 3;

    /// Adds rounds to the rows.
    ///
    /// @param asked how many; by default three, or five after one that is forgotten if a round is over in seconds
    void measure(List<BenchRow> rows, Optional<Integer> asked) {
        List<int[]> answers = acceptance.isPresent()
                ? prompts.stream().map(prompt -> generate(prompt, Speculation.NONE, options).tokens()).toList() : List.of();
        GenerationOptions warmUp = options.withMaxTokens(Math.min(WARM_UP_TOKENS, options.maxTokens()));
        rows.forEach(row -> generate(prompts.getFirst(), row.method(), warmUp));
        long begun = System.nanoTime();
        round(rows, answers, "measuring");
        int rounds = asked.orElse(ROUNDS);
        if (asked.isEmpty() && System.nanoTime() - begun < SHORT_NANOS) {
            rows.forEach(row -> row.rounds().clear());
            rounds = SHORT_ROUNDS;
        }
        while (rows.getFirst().rounds().size() < rounds) {
            round(rows, answers, "measuring, round " + (rows.getFirst().rounds().size() + 1) + " of " + rounds);
        }
    }

    private Outcome generate(int[] prompt, Speculation speculation, GenerationOptions settings) {
        try (Generation generation = new Generation(session, prompt, models.draft(), settings.withSpeculation(speculation))) {
            return Outcome.of(generation, _ -> true);
        }
    }

    private void round(List<BenchRow> rows, List<int[]> answers, String what) {
        List<Drafter> drafters = new ArrayList<>();
        try (Progress progress = new Progress(console, what, (long) prompts.size() * rows.size())) {
            List<List<Outcome>> outcomes = new ArrayList<>();
            for (BenchRow row : rows) {
                drafters.add(open(row.method()));
                outcomes.add(new ArrayList<>());
            }
            long done = 0;
            for (int prompt = 0; prompt < prompts.size(); prompt++) {
                for (int row = 0; row < rows.size(); row++) {
                    if (drafters.get(row) instanceof SyntheticAcceptance synthetic) {
                        synthetic.expect(answers.get(prompt));
                    }
                    try (Generation generation = new Generation(session, prompts.get(prompt), drafters.get(row), options)) {
                        outcomes.get(row).add(Outcome.of(generation, _ -> true));
                    }
                    progress.at(++done);
                }
            }
            session.rewind((prompts.getLast().length + session.length()) / 2); // the middle of the last text
            CostModel costs = CostModel.measure(session, options.sampling());
            for (int row = 0; row < rows.size(); row++) {
                rows.get(row).rounds().add(new BenchRow.Round(outcomes.get(row), costs));
            }
        } finally {
            drafters.forEach(Drafter::close);
        }
    }

    private Drafter open(Speculation method) {
        Drafter drafter = method.open(models.target(), models.draft());
        return acceptance.<Drafter>map(rate -> new SyntheticAcceptance(drafter, rate, options.sampling().seed())).orElse(drafter);
    }
}
