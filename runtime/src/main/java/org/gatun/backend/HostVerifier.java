package org.gatun.backend;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.gatun.sampling.Sampler;
import org.gatun.sampling.Sampling;

/// [Executable#verify] and [Executable#roll] for logits in the host's memory; what it does is the definition of verification.
///
/// It walks from the first row: it draws the token after it and goes on at the child that carries the token, if there is one. Every
/// token is thus drawn as plain decoding would at its position, whatever was proposed.
public final class HostVerifier {
    private final int vocabulary;
    private Sampler sampler;
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
    public void verify(Pass pass, MemorySegment logits, KvStore kv, Verdict verdict) {
        begin(pass);
        verdict.clear();
        int row = 0;
        while (row >= 0) {
            int token = draw(pass, logits, row, verdict);
            row = pass.child(row, token);
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
        }
        length = pass.recentTokens();
        MemorySegment.copy(pass.recent(), ValueLayout.JAVA_INT, 0, text, 0, length);
    }

    private int draw(Pass pass, MemorySegment logits, int row, Verdict verdict) {
        if (length == text.length) {
            length = Sampling.REPETITION_WINDOW;
            System.arraycopy(text, text.length - length, text, 0, length);
        }
        text[length++] = pass.token(row);
        int token = sampler.draw(logits, row, pass.position(row) + 1, text, length);
        verdict.draw(token, sampler.lead());
        return token;
    }
}
