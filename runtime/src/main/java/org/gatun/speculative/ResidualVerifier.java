package org.gatun.speculative;

import org.gatun.backend.Verdict;
import org.gatun.decoding.TokenText;
import org.gatun.model.Session;
import org.gatun.sampling.Law;
import org.gatun.sampling.Noise;
import org.gatun.sampling.Sampler;
import org.gatun.sampling.Sampling;

/// Verifies trees with drawn children, so that what is emitted has the target's law at any temperature (see [Residual]).
///
/// At a node the drawn children are tested in turn. If none is accepted a token is drawn from what is left, with the noise of its
/// position; the walk goes on at the chosen child that carries it, if there is one. Without drawn children that is plain drawing.
final class ResidualVerifier {
    private final Session session;
    private final TokenTree tree;
    private final TokenText text;
    private final Sampler sampler;
    private final Noise noise;
    private final Residual residual;
    private final NodeText nodeText = new NodeText();
    private final Verdict verdict;
    private final int[] keptRows;

    ResidualVerifier(Session session, TokenTree tree, TokenText text, Sampling sampling) {
        this.session = session;
        this.tree = tree;
        this.text = text;
        sampler = new Sampler(sampling, session.vocabularySize());
        noise = new Noise(sampling.seed());
        residual = new Residual(session.vocabularySize());
        verdict = new Verdict(tree.capacity());
        keptRows = new int[tree.capacity()];
    }

    /// Runs the session's pass, which holds the tree, and keeps the accepted rows.
    ///
    /// @return overwritten by the next call
    Verdict verify() {
        for (int node = 0; node < tree.size(); node++) {
            session.pass().select(node);
        }
        session.evaluate();
        verdict.clear();
        int node = 0;
        while (node >= 0) {
            nodeText.set(text, text.length(), tree, node);
            sampler.law(session.logits(), node, nodeText.tokens(), nodeText.length(), residual.left());
            int position = text.length() + tree.depth(node);
            int child = acceptedDrawing(node, position);
            int token = child >= 0 ? tree.token(child) : sampler.draw(residual.left(), position);
            verdict.draw(token, 0);
            node = child >= 0 ? child : tree.child(node, token);
            if (node >= 0) {
                verdict.accept(node);
            }
        }
        keptRows[0] = 0;
        for (int i = 0; i < verdict.accepted(); i++) {
            keptRows[i + 1] = verdict.row(i);
        }
        session.keep(keptRows, verdict.accepted() + 1);
        return verdict;
    }

    /// The drawn child of a node that is accepted, or -1.
    private int acceptedDrawing(int node, int position) {
        Law law = tree.law(node);
        if (law == null) {
            return -1;
        }
        residual.begin(tree.draws(node), law);
        int tested = 0;
        for (int drawing = 0; drawing < tree.drawings(); drawing++) {
            if (tree.drawnParent(drawing) == node) {
                int child = tree.drawnNode(drawing);
                double uniform = noise.uniform(Noise.Purpose.ACCEPTANCE, position, tested++);
                if (uniform < residual.acceptance(tree.token(child)) || !residual.reject(tree.token(child))) {
                    return child;
                }
            }
        }
        return -1;
    }
}
