package org.gatun.model;

import java.util.Arrays;
import java.util.Objects;
import org.gatun.backend.PageTable;
import org.gatun.backend.SampledTokens;
import org.gatun.backend.Segment;
import org.gatun.backend.VerificationResult;
import org.gatun.lifetime.Lifetime;
import org.gatun.plan.LayerProgram;

/// What a text keeps between passes: its pages, how many of their slots are filled, and by which tokens. Who runs the passes, it does not
/// know: a [Session] has one of its own, an engine one for each of its texts.
///
/// Used by one thread at a time. Owns its pages. Closed by whoever made it, by any thread and at any time: closing waits for the pass that
/// runs over its pages, and closes its partial models. Closing twice is harmless.
public final class SequenceState implements AutoCloseable {
    private final Model model;
    private final PageTable pages;
    private final int[] tokens; // [slots], the first `length` count
    private final Lifetime lifetime;
    private int length;

    /// An empty one.
    ///
    /// @param model whose keys and values the pages keep
    /// @param pages without any yet; owned by this from now on
    /// @throws IllegalArgumentException if the pages keep something else
    public SequenceState(Model model, PageTable pages) {
        this.model = model;
        this.pages = pages;
        lifetime = new Lifetime("sequence of " + model.name(), pages::close);
        try {
            if (!pages.pool().layout().equals(model.kvLayout())) {
                throw new IllegalArgumentException("pages for " + pages.pool().layout() + ": expected " + model.kvLayout() + ", for "
                        + model.name());
            }
            tokens = new int[pages.slots()];
        } catch (Throwable e) {
            pages.close();
            throw e;
        }
    }

    /// An empty one of as many tokens as a session of the model, with pages of its own.
    ///
    /// @throws OutOfMemoryError if there is no memory for them
    static SequenceState open(Model model) {
        try {
            return new SequenceState(model, PageTable.openAlone(model.backend(), model.kvLayout(), model.contextLength()));
        } catch (OutOfMemoryError e) {
            OutOfMemoryError inWords = new OutOfMemoryError("keys and values of " + model.kvLayout().describe(model.contextLength())
                    + ", of which there is not so much");
            inWords.initCause(e);
            throw inWords;
        }
    }

    /// The model that reads the text.
    public Model model() {
        return model;
    }

    /// Where keys and values are.
    public PageTable pages() {
        return pages;
    }

    /// Tokens whose rows are kept.
    public int length() {
        return length;
    }

    /// The backing array of the tokens, of which the first [#length] count.
    public int[] tokens() {
        return tokens;
    }

    /// Most tokens it can hold.
    public int capacity() {
        return pages.slots();
    }

    /// Keeps all rows that a causal segment wrote.
    void append(Segment segment) {
        for (int row = 0; row < segment.rows(); row++) {
            append(segment.token(row));
        }
    }

    /// Keeps the first row of a verified segment and the accepted ones, which follow it. Hot.
    ///
    /// @param root token of the first row
    /// @throws NonFiniteLogitsException if the logits after a row of the path are not numbers; then nothing is kept
    public void accept(int root, VerificationResult result) {
        for (int i = 0; i <= result.accepted(); i++) {
            requireNumber(i, result.margin(i));
        }
        append(root);
        for (int i = 0; i < result.accepted(); i++) {
            append(result.token(i));
        }
    }

    /// Keeps the rows of a chain: of the token that it began with and of all sampled but the last, which has none.
    ///
    /// @throws NonFiniteLogitsException if the logits of one of them are not numbers; then nothing is kept
    void append(int first, SampledTokens sampled) {
        for (int i = 0; i < sampled.count(); i++) {
            requireNumber(i, sampled.margin(i));
        }
        append(first);
        for (int i = 0; i < sampled.count() - 1; i++) {
            append(sampled.token(i));
        }
    }

    /// Checks that a token was sampled from numbers: its margin is NaN or infinite where the largest logit is no number.
    private void requireNumber(int index, float margin) {
        if (!(margin < Float.POSITIVE_INFINITY)) {
            throw new NonFiniteLogitsException(model, length + 1 + index);
        }
    }

    /// Keeps the row of a token, which stands behind those kept. Hot.
    public void append(int token) {
        tokens[length++] = token;
    }

    /// How many of the first `count` tokens of a text are the first ones here.
    public int commonPrefix(int[] text, int count) {
        int mismatch = Arrays.mismatch(tokens, 0, Math.min(length, count), text, 0, Math.min(length, count));
        return mismatch < 0 ? Math.min(length, count) : mismatch;
    }

    /// Forgets all tokens from `newLength` on, and gives their pages back.
    ///
    /// @throws IndexOutOfBoundsException if the text is shorter
    public void rewind(int newLength) {
        length = Objects.checkIndex(newLength, length + 1);
        pages.rewind(length);
    }

    /// Some of the model's layers over this text, to be closed by the caller, or with this. Their passes are their own.
    ///
    /// @throws IndexOutOfBoundsException if the program names a layer that the model does not have
    public PartialModel partial(LayerProgram program) {
        return lifetime.own(() -> new PartialModel(this, model.compile(program)));
    }

    /// Calls of a partial model are uses.
    Lifetime lifetime() {
        return lifetime;
    }

    @Override
    public void close() {
        lifetime.close();
    }
}
