package org.gatun.speculative.draftmodel;

import org.gatun.decoding.TokenSequence;
import org.gatun.model.SequenceState;
import org.gatun.model.Session;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Requirements;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// A smaller model proposes a tree, grown as a [TreePolicy] says.
public final class TreeDrafter implements Drafter {
    private final DraftModel model;
    private final TreePolicy policy;
    private final int rows;
    private boolean grown;

    /// @param session of the draft model, owned by this drafter from now on
    /// @param rows most nodes, the root included
    private TreeDrafter(Session session, TreePolicy policy, int rows) {
        model = new DraftModel(session);
        this.policy = policy;
        this.rows = rows;
    }

    /// Each node of a level gets the same number of children, each sampled for itself. (SpecInfer, Miao et al. 2023, arXiv 2305.09781.)
    ///
    /// @param branching children of a node, level by level
    public static TreeDrafter independent(Session session, int[] branching) {
        return new TreeDrafter(session, new LevelPolicy(branching, ProposalSampling.INDEPENDENT), session.maxTreeRows());
    }

    /// Each node of a level gets the same number of different children. (RSD-C, Jeon et al. 2024, arXiv 2402.14160.)
    ///
    /// @param branching children of a node, level by level
    public static TreeDrafter withoutReplacement(Session session, int[] branching) {
        return new TreeDrafter(session, new LevelPolicy(branching, ProposalSampling.WITHOUT_REPLACEMENT), session.maxTreeRows());
    }

    /// See [StochasticBeamPolicy].
    public static TreeDrafter stochasticBeam(Session session, int width, int depth) {
        return new TreeDrafter(session, new StochasticBeamPolicy(width, depth), session.maxTreeRows());
    }

    /// See [ThresholdPolicy].
    public static TreeDrafter threshold(Session session, double threshold, int depth, int rows) {
        return new TreeDrafter(session, new ThresholdPolicy(threshold, depth), rows);
    }

    /// See [SequoiaPolicy].
    public static TreeDrafter sequoia(Session session, int rows, int depth) {
        return new TreeDrafter(session, new SequoiaPolicy(rows, depth), rows);
    }

    /// See [BestFirstPolicy].
    public static TreeDrafter bestFirst(Session session, int branch, int depth, int rows) {
        return new TreeDrafter(session, new BestFirstPolicy(branch, depth, session.maxTreeRows()), rows);
    }

    @Override
    public Requirements requirements() {
        return Requirements.DRAFT_MODEL;
    }

    @Override
    public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
        model.begin(target.model(), sampling);
    }

    @Override
    public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
        int max = Math.min(Math.min(rows, maxNodes), model.room(text) + 1);
        grown = max > 1;
        if (grown) {
            policy.grow(model, text, tree, max);
        }
    }

    @Override
    public void observe(TokenSequence text, Step step) {
        if (grown) {
            model.observe(step);
            policy.observe(step);
        }
    }

    @Override
    public void close() {
        model.close();
    }
}
