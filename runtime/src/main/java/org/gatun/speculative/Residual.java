package org.gatun.speculative;

import org.gatun.sampling.Law;

/// What a node of a verified tree still has to emit, while its drawn children are tested one after the other.
///
/// One test is a step of speculative sampling (Leviathan et al. 2023, arXiv 2211.17192): a token drawn from law `s` is accepted with
/// probability `min(1, r / s)`, else the law `r` becomes what is left of it without `s`. A token that comes out has law `r`; so by
/// induction over the children one that comes out of a node has the target's law, whatever their number. Children drawn without
/// replacement are tested with the law they were really drawn from (Jeon et al. 2024, arXiv 2402.14160).
final class Residual {
    /// Less than this left means that the two laws are equal but for rounding.
    private static final double ROUNDING = 1e-7;

    private final Law left;
    private final Law proposed;
    private TokenTree.Draws how;

    /// @param vocabulary number of tokens
    Residual(int vocabulary) {
        left = new Law(vocabulary);
        proposed = new Law(vocabulary);
    }

    /// What is still to be emitted: at first the target's law, to be filled in.
    Law left() {
        return left;
    }

    /// Begins on a node that has drawn children.
    void begin(TokenTree.Draws draws, Law law) {
        how = draws;
        proposed.set(law);
    }

    /// Probability that a drawn child is accepted.
    double acceptance(int token) {
        double wanted = left.probability(token);
        double offered = proposed.probability(token);
        return wanted >= offered ? 1 : wanted / offered;
    }

    /// Takes away what a rejected child stood for.
    ///
    /// @return whether anything is left; if not the laws were equal, and the child is to be accepted
    boolean reject(int token) {
        left.subtract(proposed);
        if (left.mass() <= ROUNDING) {
            return false;
        }
        if (how == TokenTree.Draws.WITHOUT_REPLACEMENT) {
            proposed.remove(token);
        }
        return true;
    }
}
