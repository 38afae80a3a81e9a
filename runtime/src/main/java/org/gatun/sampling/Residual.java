package org.gatun.sampling;

/// What a place in a text still has to emit, while tokens drawn for it are tested one after the other.
///
/// One test is a step of speculative sampling (Leviathan et al. 2023, arXiv 2211.17192): a token drawn from law `s` is accepted with
/// probability `min(1, r / s)`, else the law `r` becomes what is left of it without `s`. A token that comes out has law `r`; so by
/// induction over the tokens one that comes out in the end has the law there was at first, whatever their number. Tokens drawn without
/// replacement are tested with the law they were really drawn from (Jeon et al. 2024, arXiv 2402.14160).
///
/// `verification.cu` has the same to the bit; whoever changes one changes the other.
public final class Residual {
    /// Less than this share left means that the two laws are equal but for rounding.
    private static final double ROUNDING = 0x1p-23;

    private final Law left;
    private final Law proposed;
    private Draws how;

    /// @param vocabulary number of tokens
    public Residual(int vocabulary) {
        left = new Law(vocabulary);
        proposed = new Law(vocabulary);
    }

    /// What is still to be emitted: at first the target's law, to be filled in.
    public Law left() {
        return left;
    }

    /// Begins with tokens drawn from a law over the same vocabulary.
    public void begin(Draws draws, Law law) {
        how = draws;
        proposed.set(law);
    }

    /// Probability that a drawn token is accepted.
    public double acceptance(int token) {
        long wanted = left.weight(token);
        long offered = left.weightBy(proposed, token);
        return wanted >= offered ? 1 : (double) wanted / offered;
    }

    /// Takes away what a rejected token stood for.
    ///
    /// @return whether anything is left; if not the laws were equal, and the token is to be accepted
    public boolean reject(int token) {
        double before = left.mass();
        left.subtract(proposed);
        if (left.mass() <= ROUNDING * before) {
            return false;
        }
        if (how == Draws.WITHOUT_REPLACEMENT) {
            proposed.remove(token);
        }
        return true;
    }
}
