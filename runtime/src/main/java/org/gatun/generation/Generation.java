package org.gatun.generation;

import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Optional;
import org.gatun.lifetime.Lifetime;
import org.gatun.model.Model;
import org.gatun.model.Session;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.SpeculationStatistics;
import org.gatun.speculative.SpeculativeDecoder;
import org.gatun.tokenizer.Tokenizer;

/// A text being generated: an iterator over pieces of text, each of whole characters, as they are decoded.
///
/// Borrows the session, whose context afterwards holds the prompt and what was generated, so that a longer text with the
/// same beginning continues without reading it again. Owns its drafter, unless it was given one: close it after use.
///
/// Used by one thread at a time, else `IllegalStateException`. Any thread may [cancel][#cancel] or [close][#close] it at any time, or
/// close the session or a model below it: that waits for the step that runs, and what needs another step then throws
/// `IllegalStateException`. Closing twice is harmless.
public final class Generation implements Iterator<String>, AutoCloseable {

    /// Why a generation ended.
    public enum Finish {
        /// The model ended the text.
        END_OF_TEXT,
        /// A stop string was met.
        STOP_STRING,
        /// As many tokens as asked for.
        MAX_TOKENS,
        /// The context is full.
        CONTEXT_FULL,
        /// It was cancelled, or what ran it was closed.
        CANCELLED,
        /// The time that a request to an [engine][org.gatun.serving.Engine] gave itself was over.
        TIMED_OUT,
        /// A request to an engine met an error.
        FAILED
    }

    private final Session session;
    private final GenerationOptions options;
    private final Drafter drafter;
    private final boolean ownsDrafter;
    private final SpeculativeDecoder decoder;
    private final OutputText output;
    private final int promptTokens;
    private final Lifetime lifetime;
    private String pending = "";
    private volatile boolean cancelled;
    private Finish finish;

    /// Continues a prompt without a draft model. The prompt's text gets the model's beginning-of-text token.
    ///
    /// @throws IllegalArgumentException if the prompt does not fit the session, or a constraint was compiled for another vocabulary
    public Generation(Session session, String prompt, GenerationOptions options) {
        this(session, session.model().tokenizer().encode(prompt, Tokenizer.Special.ADD), Optional.empty(), options);
    }

    /// Continues a prompt.
    ///
    /// @param session empty, or holding tokens of an earlier text: what both begin with is kept
    /// @param prompt token ids, at least one
    /// @param draft second model, for methods that need one
    /// @throws IllegalArgumentException if the prompt is empty or does not fit the session, or the draft model is missing or
    ///         has another vocabulary
    public Generation(Session session, int[] prompt, Optional<Model> draft, GenerationOptions options) {
        this(session, prompt, options.speculation().open(session.model(), draft), options, true);
    }

    /// Continues a prompt with a drafter that the caller keeps and closes, so that what it learns serves later prompts too.
    ///
    /// @param session empty, or holding tokens of an earlier text: what both begin with is kept
    /// @param prompt token ids, at least one
    /// @param drafter opened for the session's model; the speculation of the options does not matter
    /// @throws IllegalArgumentException if the prompt is empty or does not fit the session
    public Generation(Session session, int[] prompt, Drafter drafter, GenerationOptions options) {
        this(session, prompt, drafter, options, false);
    }

    private Generation(Session session, int[] prompt, Drafter drafter, GenerationOptions options, boolean ownsDrafter) {
        this.session = session;
        this.drafter = drafter;
        this.options = options;
        this.ownsDrafter = ownsDrafter;
        promptTokens = prompt.length;
        lifetime = new Lifetime("generation of " + session.model().name(), this::release);
        try {
            Tokenizer tokenizer = session.model().tokenizer();
            if (prompt.length >= session.capacity()) {
                throw new IllegalArgumentException("prompt of " + prompt.length + " tokens: the context of " + session.capacity()
                        + " has no room for it and one token more");
            }
            session.rewind(session.commonPrefix(prompt, prompt.length - 1));
            output = new OutputText(tokenizer, prompt, options);
            decoder = new SpeculativeDecoder(session, drafter, options.sampling(), prompt);
            options.constraint().ifPresent(constraint -> decoder.constrain(constraint.matcherFor(tokenizer.vocabularySize())));
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    @Override
    public boolean hasNext() {
        while (pending.isEmpty() && finish == null) {
            advance();
        }
        return !pending.isEmpty();
    }

    @Override
    public String next() {
        if (!hasNext()) {
            throw new NoSuchElementException("the generation has ended: " + finish);
        }
        String piece = pending;
        pending = "";
        return piece;
    }

    private void advance() {
        lifetime.enter();
        try {
            takeStep();
        } catch (IllegalStateException e) {
            throw session.isOpen() ? e : new IllegalStateException("session of " + session.model().name() + " is closed", e);
        } finally {
            lifetime.leave();
        }
    }

    private void takeStep() {
        int generated = generatedTokens();
        if (cancelled) {
            end(Finish.CANCELLED);
        } else if (generated == options.maxTokens()) {
            end(Finish.MAX_TOKENS);
        } else if (session.length() == session.capacity()) {
            end(Finish.CONTEXT_FULL);
        } else {
            session.step(decoder, options.maxTokens() - generated);
            read(promptTokens + generated);
        }
    }

    /// Reads the tokens of a step up to the first that ends the text; those after it are forgotten.
    private void read(int from) {
        StringBuilder text = new StringBuilder();
        for (int position = from; position < decoder.text().length() && finish == null; position++) {
            text.append(output.append(decoder.text().token(position)));
            finish = output.finish().orElse(null);
            if (finish != null) {
                forgetFrom(finish == Finish.END_OF_TEXT ? position : position + 1);
            }
        }
        pending = text.toString();
    }

    private void forgetFrom(int length) {
        decoder.text().truncate(length);
        session.rewind(Math.min(session.length(), length));
    }

    private void end(Finish reason) {
        finish = reason;
        pending = output.finishText();
    }

    /// Ends the generation after the step that is running. May be called by any thread; one that is to close it soon waits less
    /// then.
    public void cancel() {
        cancelled = true;
    }

    /// Generates to the end and returns all the text not yet taken.
    public String text() {
        StringBuilder text = new StringBuilder();
        forEachRemaining(text::append);
        return text.toString();
    }

    /// The tokens generated so far, a copy.
    public int[] tokens() {
        return decoder.text().from(promptTokens);
    }

    /// Number of tokens of the prompt.
    public int promptTokens() {
        return promptTokens;
    }

    /// Number of tokens generated so far.
    public int generatedTokens() {
        return decoder.text().length() - promptTokens;
    }

    /// Why it ended, once it has.
    public Optional<Finish> finish() {
        return Optional.ofNullable(finish);
    }

    /// What decoding cost so far.
    public SpeculationStatistics statistics() {
        return decoder.statistics();
    }

    @Override
    public void close() {
        lifetime.close();
    }

    private void release() {
        if (ownsDrafter) {
            drafter.close();
        }
    }
}
