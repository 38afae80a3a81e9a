package org.gatun.speculative.draftmodel;

import java.util.Arrays;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.Model;
import org.gatun.model.Session;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.Sampler;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.TokenDistribution;
import org.gatun.speculative.DraftSampler;
import org.gatun.speculative.PathContext;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// A smaller model that says what may follow the nodes of a tree: first it reads the text with the root, then nodes, those of a level
/// in one pass.
///
/// At temperature 0 children are its most probable tokens; above it they are sampled from its distribution, under the target's settings and
/// with random numbers of their own. Owns its session. One thread at a time, closed by any.
final class DraftModel implements AutoCloseable {
    /// Tokens that are read in one pass with the root, at most; those before have passes of their own.
    private static final int READ_WITH_ROOT = 16;

    private final Session session;
    private final DraftText draftText;
    // over the target's vocabulary: of the root, then of the nodes read, by row; made when first needed
    private TokenDistribution[] distributions;
    private final int[] rows;            // of nodes, -1 if not read
    private final long[] ancestors;      // [row, words]
    private final int words;
    private final PathContext pathContext = new PathContext();
    private final DraftSampler draftSampler = new DraftSampler();
    private int vocabulary;              // of the target
    private Sampling sampling;
    private Sampler sampler;
    private TokenSequence text;
    private TokenTree tree;
    private int size;                    // rows of nodes

    /// @param session of the draft model, owned by this from now on
    DraftModel(Session session) {
        this.session = session;
        draftText = new DraftText(session);
        int max = session.maxTreeRows();
        distributions = new TokenDistribution[max + 1];
        rows = new int[max];
        words = max / Long.SIZE;
        ancestors = new long[max * words];
    }

    /// Starts on a text of a target. Distributions are over the target's vocabulary, and padding has no probability in them.
    void begin(Model target, Sampling targetSampling) {
        sampling = targetSampling;
        if (target.config().vocabulary() != vocabulary) {
            vocabulary = target.config().vocabulary();
            distributions = new TokenDistribution[distributions.length];
        }
        draftText.begin(target);
        draftSampler.begin(sampling);
        sampler = new Sampler(draftSampler.isRandom() ? sampling : sampling.withTemperature(1), session.vocabularySize(),
                session.model().unpaddedVocabulary());
    }

    /// Most nodes that can be read after a text, the root not counted.
    int room(TokenSequence of) {
        return Math.min(session.maxTreeRows(), session.capacity() - of.length());
    }

    /// Reads a text to its end, which is the root of a tree.
    void read(TokenSequence of, TokenTree grown) {
        text = of;
        tree = grown;
        size = 0;
        Arrays.fill(rows, -1);
        int[] tokens = draftText.of(text);
        int known = session.commonPrefix(tokens, text.length() - 1);
        int from = Math.max(known, text.length() - READ_WITH_ROOT);
        session.rewind(known);
        session.prefill(tokens, known, from);
        session.segment().beginCausal(from);
        for (int position = from; position < text.length(); position++) {
            session.segment().addRow(tokens[position]);
        }
        session.segment().select(text.length() - 1 - from);
        session.run();
        pathContext.set(sampling, text, text.length(), tree, 0);
        sampler.distribution(session.logits(), 0, pathContext.context(), storedDistribution(0));
        session.requireNumber(sampler.largest(), text.length());
        session.segment().beginTree(session.length());
    }

    /// Reads nodes of the tree in one pass.
    ///
    /// @param nodes whose parents are read already
    /// @param count how many of `nodes` there are
    void read(int[] nodes, int count) {
        if (count == 0) {
            return;
        }
        session.segment().extend();
        int first = size;
        for (int i = 0; i < count; i++) {
            addRow(nodes[i]);
        }
        session.evaluate();
        for (int i = 0; i < count; i++) {
            pathContext.set(sampling, text, text.length(), tree, nodes[i]);
            sampler.distribution(session.logits(), i, pathContext.context(), storedDistribution(1 + first + i));
        }
    }

    private TokenDistribution storedDistribution(int index) {
        if (distributions[index] == null) {
            distributions[index] = new TokenDistribution(vocabulary);
        }
        return distributions[index];
    }

    /// Reads all nodes from `from` on in one pass.
    void readFrom(int from) {
        int[] nodes = new int[tree.size() - from];
        Arrays.setAll(nodes, i -> from + i);
        read(nodes, nodes.length);
    }

    private void addRow(int node) {
        int row = size++;
        rows[node] = row;
        int parent = tree.parent(node) == 0 ? -1 : rows[tree.parent(node)];
        for (int word = 0; word < words; word++) {
            ancestors[row * words + word] = parent < 0 ? 0 : ancestors[parent * words + word];
        }
        ancestors[row * words + row / Long.SIZE] |= 1L << row % Long.SIZE;
        session.segment().addRow(tree.token(node), text.length() + tree.depth(node) - 1, ancestors, row * words, words);
        session.segment().select(row);
    }

    /// The distribution of what follows a node that was read; valid until the next text is read.
    TokenDistribution distribution(int node) {
        return distributions[node == 0 ? 0 : 1 + rows[node]];
    }

    /// How children are found.
    DraftSampler draftSampler() {
        return draftSampler;
    }

    /// The position of a node's children.
    int positionBelow(int node) {
        return text.length() + tree.depth(node);
    }

    /// See [DraftSampler#candidates].
    int candidates(int node, int count, int[] tokens) {
        return draftSampler.candidates(distribution(node), positionBelow(node), count, tokens);
    }

    /// See [DraftSampler#propose].
    void propose(int node, int count, ProposalSampling how) {
        draftSampler.propose(tree, node, distribution(node), positionBelow(node), count, how);
    }

    /// See [DraftSampler#open].
    void open(int node, ProposalSampling how) {
        draftSampler.open(tree, node, distribution(node), how);
    }

    /// See [DraftSampler#add].
    int add(int node, int token) {
        return draftSampler.add(tree, node, token);
    }

    /// Keeps what was read of the path that was accepted.
    void observe(Step step) {
        int[] kept = new int[step.accepted()];
        int count = 0;
        int node = 0;
        while (count < step.accepted()) {
            node = tree.child(node, step.emitted(count));
            if (node < 0 || rows[node] < 0) {
                break;
            }
            kept[count++] = rows[node];
        }
        session.keep(kept, count);
    }

    @Override
    public void close() {
        session.close();
    }
}
