package org.gatun.model;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.DoubleConsumer;
import java.util.function.Supplier;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Executable;
import org.gatun.backend.KvLayout;
import org.gatun.format.FileAccess;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport;
import org.gatun.format.GgufFile;
import org.gatun.lifetime.Lifetime;
import org.gatun.model.architecture.ModelConfig;
import org.gatun.model.checkpoint.Checkpoint;
import org.gatun.model.checkpoint.GgufCheckpoint;
import org.gatun.model.checkpoint.QuantizedCheckpoint;
import org.gatun.model.checkpoint.RandomCheckpoint;
import org.gatun.plan.LayerProgram;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;
import org.gatun.tensor.DType;
import org.gatun.tokenizer.ChatTemplate;
import org.gatun.tokenizer.Tokenizer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A language model: its weights, memory-mapped, its tokenizer, and the backend that runs it. Shared by threads; each opens
/// its own [Session].
///
/// Closed by whoever loaded it, from any thread and at any time: closing waits for the passes that run, and closes its sessions, whose
/// later calls throw `IllegalStateException`. Closing twice is harmless. A backend that it was given is not closed with it.
public final class Model implements AutoCloseable {
    /// Rows of a prompt pass, and most rows of a tree. Twice as many rows would save a few percent of a long prompt's time and
    /// cost twice the memory for activations.
    private static final BatchLimits LIMITS = new BatchLimits(256, 64);

    private static final Logger LOG = LoggerFactory.getLogger(Model.class);

    private final String name;
    private final Checkpoint checkpoint;
    private final FormatReport report;
    private final Backend backend;
    private final boolean ownsBackend;
    private final ModelOptions options;
    private final KvLayout kvLayout;
    private final Plan plan;
    private final int unpaddedVocabulary;
    private final Deque<Executable> idle = new ArrayDeque<>(); // kept for the next session: compiling prepares weights
    private final Lifetime lifetime;
    private boolean isPrepared; // the weights are on the backend, all of them and for good

    private Model(String name, Checkpoint checkpoint, FormatReport report, Backend backend, boolean ownsBackend, ModelOptions options)
            throws FormatException {
        this.name = name;
        this.checkpoint = checkpoint;
        this.report = report;
        this.backend = backend;
        this.ownsBackend = ownsBackend;
        this.options = options;
        lifetime = new Lifetime("model " + name, this::release);
        try {
            kvLayout = checkpoint.config().kvLayout(options.kvType());
            plan = record(LayerProgram.full(checkpoint.config().layers()));
        } catch (IllegalArgumentException e) {
            throw new FormatException(Path.of(name), -1, e.getMessage(), e);
        }
        requireWeightsForActivations();
        unpaddedVocabulary = checkpoint.tokenizer().unpaddedSize(checkpoint.config().vocabulary());
    }

    private void requireWeightsForActivations() {
        boolean taken = plan.ops().stream().anyMatch(op -> op instanceof Op.MatMul product && product.activations().isQuantized());
        if (options.activations().isQuantized() && !taken) {
            Set<DType> found = new TreeSet<>(Comparator.comparing(DType::name));
            plan.ops().forEach(op -> {
                if (op instanceof Op.MatMul product) {
                    found.add(product.weight().dtype());
                }
            });
            throw new IllegalArgumentException("activations " + options.activations() + " of " + name + ": found weights of " + found
                    + ", expected INT8, which they can be brought to when loading (--quantize int8)");
        }
    }

    /// Loads a model on the best backend of this machine.
    ///
    /// @param path a GGUF file, a safetensors file, or a directory with safetensors and `config.json`
    /// @throws FormatException if the file is damaged, of an unsupported kind, or says what would change its texts and is not done
    /// @throws IOException if it cannot be read
    public static Model load(Path path) throws IOException {
        Backend backend = Backends.open("auto");
        try {
            return load(path, backend, true, ModelOptions.STANDARD);
        } catch (Throwable e) {
            backend.close();
            throw e;
        }
    }

    /// Loads a model on a backend that the caller keeps and closes; several models may share it.
    ///
    /// @throws FormatException if the file is damaged, of an unsupported kind, or says what would change its texts and is not done
    /// @throws InterruptedIOException if the thread is interrupted, which it then still is
    /// @throws IOException if it cannot be read
    public static Model load(Path path, Backend backend, ModelOptions options) throws IOException {
        return load(path, backend, false, options);
    }

