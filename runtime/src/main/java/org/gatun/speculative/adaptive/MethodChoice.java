package org.gatun.speculative.adaptive;

/// Decides which of several drafters makes the next tree, if any, and how large it may be, from what steps so far cost and gave.
///
/// Of each drafter it keeps how often there was an n-th node, and how often that was accepted, as exponential means. The first n nodes
/// of a tree are a tree, so these say what any smaller tree would give; with the costs of passes, which are the same for all, that is
/// the tokens a second of each drafter at each size, and of plain decoding.
///
/// The fastest is in use; none, if it is below [#MIN_GAIN] times plain decoding. The others are tried again after 64 tokens, and
/// after four times as many each time they do not win, so that what never wins costs little. One thread at a time.
final class MethodChoice {
    /// No drafter: plain decoding.
    static final int PLAIN = -1;
    static final double MIN_GAIN = 1.03;
    static final int FIRST_PAUSE = 64;
    static final int MAX_PAUSE = 1024;
    /// What is in use, but with smaller trees than it wants, is soon tried with them again.
    private static final int MAX_PAUSE_OF_SIZE = 128;
    private static final int PAUSE_GROWTH = 4;
    /// What a lost trial took longer than plain decoding is at most this part of the time to the next: a model that must read a long
    /// prompt first is tried seldom.
    private static final double MAX_LOSS = 0.01;
    /// A trial ends after so many steps with a proposal,
    static final int TRIAL_PROPOSALS = 6;
    /// or after so many steps with or without one;
    private static final int TRIAL_STEPS = 24;
    /// after half or a third of those, if the drafter has but this part of the speed that is to be beaten.
    private static final double CLEAR_LOSS = 0.8;
    /// Of a step, in the means.
    private static final double WEIGHT = 1.0 / 32;
    /// All that was known of a drafter counts as this many steps when it is tried again.
    private static final int REMEMBERED_STEPS = 3;
    /// A drafter that replaces another must be faster by this,
    private static final double MIN_LEAD = 1.02;
    /// and trees smaller than the drafter wants by this: what they cut off is seen again in trials only.
    private static final double MIN_LEAD_OF_SIZE = 1.06;
    /// Tokens at the very start that are decoded plainly, to know what that costs.
    private static final int PLAIN_TOKENS = 4;
    /// A drafter that took this many times longer than it does on average was held up by something else.
    private static final int MAX_SURPRISE = 4;

    private final PassCosts costs;
    private final Candidate[] candidates;
    private int inUse = PLAIN;
    private int next = PLAIN;
    private boolean trial;
    private int steps;          // of this turn of `next`
    private int proposals;      // those with a proposal
    private boolean textBegins;
    private double loss;        // of this trial, in tokens of plain decoding
    private long tokens;        // since the start

    /// What is known of a drafter.
    private final class Candidate {
        private final double[] proposed; // [node] how often there was one, [0] unused
        private final double[] accepted; // [node] how often it was accepted
        private double nanos;            // in the drafter, a step
        private int steps;
        private int rows;                // most, of its next tree
        private double speed;            // tokens a nanosecond at that size
        private int pause = FIRST_PAUSE;
        private long nextTrial;

        Candidate(int maxRows) {
            proposed = new double[maxRows];
            accepted = new double[maxRows];
            rows = maxRows;
        }

        void learn(int maxRows, int size, int[] acceptedNodes, int acceptedCount, long drafterNanos) {
            steps++;
            double weight = Math.max(WEIGHT, 1.0 / steps);
            int path = 0;
            for (int node = 1; node < maxRows; node++) {
                boolean hit = path < acceptedCount && acceptedNodes[path] == node;
                path += hit ? 1 : 0;
                proposed[node] += weight * ((node < size ? 1 : 0) - proposed[node]);
                accepted[node] += weight * ((hit ? 1 : 0) - accepted[node]);
            }
            // the first step of a turn pays for what its drafter missed, and says little about those to come
            if (steps <= 2) {
                nanos = drafterNanos;
            } else if (MethodChoice.this.steps > 1) {
                // what a drafter reads of a new text is part of its price
                nanos += weight * ((textBegins ? drafterNanos : Math.min(drafterNanos, MAX_SURPRISE * nanos + 1)) - nanos);
            }
        }

        /// Finds the size of tree that gives the most tokens a second; the largest one, unless another is faster by a margin.
        void rate() {
            double drafted = 0;
            for (double often : proposed) {
                drafted += often;
            }
            double found = 1;
            double spent = costs.nanos(1);
            double share = 0;
            double bestSpeed = 0;
            for (int size = 1; size <= proposed.length; size++) {
                if (size > 1) {
                    found += accepted[size - 1];
                    spent += proposed[size - 1] * (costs.nanos(size) - costs.nanos(size - 1));
                    share += proposed[size - 1];
                }
                // drafting takes as long as what is drafted, but looking for something and finding nothing takes time too
                speed = found / (spent + nanos * (share + 0.1) / (drafted + 0.1));
                if (size > 1 && speed > bestSpeed) {
                    rows = size;
                    bestSpeed = speed;
                }
            }
            if (bestSpeed < MIN_LEAD_OF_SIZE * speed) {
                rows = proposed.length;
            } else {
                speed = bestSpeed;
            }
        }

