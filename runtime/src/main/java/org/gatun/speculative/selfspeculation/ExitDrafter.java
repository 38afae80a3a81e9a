package org.gatun.speculative.selfspeculation;

import java.util.Arrays;
import org.gatun.decoding.TokenSequence;
import org.gatun.lifetime.Lifetime;
import org.gatun.model.PartialModel;
import org.gatun.model.SequenceState;
import org.gatun.model.architecture.ModelConfig;
import org.gatun.plan.LayerProgram;
import org.gatun.sampling.Sampler;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.SamplingContext;
import org.gatun.sampling.TokenDistribution;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Requirements;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// The target's first layers draft a chain for all of them. After how many layers, and how many tokens, is chosen anew as the text goes:
/// for each exit it is known how often it would have guessed the latest tokens, and hence how many tokens a unit of depth would give.
/// A draft ends early at a token less sure than those that were right used to be. (DEL, Entezari Zarch et al. 2025, arXiv 2504.05598,
/// over the exits of LayerSkip, Elhoushi et al. 2024, arXiv 2404.16710; see [LayerProgram#firstLayers].)
///
/// Tokens are sampled with the target's own random numbers, so that they agree with the target's wherever the distributions do. A model
/// that was not trained for early exits seldom has one that pays; then nothing is drafted, and exits are looked at ever more rarely.
public final class ExitDrafter implements Drafter {
    private static final int MAX_EXITS = 4;
    private static final int MAX_REPLAYED = 16;
    private static final double DECAY = 0.98;
    private static final int FIRST_INTERVAL = 16; // tokens between two looks at the exits
    private static final int LAST_INTERVAL = 1024;
    /// An exit counts as having guessed wrong so many times before it was seen.
    private static final double DOUBT = 4;

    private final int max;
    private final Lifetime lifetime = new Lifetime("drafter del", this::forget);
    private SequenceState sequence;
    private int layers;
    private boolean random;
    private Sampling sampling;
    private Sampler sampler;
    private final SamplingContext context = new SamplingContext();
    private Exit[] exits = {};
    private TokenDistribution distribution;
    private double head;             // what it takes beside a layer
    private int interval = FIRST_INTERVAL;
    private int untilNext;           // tokens

    /// An exit with what is known of it; older tokens count less.
    private static final class Exit {
        final int layers;
        final PartialModel model;
        double seen;
        double guessed;
        double sureWhenRight;   // sums of confidences
        double sureWhenWrong;

        Exit(int layers, PartialModel model) {
            this.layers = layers;
            this.model = model;
        }

        double acceptance() {
            return guessed / (seen + DOUBT);
        }

        /// A token less sure than this is rather wrong.
        double threshold() {
            double wrong = seen - guessed;
            return guessed == 0 || wrong == 0 ? 0 : (sureWhenRight / guessed + sureWhenWrong / wrong) / 2;
        }
    }

    /// @param max tokens to draft
    public ExitDrafter(int max) {
        this.max = max;
    }

    @Override
    public Requirements requirements() {
        return Requirements.TARGET_LAYERS;
    }

    @Override
    public void begin(SequenceState target, TokenSequence prompt, Sampling targetSampling) {
        sampling = targetSampling;
        lifetime.enter();
        try {
            prepare(target);
        } finally {
            lifetime.leave();
        }
        random = sampling.temperature() > 0;
        sampler = new Sampler(random ? sampling : sampling.withTemperature(1), target.model().config().vocabulary(),
                target.model().unpaddedVocabulary());
    }

    /// Looks at the exits of a text's model.
    private void prepare(SequenceState target) {
        if (sequence != target) {
            forget();
            sequence = target;
            layers = target.model().config().layers();
            head = headShare(target.model().config());
            interval = FIRST_INTERVAL;
            untilNext = 0;
            distribution = new TokenDistribution(target.model().config().vocabulary());
            int count = Math.min(layers - 1, MAX_EXITS);
            for (int i = 0; i < count; i++) {
                int depth = (i + 1) * layers / (count + 1);
                Exit exit = new Exit(depth, target.partial(LayerProgram.firstLayers(depth)));
                exits = Arrays.copyOf(exits, i + 1);
                exits[i] = exit;
            }
        }
    }

