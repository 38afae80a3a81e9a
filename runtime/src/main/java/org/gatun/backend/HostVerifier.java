package org.gatun.backend;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.gatun.sampling.Sampler;
import org.gatun.sampling.Sampling;

/// [Executable#verify] for logits in the host's memory; what it does is the definition of verification.
///
/// It walks from the first row: it draws the token after it and goes on at the child that carries the token, if there is one. Every
/// token is thus drawn as plain decoding would at its position, whatever was proposed.
public final class HostVerifier {
    private final int vocabulary;
    private Sampler sampler;
    private int[] text = new int[2 * Sampling.REPETITION_WINDOW];

    /// @param vocabulary width of a row of logits
    public HostVerifier(int vocabulary) {
        this.vocabulary = vocabulary;
    }

    /// Verifies a pass that was run.
    ///
    /// @param logits of its selected rows
    /// @param kv of the pass; accepted rows are moved behind the first
    public void verify(Pass pass, MemorySegment logits, KvStore kv, Verdict verdict) {
        if (sampler == null || !sampler.sampling().equals(pass.sampling())) {
            sampler = new Sampler(pass.sampling(), vocabulary);
        }
        verdict.clear();
        int length = readRecent(pass);
        int row = 0;
        while (true) {
            if (length == text.length) {
                System.arraycopy(text, length - Sampling.REPETITION_WINDOW, text, 0, Sampling.REPETITION_WINDOW);
                length = Sampling.REPETITION_WINDOW;
            }
            text[length++] = pass.token(row);
            int token = sampler.draw(logits, row, pass.position(row) + 1, text, length);
            verdict.draw(token, sampler.lead());
            row = pass.child(row, token);
            if (row < 0) {
                return;
            }
            verdict.accept(row);
            if (row != verdict.accepted()) {
                kv.move(pass.committed() + row, pass.committed() + verdict.accepted());
            }
        }
    }

    private int readRecent(Pass pass) {
        MemorySegment.copy(pass.recent(), ValueLayout.JAVA_INT, 0, text, 0, pass.recentTokens());
        return pass.recentTokens();
    }
}
