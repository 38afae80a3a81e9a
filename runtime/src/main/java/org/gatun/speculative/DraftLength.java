package org.gatun.speculative;

/// How many tokens to draft next, learnt from what was accepted: one more after a draft that was accepted whole, fewer
/// after one that was not, so that the length settles near what the target tends to accept. (After the heuristic
/// schedule of assisted generation, Gante 2023.)
public final class DraftLength {
    private final int max;
    private double length;

    /// @param first to start with
    /// @param max never more
    public DraftLength(int first, int max) {
        this.max = max;
        length = Math.min(first, max);
    }

    /// Tokens to draft next.
    public int next() {
        return (int) Math.round(length);
    }

    /// Tokens to draft after a draft that is accepted whole.
    public int nextIfAccepted() {
        return (int) Math.round(Math.min(max, length + 1));
    }

    /// Learns from a draft.
    public void observe(int drafted, int accepted) {
        if (drafted == 0) {
            return;
        }
        length = accepted == drafted ? Math.min(max, length + 1) : Math.max(1, length + 0.5 * (accepted + 1 - length));
    }
}