    @Override
    public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
        lifetime.enter();
        try {
            draftBest(text, tree, maxNodes);
        } finally {
            lifetime.leave();
        }
    }

    private void draftBest(TokenSequence text, TokenTree tree, int maxNodes) {
        if (untilNext <= 0) {
            judgeExits(text);
        }
        Exit best = null;
        int length = 0;
        double rate = tokensPerLayer(0, 0, 0, layers, head);
        for (Exit exit : exits) {
            for (int count = 1; count <= max; count++) {
                double found = tokensPerLayer(exit.acceptance(), count, exit.layers, layers, head);
                if (found > rate) {
                    rate = found;
                    best = exit;
                    length = count;
                }
            }
        }
        if (best != null) {
            draftChain(text, tree, best, Math.min(length, maxNodes - tree.size()));
        }
    }

    /// Tokens emitted for each layer that is run in sequence: a draft of `count` tokens through `depth` layers, then all layers, the head
    /// after each.
    ///
    /// @param acceptance probability that a drafted token is right
    /// @param head what the head takes beside a layer
    static double tokensPerLayer(double acceptance, int count, int depth, int layers, double head) {
        double tokens = acceptance == 1 ? count + 1 : (1 - Math.pow(acceptance, count + 1)) / (1 - acceptance);
        return tokens / (count * (depth + head) + layers + head);
    }

    /// Weights of the head over those of a layer.
    private static double headShare(ModelConfig config) {
        double attention = 2.0 * (config.heads() + config.kvHeads()) * config.headDim();
        return config.vocabulary() / (attention + 3.0 * config.intermediate());
    }

    private void draftChain(TokenSequence text, TokenTree tree, Exit exit, int length) {
        context.set(sampling, text.array(), text.length(), text.promptLength());
        int node = 0;
        for (int depth = 0; depth < length; depth++) {
            exit.model.read(depth, tree.token(node));
            int token = sample(exit, 0, text.length() + depth);
            node = tree.add(node, token);
            context.add(token, true);
            if (distribution.probability(distribution.mostProbable()) < exit.threshold()) {
                return;
            }
        }
    }

    /// Samples a token behind what the context says, and leaves its distribution in [#distribution].
    private int sample(Exit exit, int row, int position) {
        sampler.distribution(exit.model.logits(), row, context, distribution);
        return random ? sampler.sample(distribution, position) : distribution.mostProbable();
    }

    /// Finds out which of the latest tokens each exit would have sampled.
    private void judgeExits(TokenSequence text) {
        int count = Math.min(MAX_REPLAYED, sequence.length());
        boolean pays = false;
        for (Exit exit : exits) {
            if (count == 0 || !exit.model.replay(count)) {
                continue;
            }
            double kept = Math.pow(DECAY, count);
            exit.seen *= kept;
            exit.guessed *= kept;
            exit.sureWhenRight *= kept;
            exit.sureWhenWrong *= kept;
            for (int row = 0; row < count; row++) {
                int position = sequence.length() - count + row + 1;
                context.set(sampling, text.array(), position, text.promptLength());
                int sampled = sample(exit, row, position);
                double confidence = distribution.probability(distribution.mostProbable());
                exit.seen++;
                if (sampled == text.token(position)) {
                    exit.guessed++;
                    exit.sureWhenRight += confidence;
                } else {
                    exit.sureWhenWrong += confidence;
                }
            }
            pays |= tokensPerLayer(exit.acceptance(), 1, exit.layers, layers, head) > tokensPerLayer(0, 0, 0, layers, head);
        }
        interval = pays ? FIRST_INTERVAL : Math.min(2 * interval, LAST_INTERVAL);
        untilNext = interval;
    }

    @Override
    public void observe(TokenSequence text, Step step) {
        untilNext -= step.accepted() + 1;
    }

    @Override
    public void close() {
        lifetime.close();
    }

    private void forget() {
        Arrays.stream(exits).forEach(exit -> exit.model.close());
        exits = new Exit[0];
    }
}