        void tryAgainLater(double pauseAtLeast) {
            nextTrial = tokens + Math.max(pause, (long) pauseAtLeast);
        }
    }

    /// @param drafters how many there are
    /// @param maxRows of a tree, the root included
    MethodChoice(int drafters, int maxRows) {
        costs = new PassCosts(maxRows);
        candidates = new Candidate[drafters];
        for (int i = 0; i < drafters; i++) {
            candidates[i] = new Candidate(maxRows);
        }
    }

    /// The drafter of the next step, or [#PLAIN].
    int next() {
        return next;
    }

    /// Most rows of the next step's tree, the root included.
    int rows() {
        return next == PLAIN ? 1 : candidates[next].rows;
    }

    /// Says that the next step is the first of another text.
    void begin() {
        textBegins = true;
    }

    /// Learns from the step that [#next] asked for, and decides on the one after it.
    ///
    /// @param maxRows that the tree was allowed
    /// @param size of the tree, the root included
    /// @param acceptedNodes in ascending order, the root not among them
    /// @param acceptedCount how many of them count
    /// @param drafterNanos time in the drafter
    /// @param passNanos time of the pass and its verification
    void observe(int maxRows, int size, int[] acceptedNodes, int acceptedCount, long drafterNanos, long passNanos) {
        tokens += acceptedCount + 1;
        steps++;
        proposals += size > 1 ? 1 : 0;
        costs.observe(size, passNanos);
        loss += (drafterNanos + passNanos) / costs.nanos(1) - acceptedCount - 1;
        if (next != PLAIN && maxRows > 1) {
            candidates[next].learn(maxRows, size, acceptedNodes, acceptedCount, drafterNanos);
            candidates[next].rate();
        }
        textBegins = false;
        if (tokens >= PLAIN_TOKENS && (!trial || isDecided())) {
            decide();
        }
    }

    private boolean isDecided() {
        double speed = inUse == PLAIN ? 1 / costs.nanos(1) : candidates[inUse].speed;
        return proposals >= TRIAL_PROPOSALS || steps >= TRIAL_STEPS
                || (proposals >= TRIAL_PROPOSALS / 2 || steps >= TRIAL_STEPS / 3) && candidates[next].speed < CLEAR_LOSS * speed;
    }

    private void decide() {
        int before = inUse;
        inUse = fastest();
        if (trial) {
            Candidate tried = candidates[next];
            boolean won = inUse == next && (before != next || tried.rows == tried.proposed.length);
            tried.pause = won ? FIRST_PAUSE : proposals == 0 ? tried.pause
                    : Math.min(PAUSE_GROWTH * tried.pause, inUse == next ? MAX_PAUSE_OF_SIZE : MAX_PAUSE);
            tried.tryAgainLater(won ? 0 : loss / MAX_LOSS);
        }
        if (before != inUse && before != PLAIN) {
            candidates[before].tryAgainLater(0);
        }
        int candidate = dueForTrial();
        boolean goesOn = candidate == PLAIN && !trial && inUse == next;
        trial = candidate != PLAIN;
        loss = 0;
        next = trial ? candidate : inUse;
        if (trial) {
            candidates[next].rows = candidates[next].proposed.length;
            candidates[next].steps = Math.min(candidates[next].steps, REMEMBERED_STEPS);
        }
        if (!goesOn) {
            steps = 0;
            proposals = 0;
        }
    }

    private int fastest() {
        double plain = MIN_GAIN / costs.nanos(1);
        int fastest = PLAIN;
        double speed = plain;
        if (inUse != PLAIN && candidates[inUse].speed > plain) {
            fastest = inUse;
            speed = MIN_LEAD * candidates[inUse].speed;
        }
        for (int i = 0; i < candidates.length; i++) {
            if (i != inUse && candidates[i].speed > speed) {
                fastest = i;
                speed = candidates[i].speed;
            }
        }
        return fastest;
    }

    /// A drafter that is not in use, or in use with less than all rows, and has paused long enough; [#PLAIN] if there is none.
    private int dueForTrial() {
        for (int i = 0; i < candidates.length; i++) {
            Candidate candidate = candidates[i];
            if (tokens >= candidate.nextTrial && (i != inUse || candidate.rows < candidate.proposed.length)) {
                return i;
            }
        }
        return PLAIN;
    }
}
