package org.gatun.speculative.selfspeculation;

import java.util.Arrays;
import org.gatun.decoding.TokenSequence;
import org.gatun.lifetime.Lifetime;
import org.gatun.model.PartialModel;
import org.gatun.model.SequenceState;
import org.gatun.plan.LayerProgram;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.Sampler;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.SamplingContext;
import org.gatun.sampling.TokenDistribution;
import org.gatun.speculative.DraftSampler;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Requirements;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// The target drafts for itself with some attentions and feed-forward parts left out. Which ones is looked for while it decodes: a set is
/// as good as the share of the latest tokens that it would have guessed. (SWIFT, Xia et al. 2024, arXiv 2410.06916.)
///
/// A chain of the most probable tokens, with leaves beside it where the draft is unsure; it ends at an unsure token. Above temperature 0
/// siblings are sampled without replacement, and the first goes on. The set found is kept for later texts.
public final class SwiftDrafter implements Drafter {
    private static final double UNSURE = 0.8;
    /// A draft adds a sibling for each of these that its confidence is below.
    private static final double[] CONFIDENCES = {0.95, 0.8, 0.5};
    private static final int STEPS_A_TRIAL = 4;
    private static final double ENOUGH = 0.93;

    private final int max;
    private final Lifetime lifetime = new Lifetime("drafter swift", this::forget);
    private final int branch;
    private final int window;
    private final double skippedShare;
    private final DraftSampler draftSampler = new DraftSampler();
    private SkipSearch search;
    private PartialModel draft;
    private boolean[] drafting;     // the set of `draft`
    private SequenceState sequence;
    private Sampling sampling;
    private Sampler sampler;
    private final SamplingContext context = new SamplingContext();
    private TokenDistribution[] distributions; // by depth
    private int steps;

    /// @param max tokens of the chain
    /// @param branch siblings at most
    /// @param window latest tokens that a set is judged by
    /// @param skippedShare of the parts that may be skipped
    public SwiftDrafter(int max, int branch, int window, double skippedShare) {
        this.max = max;
        this.branch = branch;
        this.window = window;
        this.skippedShare = skippedShare;
    }

    @Override
    public Requirements requirements() {
        return Requirements.TARGET_LAYERS;
    }

    @Override
    public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
        lifetime.enter();
        try {
            prepare(target, sampling);
        } finally {
            lifetime.leave();
        }
    }

    private void prepare(SequenceState target, Sampling targetSampling) {
        sampling = targetSampling;
        if (search == null) {
            int parts = 2 * Math.max(0, target.model().config().layers() - 2); // the first and the last layer stay
            search = new SkipSearch(parts, (int) (parts * skippedShare), ENOUGH, sampling.seed());
        }
        if (sequence != target) {
            forget();
            sequence = target;
            distributions = new TokenDistribution[max];
            Arrays.setAll(distributions, _ -> new TokenDistribution(target.model().config().vocabulary()));
        }
        draftSampler.begin(sampling);
        sampler = new Sampler(draftSampler.isRandom() ? sampling : sampling.withTemperature(1), target.model().config().vocabulary(),
                target.model().unpaddedVocabulary());
    }

    @Override
    public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
        lifetime.enter();
        try {
            draftChain(text, tree, maxNodes);
        } finally {
            lifetime.leave();
        }
    }

    private void draftChain(TokenSequence text, TokenTree tree, int maxNodes) {
        if (steps++ % STEPS_A_TRIAL == 0 && !search.isOver()) {
            tryAnotherSet(text);
        }
        if (search.best() == null) {
            return;
        }
        if (drafting != search.best()) {
            forget();
            drafting = search.best();
            draft = sequence.partial(program(drafting));
        }
        int room = Math.min(maxNodes, sequence.capacity() - sequence.length());
        context.set(sampling, text.array(), text.length(), text.promptLength());
        int node = 0;
        for (int depth = 0; depth < max && tree.size() < room; depth++) {
            draft.read(depth, tree.token(node));
            TokenDistribution distribution = distributions[depth];
            sampler.distribution(draft.logits(), 0, context, distribution);
            double confidence = distribution.probability(distribution.mostProbable());
            int count = Math.min(siblings(confidence), room - tree.size());
            int first = tree.size();
            draftSampler.propose(tree, node, distribution, text.length() + depth, count, ProposalSampling.WITHOUT_REPLACEMENT);
            node = first;
            context.add(tree.token(node), true);
            if (confidence < UNSURE) {
                return; // what follows an unsure token is seldom accepted
            }
        }
    }

    private int siblings(double confidence) {
        int count = 1;
        for (double bound : CONFIDENCES) {
            count += confidence < bound ? 1 : 0;
        }
        return Math.min(count, branch);
    }

    /// Judges a set by the latest tokens: how many of them would have been its most probable ones.
    private void tryAnotherSet(TokenSequence text) {
        int count = Math.min(window, sequence.length());
        if (count < window / 2) {
            return; // too few to judge by
        }
        boolean[] set = search.next();
        try (PartialModel candidate = sequence.partial(program(set))) {
            if (!candidate.replay(count)) {
                return;
            }
            int guessed = 0;
            context.set(sampling, new int[0], 0, 0); // judged without penalties
            for (int row = 0; row < count; row++) {
                sampler.distribution(candidate.logits(), row, context, distributions[0]);
                guessed += distributions[0].mostProbable() == text.token(sequence.length() - count + row + 1) ? 1 : 0;
            }
            search.observe(set, (double) guessed / count);
        }
    }

    private LayerProgram program(boolean[] set) {
        int layers = sequence.model().config().layers();
        boolean[] attention = new boolean[layers];
        boolean[] feedForward = new boolean[layers];
        for (int i = 0; i < set.length; i += 2) {
            attention[1 + i / 2] = set[i];
            feedForward[1 + i / 2] = set[i + 1];
        }
        return LayerProgram.without(attention, feedForward);
    }

    @Override
    public void observe(TokenSequence text, Step step) {
        // sets are judged by the text
    }

    @Override
    public void close() {
        lifetime.close();
    }

    private void forget() {
        if (draft != null) {
            draft.close();
            draft = null;
            drafting = null;
        }
    }
}
