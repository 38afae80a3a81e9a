package org.gatun.serving;

import java.time.Duration;
import java.util.Optional;
import org.gatun.backend.Batch;
import org.gatun.backend.Executable;
import org.gatun.constraint.ConstraintMatcher;
import org.gatun.generation.Generation.Finish;
import org.gatun.generation.OutputText;
import org.gatun.model.Model;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.SpeculationStatistics;
import org.gatun.speculative.SpeculativeDecoder;

/// A request from its arrival to its end: it waits; then it has a [Slot] and is read and continued, or paused, when its pages are gone and it
/// waits to be read again. The engine's thread only, but for construction.
final class RequestState {
    private final Request request;
    private final int[] prompt;
    private final Optional<ConstraintMatcher> constraint;
    private final Reply reply;
    private final PrefixCache cache;
    private final RequestState leader; // whose prompt is the same, null if there is none
    private final long submitted = System.nanoTime();
    private long begun = submitted;  // when it got its slot; still `submitted` before
    private long first;              // when its first token came; 0 before
    private long arrival;
    private Slot slot;               // null before it begins and after its end
    private Drafter drafter;
    private SpeculativeDecoder decoder;
    private OutputText output;
    private boolean isPaused;
    private boolean isProposed;      // the rows in the segment await a pass
    private RuntimeException drafterFailure;
    private int cachedTokens;        // of the prompt
    private int preemptions;
    private boolean hasRead;         // its prompt, or has ended

    /// @param leader the first of several replies to a request, which reads the prompt for all; null if this is the first, or the only one
    RequestState(Request request, Optional<ConstraintMatcher> constraint, Reply reply, PrefixCache cache, RequestState leader) {
        this.request = request;
        this.constraint = constraint;
        this.reply = reply;
        this.cache = cache;
        this.leader = leader;
        prompt = request.prompt();
    }

    Reply reply() {
        return reply;
    }

    int priority() {
        return request.priority();
    }

    String key() {
        return request.key();
    }

    /// Its place among all requests, by their arrival.
    long arrival() {
        return arrival;
    }

    void setArrival(long number) {
        arrival = number;
    }

    /// Whether it should run rather than another of those that wait, and be preempted after it.
    boolean isBefore(RequestState other) {
        return priority() != other.priority() ? priority() < other.priority() : arrival < other.arrival;
    }

    /// Why it is to end before its text does; null if it is not.
    Finish interruption(long now) {
        return reply.isCancelled() ? Finish.CANCELLED
                : request.timeout().isPresent() && now - submitted >= request.timeout().get().toNanos() ? Finish.TIMED_OUT : null;
    }

    /// Whether it may begin.
    boolean isReady() {
        return leader == null || leader.hasRead;
    }

    /// Takes a slot, and opens the drafter.
    ///
    /// @throws IllegalArgumentException if the drafter cannot be opened
    void begin(Slot free, Optional<Model> draft, int treeRows) {
        begun = System.nanoTime();
        slot = free;
        cachedTokens = cache.attach(key(), prompt, prompt.length - 1, free.sequence());
        drafter = reply.speculation().open(free.sequence().model(), draft);
        output = new OutputText(free.sequence().model().tokenizer(), prompt, request.options());
        decoder = new SpeculativeDecoder(free.sequence(), drafter, request.options().sampling(), prompt, treeRows);
        constraint.ifPresent(decoder::constrain);
    }

    Slot slot() {
        return slot;
    }

    boolean isEnded() {
        return slot == null;
    }

    /// Whether it has pages, or is about to.
    boolean isActive() {
        return slot != null && !isPaused;
    }

    /// Tokens of the text, those of the prompt included.
    int length() {
        return decoder == null ? prompt.length : decoder.text().length();
    }

    /// Whether there is text without rows before the last token.
    boolean isReading() {
        return slot.sequence().length() < decoder.text().length() - 1;
    }

    private int generated() {
        return decoder == null ? 0 : decoder.text().length() - prompt.length;
    }

    int tokensLeft() {
        return request.options().maxTokens() - generated();
    }

    /// Whether a proposal of fewer rows leads to the same text. Where proposals are drawn at random it may not.
    boolean mayBeNarrower() {
        return request.options().sampling().temperature() == 0;
    }

