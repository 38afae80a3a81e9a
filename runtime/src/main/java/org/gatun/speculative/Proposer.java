package org.gatun.speculative;

import org.gatun.sampling.Draws;
import org.gatun.sampling.Law;
import org.gatun.sampling.Noise;
import org.gatun.sampling.Sampling;

/// Proposes by a law what may follow a node. At temperature 0 it chooses the most probable tokens; above it draws from the law, with
/// noise of its own, apart from the target's.
///
/// The noise of a drawing belongs to its position and its number in the text: the same text begun again with the same seed is given the
/// same proposals. One thread at a time.
public final class Proposer {
    private boolean random;
    private Noise noise;
    private int serial;         // of drawings
    private int[] tokens = new int[16];

    /// Starts on a text.
    ///
    /// @param target how the target's tokens are drawn
    public void begin(Sampling target) {
        random = target.temperature() > 0;
        noise = new Noise(target.seed());
        serial = 0;
    }

    /// Whether tokens are drawn, not chosen.
    public boolean isRandom() {
        return random;
    }

    /// The noise that tokens are drawn with.
    public Noise noise() {
        return noise;
    }

    /// A number that no other drawing of this text had or will have.
    public int nextSerial() {
        return serial++;
    }

    /// What may follow, the most promising first: the most probable tokens, or different ones drawn in turn.
    ///
    /// @param position of the tokens
    /// @param count most tokens
    /// @param found receives them
    /// @return how many there are
    public int candidates(Law law, int position, int count, int[] found) {
        return random ? law.draw(noise, position, nextSerial(), count, found) : law.mostProbable(count, found);
    }

    /// Gives a node its law, before children are added.
    public void open(TokenTree tree, int node, Law law, Draws how) {
        if (random) {
            tree.setLaw(node, how, law);
        }
    }

    /// Adds a child to a node that was opened.
    public int add(TokenTree tree, int node, int token) {
        return random ? tree.addDrawn(node, token) : tree.add(node, token);
    }

    /// Adds children below a node that has none: drawn ones, or the most probable.
    ///
    /// @param law must stay as it is until the tree was verified
    /// @param position of the children
    /// @param count most children
    /// @return how many nodes were added, the last ones of the tree
    public int propose(TokenTree tree, int node, Law law, int position, int count, Draws how) {
        if (tokens.length < count) {
            tokens = new int[count];
        }
        int before = tree.size();
        open(tree, node, law, how);
        int turns = random && how == Draws.INDEPENDENT ? count : 1;
        for (int turn = 0; turn < turns; turn++) {
            int found = candidates(law, position, count / turns, tokens);
            for (int i = 0; i < found; i++) {
                add(tree, node, tokens[i]);
            }
        }
        return tree.size() - before;
    }
}