    /// As the other, for a caller that shows what becomes of everything the files say: nothing is logged.
    ///
    /// @param report is told it; if loading fails, as far as the files were read
    public static Model load(Path path, Backend backend, ModelOptions options, FormatReport report) throws IOException {
        return create(path.toString(), open(path, report, backend, options), report, backend, false, options);
    }

    /// A model from the bytes of a GGUF file, which must stay valid as long as the model (of backend cpu until its first session is open).
    ///
    /// @param name for messages
    /// @throws FormatException if the bytes are damaged or of an unsupported kind
    public static Model ofGguf(String name, MemorySegment bytes, Backend backend, ModelOptions options) throws IOException {
        FormatReport report = new FormatReport();
        return warned(create(name, GgufCheckpoint.of(GgufFile.of(bytes, Path.of(name)), report), report, backend, false, options));
    }

    /// A Llama with random weights, for measuring: its tokens are written as their numbers, and it takes of the host's memory little more
    /// than its largest matrix does.
    ///
    /// @param name for messages
    /// @param dtype of the matrices
    /// @param seed of the weights
    public static Model ofRandomWeights(String name, ModelConfig config, DType dtype, long seed, Backend backend, ModelOptions options) {
        try {
            return create(name, new RandomCheckpoint(config, dtype, seed), new FormatReport(), backend, false, options);
        } catch (FormatException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
    }

    private static Model load(Path path, Backend backend, boolean ownsBackend, ModelOptions options) throws IOException {
        FormatReport report = new FormatReport();
        try {
            return warned(create(path.toString(), open(path, report, backend, options), report, backend, ownsBackend, options));
        } catch (ClosedByInterruptException e) {
            InterruptedIOException interrupted = new InterruptedIOException(
                    path + ": found the thread interrupted while loading, and left it so: load on one that is not");
            interrupted.initCause(e);
            throw interrupted;
        }
    }

    /// A backend that reads weights in every pass has them in memory: nobody should change the text by writing to the file.
    private static Checkpoint open(Path path, FormatReport report, Backend backend, ModelOptions options) throws IOException {
        boolean stays = backend.weightReading() == Backend.WeightReading.ALWAYS;
        return Checkpoint.open(path, report, stays ? FileAccess.READ : options.fileAccess());
    }

    private static Model warned(Model model) {
        model.report.warnings().forEach(LOG::warn);
        return model;
    }

    private static Model create(
            String name, Checkpoint stored, FormatReport report, Backend backend, boolean ownsBackend, ModelOptions options)
            throws FormatException {
        Checkpoint checkpoint = options.weightType().<Checkpoint>map(type -> new QuantizedCheckpoint(stored, type)).orElse(stored);
        try {
            return new Model(name, checkpoint, report, backend, ownsBackend, options);
        } catch (InternalError fault) {
            checkpoint.close();
            throw FormatException.ofFault(Path.of(name), fault);
        } catch (Throwable e) {
            checkpoint.close();
            throw e;
        }
    }

    /// Where it was loaded from.
    public String name() {
        return name;
    }

    /// What became of everything that its files say.
    public FormatReport report() {
        return report;
    }

    /// Its sizes.
    public ModelConfig config() {
        return checkpoint.config();
    }

    /// Bytes of its weights as they are stored, whatever its backend makes of them.
    public long weightBytes() {
        return plan.ops().stream().flatMap(op -> op.weights().stream()).distinct().mapToLong(weight -> weight.data().byteSize()).sum();
    }

    /// Its tokenizer.
    public Tokenizer tokenizer() {
        return checkpoint.tokenizer();
    }

    /// Its chat template, if its files bring one.
    public Optional<ChatTemplate> chatTemplate() {
        return checkpoint.chatTemplate();
    }

    /// Number of token ids without the padding at their end: tokens that are unused, and rows of logits that no token belongs to. Models of
    /// a family have the same tokens and differ in this; padding is never proposed.
    public int unpaddedVocabulary() {
        return unpaddedVocabulary;
    }

    /// The type that its sessions keep keys and values in.
    DType kvType() {
        return options.kvType();
    }

    /// The backend it runs on.
    public Backend backend() {
        return backend;
    }

    /// Tokens that a session can hold.
    public int contextLength() {
        return options.contextLength() > 0 ? options.contextLength()
                : Math.clamp(config().contextLength(), ModelOptions.MIN_CONTEXT, ModelOptions.MAX_CONTEXT);
    }

    /// What a session keeps of each token.
    public KvLayout kvLayout() {
        return kvLayout;
    }

    /// Opens a session with an empty context. The first one prepares the weights on the backend.
    ///
    /// @throws UncheckedIOException if a file of the model was changed before they were ready
    /// @throws IllegalStateException if the model is closed
    public Session openSession() {
        return openSession(_ -> { });
    }

    /// Opens a session with an empty context.
    ///
    /// @param progress is told the part of the weights that is ready, from 0 to 1, if they are yet to be prepared
    /// @throws IllegalArgumentException if the backend has no room for the weights
    /// @throws UncheckedIOException if a file of the model was changed before they were ready
    /// @throws IllegalStateException if the model is closed
    public Session openSession(DoubleConsumer progress) {
        return open(() -> takeIdle().orElseGet(() -> compile(plan, LIMITS, progress)), this::giveBack);
    }

    /// Opens a session with an empty context whose passes run a program of layers, and keep its [taps][LayerProgram.Tap], see
    /// [Session#hidden].
    ///
    /// @throws IllegalArgumentException as by [#openSession(DoubleConsumer)], or if the program has no head
    /// @throws IndexOutOfBoundsException if it names a layer that the model does not have
    public Session openSession(LayerProgram program) {
        if (!program.hasHead()) {
            throw new IllegalArgumentException("a session without logits: expected a program that ends with the head");
        }
        return open(() -> compile(record(program), LIMITS, _ -> { }), Executable::close);
    }

    private Session open(Supplier<Executable> executables, Consumer<Executable> giveBack) {
        lifetime.enterInTurn();
        try {
            Executable executable = executables.get();
            try {
                SequenceState state = SequenceState.open(this);
                try {
                    Session session = new Session(this, executable, state, giveBack);
                    lifetime.adopt(session);
                    return session;
                } catch (Throwable e) {
                    state.close();
                    throw e;
                }
            } catch (Throwable e) {
                giveBack.accept(executable);
                throw e;
            }
        } finally {
            lifetime.leave();
        }
    }

    private Optional<Executable> takeIdle() {
        synchronized (idle) {
            return Optional.ofNullable(idle.poll());
        }
    }

    /// The whole model, for batches of many texts: the caller makes a [SequenceState] for each, and closes this before the model. Throws as
    /// [#openSession(DoubleConsumer)].
    public Executable compile(BatchLimits limits) {
        return compile(plan, limits, _ -> { });
    }

    /// Some of the layers, for passes no larger than a tree. The weights are shared with those of the whole.
    Executable compile(LayerProgram program) {
        return compile(record(program), new BatchLimits(LIMITS.treeRows(), LIMITS.treeRows()), _ -> { });
    }

    private Plan record(LayerProgram program) {
        program.requireLayers(config().layers());
        return config().architecture().record(config(), checkpoint::find, options.activations(), program);
    }

    /// Compiles, and makes sure that the weights are those of the file that was opened. When they will not be read again, the file is
    /// closed: whatever becomes of it, the model stays what it is.
    private Executable compile(Plan of, BatchLimits limits, DoubleConsumer progress) {
        lifetime.enterInTurn();
        try {
            Executable executable = backend.compile(of, limits, progress);
            try {
                if (!isPrepared) {
                    checkpoint.requireUnchanged();
                }
            } catch (FormatException e) {
                executable.close();
                throw e;
            }
            if (backend.weightReading() == Backend.WeightReading.ONCE) {
                isPrepared = true;
                checkpoint.close();
            }
            return executable;
        } catch (InternalError fault) {
            throw new UncheckedIOException(FormatException.ofFault(Path.of(name), fault));
        } catch (FormatException changed) {
            throw new UncheckedIOException(changed);
        } finally {
            lifetime.leave();
        }
    }

    /// Takes back what a session no longer needs.
    void giveBack(Executable executable) {
        synchronized (idle) {
            idle.push(executable);
        }
    }

    /// Forgets a session that has freed what it had.
    void forget(Session closed) {
        lifetime.disown(closed);
    }

    /// Whether both models read and write the same tokens but for padding, so that one may draft for the other.
    public boolean sharesVocabularyWith(Model other) {
        Tokenizer mine = tokenizer();
        Tokenizer theirs = other.tokenizer();
        if (unpaddedVocabulary != other.unpaddedVocabulary) {
            return false;
        }
        for (int token = 0; token < unpaddedVocabulary; token++) {
            if (!mine.piece(token).equals(theirs.piece(token))) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void close() {
        lifetime.close();
    }

    /// Its sessions are closed by now, so all its executables are idle.
    private void release() {
        try (checkpoint; Backend _ = ownsBackend ? backend : null) {
            for (Optional<Executable> next = takeIdle(); next.isPresent(); next = takeIdle()) {
                next.get().close();
            }
        }
    }
}