    /// Writes the rows of its next pass, and checks what is its own.
    ///
    /// @throws IllegalArgumentException if its tokens cannot be sampled as was asked
    void propose(int maxRows) {
        decoder.propose(slot.segment(), maxRows);
        if (slot.segment().samples()) {
            slot.segment().requireSampling(slot.sequence().model().config().vocabulary());
        }
        isProposed = true;
    }

    boolean isProposed() {
        return isProposed;
    }

    int rows() {
        return slot.segment().rows();
    }

    /// Takes the pages that the pass will write.
    ///
    /// @throws org.gatun.backend.OutOfPagesException if there are too few
    void reservePages() {
        slot.sequence().pages().reserve(slot.segment().committed(), slot.segment().committed() + slot.segment().rows());
    }

    void addTo(Batch batch) {
        batch.add(slot.segment(), slot.sequence().pages(), slot.result().verification());
    }

    /// Lets the drafter go on. If it fails, the pass is awaited all the same, and [#accept] throws what it threw.
    void duringPass() {
        try {
            decoder.duringPass(tokensLeft());
        } catch (RuntimeException e) {
            drafterFailure = e;
        }
    }

    /// Takes over what a pass gave, up to the token that ends the text.
    ///
    /// @return why it ends, null if it does not
    /// @throws RuntimeException if the drafter fails, or the logits are not numbers
    Finish accept(Executable executable, Batch batch, int index) {
        if (drafterFailure != null) {
            throw drafterFailure;
        }
        isProposed = false;
        int from = decoder.text().length();
        decoder.accept(slot.result().of(executable, batch, index));
        for (int position = from; position < decoder.text().length(); position++) {
            String text = output.append(decoder.text().token(position));
            Finish finish = output.finish().orElse(null);
            if (finish == Finish.END_OF_TEXT) {
                decoder.text().truncate(position);
                return finish;
            }
            if (first == 0) {
                first = System.nanoTime();
                hasRead = true;
                cache.insert(key(), slot.sequence());
            }
            reply.append(decoder.text().token(position), text);
            if (finish != null) {
                decoder.text().truncate(position + 1);
                return finish;
            }
        }
        return limit();
    }

    /// Why no token more may come, null if one may.
    Finish limit() {
        return tokensLeft() == 0 ? Finish.MAX_TOKENS
                : slot.sequence().length() == slot.sequence().capacity() ? Finish.CONTEXT_FULL : null;
    }

    /// How many pages it need not read when it begins or is resumed.
    int cachedPages() {
        return cache.matchingPages(key(), decoder == null ? prompt : decoder.text().array(), length() - 1);
    }

    /// Gives its pages back; it will be read again.
    void pause() {
        cache.insert(key(), slot.sequence());
        slot.sequence().rewind(0);
        isPaused = true;
        isProposed = false;
        preemptions++;
    }

    void resume() {
        if (isPaused) {
            isPaused = false;
            cache.attach(key(), decoder.text().array(), length() - 1, slot.sequence());
        }
    }

    /// Ends it, and gives its pages back.
    ///
    /// @param cause of a failure, else null
    /// @return its slot, null if it had none
    Slot end(Finish reason, RuntimeException cause) {
        Slot freed = slot;
        slot = null;
        hasRead = true;
        RuntimeException failure = cause;
        try (Drafter _ = drafter) {
            if (freed != null) {
                if (cause == null) {
                    cache.insert(key(), freed.sequence());
                }
                freed.sequence().rewind(0);
            }
        } catch (RuntimeException e) {
            failure = cause == null ? e : cause;
        }
        reply.end(failure == null ? reason : Finish.FAILED, output == null ? "" : output.finishText(), failure, usage());
        return freed;
    }

    private Usage usage() {
        long now = System.nanoTime();
        return new Usage(prompt.length, cachedTokens, generated(), decoder == null ? SpeculationStatistics.NONE : decoder.statistics(), preemptions,
                Duration.ofNanos((decoder == null ? now : begun) - submitted), Duration.ofNanos((first == 0 ? now : first) - submitted),
                Duration.ofNanos(now - submitted));
    }
}
