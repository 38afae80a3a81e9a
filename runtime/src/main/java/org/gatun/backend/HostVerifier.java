package org.gatun.backend;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.gatun.sampling.Noise;
import org.gatun.sampling.Residual;
import org.gatun.sampling.Sampler;
import org.gatun.sampling.Sampling;

/// [Executable#verify] and [Executable#roll] for logits in the host's memory; what it does is the definition of verification.
///
/// It walks from the first row: it draws the token after it and goes on at the child that carries the token, if there is one. Every
/// token is thus drawn as plain decoding would at its position, whatever was proposed.
///
/// Where children were drawn themselves ([Drawings]) it tests them in turn and goes on at the first accepted; if none is, it draws from
/// what they left of the law, with the same noise. The token then has the law that plain decoding gives it.
public final class HostVerifier {
    private final int vocabulary;
    private Sampler sampler;
    private Noise noise;
    private Residual residual; // made when a proposal was first drawn
    private final int[] text = new int[2 * Sampling.REPETITION_WINDOW]; // the latest tokens
    private int length;

    /// @param vocabulary width of a row of logits
    public HostVerifier(int vocabulary) {
        this.vocabulary = vocabulary;
    }

    /// Verifies a pass that was run.
    ///
    /// @param logits of its selected rows
    /// @param kv of the pass; accepted rows are moved behind the first
    /// @throws IllegalArgumentException if a law is not over the vocabulary
    public void verify(Pass pass, MemorySegment logits, KvStore kv, Verdict verdict) {
        begin(pass);
        if (pass.drawings() != null) {
            pass.drawings().requireVocabulary(vocabulary);
        }
        verdict.clear();
        int row = 0;
        while (row >= 0) {
            row = pass.drawings() == null || pass.drawings().next(row, 0) < 0
                    ? pass.child(row, draw(pass, logits, row, verdict)) : testDrawings(pass, logits, row, verdict);
            if (row >= 0) {
                verdict.accept(row);
                if (row != verdict.accepted()) {
                    kv.move(pass.committed() + row, pass.committed() + verdict.accepted());
                }
            }
        }
    }

    /// See [Executable#roll].
    public void roll(Executable executable, Pass pass, KvStore kv, int count, float lead, Verdict verdict) {
        pass.requireRoll(executable.limits(), kv.shape(), count);
        begin(pass);
        verdict.clear();
        while (true) {
            executable.run(pass, kv);
            int token = draw(pass, executable.logits(), 0, verdict);
            if (verdict.accepted() + 1 == count || verdict.lead(verdict.accepted()) < lead) {
                return;
            }
            verdict.accept(verdict.accepted() + 1);
            pass.advance(token);
        }
    }

    private void begin(Pass pass) {
        if (sampler == null || !sampler.sampling().equals(pass.sampling())) {
            sampler = new Sampler(pass.sampling(), vocabulary);
            noise = new Noise(pass.sampling().seed());
        }
        length = pass.recentTokens();
        MemorySegment.copy(pass.recent(), ValueLayout.JAVA_INT, 0, text, 0, length);
    }

    private int draw(Pass pass, MemorySegment logits, int row, Verdict verdict) {
        read(pass.token(row));
        int token = sampler.draw(logits, row, pass.position(row) + 1, text, length);
        verdict.draw(token, sampler.lead());
        return token;
    }

    /// Where the walk goes on from a row with drawn children, or -1.
    private int testDrawings(Pass pass, MemorySegment logits, int row, Verdict verdict) {
        read(pass.token(row));
        if (residual == null) {
            residual = new Residual(vocabulary);
        }
        sampler.law(logits, row, text, length, residual.left());
        int position = pass.position(row) + 1;
        int child = acceptedDrawing(pass, row, position);
        int token = child >= 0 ? pass.token(child) : sampler.draw(residual.left(), position);
        verdict.draw(token, sampler.lead());
        return child >= 0 ? child : pass.child(row, token);
    }

    private int acceptedDrawing(Pass pass, int row, int position) {
        Drawings drawings = pass.drawings();
        residual.begin(drawings.draws(row), drawings.law(row));
        int tested = 0;
        for (int drawing = drawings.next(row, 0); drawing >= 0; drawing = drawings.next(row, drawing + 1)) {
            int token = pass.token(drawings.row(drawing));
            double uniform = noise.uniform(Noise.Purpose.ACCEPTANCE, position, tested++);
            if (uniform < residual.acceptance(token) || !residual.reject(token)) {
                return drawings.row(drawing);
            }
        }
        return -1;
    }

    private void read(int token) {
        if (length == text.length) {
            length = Sampling.REPETITION_WINDOW;
            System.arraycopy(text, text.length - length, text, 0, length);
        }
        text[length++] = token;
    }
}
