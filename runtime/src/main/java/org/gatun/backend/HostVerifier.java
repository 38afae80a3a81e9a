package org.gatun.backend;

import java.lang.foreign.MemorySegment;
import org.gatun.sampling.CounterRandom;
import org.gatun.sampling.RejectionSampling;
import org.gatun.sampling.Sampler;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.SamplingContext;
import org.gatun.sampling.SamplingRequest;

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
    private int firstLogits; // number of the segment's first row among those with logits
    private RejectionSampling rejection; // made when a proposal was first sampled
    private final SamplingContext context = new SamplingContext(); // behind the row last read

    /// @param vocabulary width of a row of logits
    public HostVerifier(int vocabulary) {
        this.vocabulary = vocabulary;
    }

    /// Verifies the segments that sample of a batch that was run. Accepted rows are moved behind the first of their segment.
    ///
    /// @param logits of the batch's selected rows
    /// @throws IllegalArgumentException if a distribution is not over the vocabulary
    public void verify(Batch batch, MemorySegment logits) {
        for (int i = 0; i < batch.size(); i++) {
            if (batch.segment(i).draftDistributions() != null) {
                batch.segment(i).draftDistributions().requireVocabulary(vocabulary);
            }
        }
        firstLogits = 0;
        for (int i = 0; i < batch.size(); i++) {
            if (batch.segment(i).samples()) {
                begin(batch.segment(i));
                verify(batch.segment(i), logits, batch.pages(i), batch.result(i));
            }
            firstLogits += batch.segment(i).selectedRows();
        }
    }

    private void verify(Segment segment, MemorySegment logits, PageTable pages, VerificationResult result) {
        result.clear();
        int row = 0;
        while (row >= 0) {
            row = segment.draftDistributions() == null || segment.draftDistributions().next(row, 0) < 0
                    ? segment.child(row, sampleTarget(segment, logits, row, result)) : testSamples(segment, logits, row, result);
            if (row >= 0) {
                result.accept(row);
                if (row != result.accepted()) {
                    pages.move(segment.committed() + row, segment.committed() + result.accepted());
                }
            }
        }
    }

    /// See [Executable#decodeChain].
    public void decodeChain(Executable executable, Batch batch, int count, float margin, SampledTokens sampled) {
        Segment segment = batch.onlySegment();
        batch.requireChain(executable.limits(), count);
        segment.requireSampling(vocabulary);
        begin(segment);
        firstLogits = 0;
        sampled.clear();
        while (true) {
            executable.run(batch);
            int token = sample(segment, executable.logits(), 0);
            sampled.add(token, sampler.margin());
            if (sampled.count() == count || sampler.margin() < margin) {
                return;
            }
            segment.advance(token);
        }
    }

    private void begin(Segment segment) {
        SamplingRequest request = segment.request();
        Sampling sampling = request.sampling();
        if (sampler == null) {
            sampler = new Sampler(sampling, vocabulary);
            random = new CounterRandom(sampling.seed(), sampling.stream());
        }
        sampler.use(sampling);
        random.reseed(sampling.seed(), sampling.stream());
        context.set(request.context());
    }

    private int sampleTarget(Segment segment, MemorySegment logits, int row, VerificationResult result) {
        int token = sample(segment, logits, row);
        result.setToken(token, sampler.margin());
        return token;
    }

    private int sample(Segment segment, MemorySegment logits, int row) {
        read(segment, row);
        return sampler.sample(logits, firstLogits + row, segment.position(row) + 1, context);
    }

    /// Where the walk goes on from a row with sampled children, or -1.
    private int testSamples(Segment segment, MemorySegment logits, int row, VerificationResult result) {
        read(segment, row);
        if (rejection == null) {
            rejection = new RejectionSampling(vocabulary);
        }
        sampler.distribution(logits, firstLogits + row, context, rejection.target());
        int position = segment.position(row) + 1;
        int child = acceptedSample(segment, row, position);
        int token = child >= 0 ? segment.token(child) : sampler.sample(rejection.target(), position);
        result.setToken(token, sampler.margin());
        return child >= 0 ? child : segment.child(row, token);
    }

    private int acceptedSample(Segment segment, int row, int position) {
        DraftDistributions draftDistributions = segment.draftDistributions();
        rejection.begin(draftDistributions.sampling(row), draftDistributions.distribution(row));
        int tested = 0;
        for (int sample = draftDistributions.next(row, 0); sample >= 0; sample = draftDistributions.next(row, sample + 1)) {
            int token = segment.token(draftDistributions.row(sample));
            double uniform = random.uniform(CounterRandom.Purpose.ACCEPTANCE, position, tested++);
            if (uniform < rejection.acceptance(token) || !rejection.reject(token)) {
                return draftDistributions.row(sample);
            }
        }
        return -1;
    }

    private void read(Segment segment, int row) {
        context.add(segment.token(row), segment.request().isGenerated(segment.position(row)));
        context.restrict(segment.request().masks(), row);
    }
}
