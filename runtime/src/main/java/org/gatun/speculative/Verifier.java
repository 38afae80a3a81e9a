package org.gatun.speculative;

import java.lang.foreign.MemorySegment;
import org.gatun.decoding.Sampler;
import org.gatun.decoding.TokenText;

/// Walks a tree from the root: at each node it draws the target's next token, exactly as plain decoding would at that
/// position, and goes down if a child carries it. The tokens emitted are therefore those of plain decoding with the same
/// seed, whatever was proposed; at temperature 0 they are the largest logits.
///
/// Reused from step to step. One thread at a time.
final class Verifier {
    private final Sampler sampler;
    private final int[] path;
    private int accepted;

    /// @param sampler the target's
    /// @param capacity most nodes of a tree
    Verifier(Sampler sampler, int capacity) {
        this.sampler = sampler;
        path = new int[capacity];
    }

    /// Appends the accepted tokens and the one that follows them (recovered or bonus) to `text`. Hot.
    ///
    /// @param logits of every node, `[nodes, vocabulary] f32`
    void verify(TokenTree tree, MemorySegment logits, TokenText text) {
        accepted = 0;
        int node = 0;
        while (node >= 0) {
            int token = sampler.choose(logits, node, text.array(), text.length());
            text.append(token);
            node = tree.child(node, token);
            if (node >= 0) {
                path[accepted++] = node;
            }
        }
    }

    /// Nodes accepted in the last walk, from the root's child down; the first [#accepted] count.
    int[] path() {
        return path;
    }

    /// How many nodes were accepted in the last walk.
    int accepted() {
        return accepted;
    }
}
