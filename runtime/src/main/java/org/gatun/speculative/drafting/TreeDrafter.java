package org.gatun.speculative.drafting;

import org.gatun.decoding.TokenText;
import org.gatun.model.Session;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// A smaller model proposes a tree, grown as a [Growth] says.
public final class TreeDrafter implements Drafter {
    private final DraftModel model;
    private final Growth growth;
    private final int rows;
    private boolean grown;

    /// @param session of the draft model, owned by this drafter from now on
    /// @param rows most nodes, the root included
    private TreeDrafter(Session session, Growth growth, int rows) {
        model = new DraftModel(session);
        this.growth = growth;
        this.rows = rows;
    }

    /// Each node of a level gets the same number of children, each sampled for itself. (SpecInfer, Miao et al. 2023, arXiv 2305.09781.)
    ///
    /// @param widths children of a node, level by level
    public static TreeDrafter independent(Session session, int[] widths) {
        return new TreeDrafter(session, new LevelGrowth(widths, ProposalSampling.INDEPENDENT), session.maxTreeRows());
    }

    /// Each node of a level gets the same number of different children. (RSD-C, Jeon et al. 2024, arXiv 2402.14160.)
    ///
    /// @param widths children of a node, level by level
    public static TreeDrafter withoutReplacement(Session session, int[] widths) {
        return new TreeDrafter(session, new LevelGrowth(widths, ProposalSampling.WITHOUT_REPLACEMENT), session.maxTreeRows());
    }

    /// See [StochasticBeamGrowth].
    public static TreeDrafter stochasticBeam(Session session, int width, int depth) {
        return new TreeDrafter(session, new StochasticBeamGrowth(width, depth), session.maxTreeRows());
    }

    /// See [ThresholdGrowth].
    public static TreeDrafter threshold(Session session, double threshold, int depth, int rows) {
        return new TreeDrafter(session, new ThresholdGrowth(threshold, depth), rows);
    }

    /// See [SequoiaGrowth].
    public static TreeDrafter sequoia(Session session, int rows, int depth) {
        return new TreeDrafter(session, new SequoiaGrowth(rows, depth), rows);
    }

    /// See [BestFirstGrowth].
    public static TreeDrafter bestFirst(Session session, int branch, int depth, int rows) {
        return new TreeDrafter(session, new BestFirstGrowth(branch, depth, session.maxTreeRows()), rows);
    }

    @Override
    public void begin(Session target, TokenText prompt, Sampling sampling) {
        model.begin(target, sampling);
    }

    @Override
    public void draft(TokenText text, TokenTree tree, int maxNodes) {
        int most = Math.min(Math.min(rows, maxNodes), model.room(text) + 1);
        grown = most > 1;
        if (grown) {
            growth.grow(model, text, tree, most);
        }
    }

    @Override
    public void observe(TokenText text, Step step) {
        if (grown) {
            model.observe(step);
            growth.observe(step);
        }
    }

    @Override
    public void close() {
        model.close();
    }
}
