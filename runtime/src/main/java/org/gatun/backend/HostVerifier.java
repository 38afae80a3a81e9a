package org.gatun.backend;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.gatun.sampling.CounterRandom;
import org.gatun.sampling.RejectionSampling;
import org.gatun.sampling.Sampler;
import org.gatun.sampling.Sampling;

/// [Executable#verify] and [Executable#decodeChain] for logits in the host's memory; what it does is the definition of verification.
///
/// It walks from the first row: it samples the token after it and goes on at the child that carries the token, if there is one. Every
/// token is thus sampled as plain decoding would at its position, whatever was proposed.
///
/// Where children were sampled themselves ([DraftDistributions]) it tests them in turn and goes on at the first accepted; if none is, it
/// samples from what they left of the distribution, with the same random numbers. The token then follows the distribution of plain
/// decoding.
public final class HostVerifier {
    private final int vocabulary;
    private Sampler sampler;
    private CounterRandom random;
    private RejectionSampling rejection; // made when a proposal was first sampled
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
    /// @throws IllegalArgumentException if a distribution is not over the vocabulary
    public void verify(Pass pass, MemorySegment logits, KvStore kv, VerificationResult result) {
        begin(pass);
        if (pass.draftDistributions() != null) {
            pass.draftDistributions().requireVocabulary(vocabulary);
        }
        result.clear();
        int row = 0;
        while (row >= 0) {
            row = pass.draftDistributions() == null || pass.draftDistributions().next(row, 0) < 0
                    ? pass.child(row, sampleTarget(pass, logits, row, result)) : testSamples(pass, logits, row, result);
            if (row >= 0) {
                result.accept(row);
                if (row != result.accepted()) {
                    kv.move(pass.committed() + row, pass.committed() + result.accepted());
                }
            }
        }
    }

    /// See [Executable#decodeChain].
    public void decodeChain(Executable executable, Pass pass, KvStore kv, int count, float margin, SampledTokens sampled) {
        pass.requireChain(executable.limits(), kv.shape(), count);
        begin(pass);
        sampled.clear();
        while (true) {
            executable.run(pass, kv);
            int token = sample(pass, executable.logits(), 0);
            sampled.add(token, sampler.margin());
            if (sampled.count() == count || sampler.margin() < margin) {
                return;
            }
            pass.advance(token);
        }
    }

    private void begin(Pass pass) {
        if (sampler == null || !sampler.sampling().equals(pass.sampling())) {
            sampler = new Sampler(pass.sampling(), vocabulary);
            random = new CounterRandom(pass.sampling().seed());
        }
        length = pass.recentTokens();
        MemorySegment.copy(pass.recent(), ValueLayout.JAVA_INT, 0, text, 0, length);
    }

    private int sampleTarget(Pass pass, MemorySegment logits, int row, VerificationResult result) {
        int token = sample(pass, logits, row);
        result.setToken(token, sampler.margin());
        return token;
    }

    private int sample(Pass pass, MemorySegment logits, int row) {
        read(pass.token(row));
        return sampler.sample(logits, row, pass.position(row) + 1, text, length);
    }

    /// Where the walk goes on from a row with sampled children, or -1.
    private int testSamples(Pass pass, MemorySegment logits, int row, VerificationResult result) {
        read(pass.token(row));
        if (rejection == null) {
            rejection = new RejectionSampling(vocabulary);
        }
        sampler.distribution(logits, row, text, length, rejection.target());
        int position = pass.position(row) + 1;
        int child = acceptedSample(pass, row, position);
        int token = child >= 0 ? pass.token(child) : sampler.sample(rejection.target(), position);
        result.setToken(token, sampler.margin());
        return child >= 0 ? child : pass.child(row, token);
    }

    private int acceptedSample(Pass pass, int row, int position) {
        DraftDistributions draftDistributions = pass.draftDistributions();
        rejection.begin(draftDistributions.sampling(row), draftDistributions.distribution(row));
        int tested = 0;
        for (int sample = draftDistributions.next(row, 0); sample >= 0; sample = draftDistributions.next(row, sample + 1)) {
            int token = pass.token(draftDistributions.row(sample));
            double uniform = random.uniform(CounterRandom.Purpose.ACCEPTANCE, position, tested++);
            if (uniform < rejection.acceptance(token) || !rejection.reject(token)) {
                return draftDistributions.row(sample);
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
