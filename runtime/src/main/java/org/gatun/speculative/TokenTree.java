package org.gatun.speculative;

import java.util.Objects;
import org.gatun.backend.DraftDistributions;
import org.gatun.backend.Segment;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.TokenDistribution;

/// The tokens that one target pass verifies: node 0 is the root, the last token of the text, which has no KV row yet; every
/// other node continues its parent. Parents come before children, siblings in the order they were proposed. A chain is a
/// tree of fan-out one, plain decoding a tree of one node.
///
/// A child is deterministic ([#add]) or sampled from a distribution ([#setDistribution], then [#addSampled]). Deterministic children can be
/// any; whether there is a sampled child at all may depend on everything but the token sampled, else the text no longer follows the
/// target's distribution. The sampled children of a node come before the deterministic ones.
///
/// Reused from step to step: [#begin] empties it, adding allocates nothing. One thread at a time.
public final class TokenTree {
    /// Bits in an ancestor word.
    private static final int WORD = Long.SIZE;

    private final int words;
    private final int vocabulary;                        // tokens that can be proposed
    private final int[] tokens;                          // [capacity]
    private final int[] parents;                         // [capacity], -1 for the root
    private final int[] depths;                          // [capacity]
    private final long[] ancestors;                      // [capacity, words], the node itself included
    private final DraftDistributions draftDistributions; // of nodes, which become rows
    private int size;

    /// A tree of any tokens.
    ///
    /// @param capacity most nodes, the root included
    public TokenTree(int capacity) {
        this(capacity, Integer.MAX_VALUE);
    }

    /// @param capacity most nodes, the root included
    /// @param vocabulary number of tokens that can be proposed, those from 0 on; others are padding
    public TokenTree(int capacity, int vocabulary) {
        this.vocabulary = vocabulary;
        if (capacity < 1) {
            throw new IllegalArgumentException("tree of " + capacity + " nodes: expected at least the root");
        }
        words = (capacity + WORD - 1) / WORD;
        tokens = new int[capacity];
        parents = new int[capacity];
        depths = new int[capacity];
        ancestors = new long[capacity * words];
        draftDistributions = new DraftDistributions(capacity);
    }

    /// Empties the tree and gives it a root.
    public TokenTree begin(int rootToken) {
        size = 0;
        draftDistributions.clear();
        append(rootToken, -1);
        return this;
    }

    /// Whether a token can be proposed: whether it is no padding.
    public boolean allows(int token) {
        return token >= 0 && token < vocabulary;
    }

    /// Adds a child below `parent` and returns its node number. A sibling with the same token is returned instead of added.
    ///
    /// @throws IllegalArgumentException if the token is not allowed
    /// @throws IndexOutOfBoundsException if there is no such parent
    /// @throws IllegalStateException if the tree is full
    public int add(int parent, int token) {
        Objects.checkIndex(parent, size);
        if (!allows(token)) {
            throw new IllegalArgumentException("token " + token + " is proposed: expected one below " + vocabulary + ", where padding begins");
        }
        int existing = child(parent, token);
        if (existing >= 0) {
            return existing;
        }
        if (size == capacity()) {
            throw new IllegalStateException("the tree is full: " + size + " nodes");
        }
        return append(token, parent);
    }

    private int append(int token, int parent) {
        int node = size++;
        tokens[node] = token;
        parents[node] = parent;
        depths[node] = parent < 0 ? 0 : depths[parent] + 1;
        for (int word = 0; word < words; word++) {
            ancestors[node * words + word] = parent < 0 ? 0 : ancestors[parent * words + word];
        }
        ancestors[node * words + node / WORD] |= 1L << node % WORD;
        return node;
    }

    /// Says which distribution the children sampled below `parent` follow. It must stay as it is until the tree was verified.
    ///
    /// @throws IllegalStateException if the node has a distribution or a child already
    public void setDistribution(int parent, ProposalSampling how, TokenDistribution distribution) {
        if (distribution(parent) != null || hasChild(parent)) {
            throw new IllegalStateException("node " + parent + " has a distribution or a child already");
        }
        draftDistributions.setDistribution(parent, how, distribution);
    }

    /// Adds a child that was sampled from the distribution of `parent`, and returns its node number. If the token was sampled there before,
    /// the node is the same, and counts as sampled twice.
    ///
    /// @throws IllegalStateException if `parent` has no distribution, the distribution has no such token, or it was sampled before and
    ///         cannot be again; if a deterministic child is there already, or the tree is full
    public int addSampled(int parent, int token) {
        TokenDistribution distribution = distribution(parent);
        int existing = child(parent, token);
        if (distribution == null || distribution.weight(token) == 0 || existing >= 0
                && draftDistributions.sampling(parent) == ProposalSampling.WITHOUT_REPLACEMENT) {
            throw new IllegalStateException("token " + token + " cannot be sampled below node " + parent);
        }
        int node = add(parent, token);
        draftDistributions.add(parent, node);
        return node;
    }

    /// Whether anything was proposed below a node.
    public boolean hasChild(int node) {
        return firstChild(node) >= 0;
    }

    private int firstChild(int parent) {
        for (int node = parent + 1; node < size; node++) {
            if (parents[node] == parent) {
                return node;
            }
        }
        return -1;
    }

    /// The distribution of the sampled children of a node, or null.
    public TokenDistribution distribution(int node) {
        return draftDistributions.distribution(Objects.checkIndex(node, size));
    }

    /// Number of samples in the tree.
    public int samples() {
        return draftDistributions.count();
    }

    /// The child of `parent` that carries `token`, or -1.
    public int child(int parent, int token) {
        for (int node = parent + 1; node < size; node++) {
            if (parents[node] == parent && tokens[node] == token) {
                return node;
            }
        }
        return -1;
    }

    /// Writes every node as a row of a segment after `committed` slots, with what was sampled. Where the tree is a chain the segment is causal,
    /// otherwise rows attend by mask words.
    public void writeTo(Segment segment, int committed) {
        if (isChain()) {
            segment.beginCausal(committed);
            for (int node = 0; node < size; node++) {
                segment.addRow(tokens[node]);
            }
        } else {
            segment.beginTree(committed);
            for (int node = 0; node < size; node++) {
                segment.addRow(tokens[node], committed + depths[node], ancestors, node * words, words);
            }
        }
        segment.setDraftDistributions(draftDistributions);
    }

    private boolean isChain() {
        return depths[size - 1] == size - 1;
    }

    /// Most nodes it can hold.
    public int capacity() {
        return tokens.length;
    }

    /// Number of nodes, the root included.
    public int size() {
        return size;
    }

    /// Token of a node.
    public int token(int node) {
        return tokens[Objects.checkIndex(node, size)];
    }

    /// Parent of a node; -1 for the root.
    public int parent(int node) {
        return parents[Objects.checkIndex(node, size)];
    }

    /// Distance from the root.
    public int depth(int node) {
        return depths[Objects.checkIndex(node, size)];
    }

    /// Whether `ancestor` is on the path from the root to `node`, both included.
    public boolean isAncestor(int ancestor, int node) {
        Objects.checkIndex(ancestor, size);
        Objects.checkIndex(node, size);
        return (ancestors[node * words + ancestor / WORD] >>> ancestor % WORD & 1) != 0;
    }
}
