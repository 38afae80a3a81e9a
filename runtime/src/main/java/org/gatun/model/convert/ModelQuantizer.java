package org.gatun.model.convert;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.DoubleConsumer;
import java.util.function.IntUnaryOperator;
import java.util.function.LongConsumer;
import org.gatun.backend.Backend;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport;
import org.gatun.model.architecture.ModelConfig;
import org.gatun.model.checkpoint.Checkpoint;
import org.gatun.model.checkpoint.GgufCheckpoint;
import org.gatun.plan.RopeTable;
import org.gatun.tensor.DType;
import org.gatun.tensor.DType.Block;
import org.gatun.tensor.DType.Plain;
import org.gatun.tensor.DType.Sparse;
import org.gatun.tensor.Tensor;
import org.gatun.tokenizer.Tokenizer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Writes a model anew with its weights in other types, as GGUF or as safetensors, whichever it came from. Weights are read, brought to
/// their types and written piece by piece, so that a model may be larger than memory.
///
/// Owns the file it reads; closed by the caller. Not for several threads.
public final class ModelQuantizer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ModelQuantizer.class);

    private final Path path;
    private final Checkpoint source;

    private ModelQuantizer(Path path, Checkpoint source) {
        this.path = path;
        this.source = source;
    }

    /// Opens a model.
    ///
    /// @param path a GGUF file, a safetensors file, or a directory with safetensors and `config.json`
    /// @throws FormatException if the file is damaged or of an unsupported kind
    /// @throws IOException if it cannot be read
    public static ModelQuantizer open(Path path) throws IOException {
        FormatReport report = new FormatReport();
        Checkpoint checkpoint = Checkpoint.open(path, report);
        report.warnings().forEach(LOG::warn);
        return new ModelQuantizer(path, checkpoint);
    }

    /// What became of a weight.
    ///
    /// @param name as in GGUF
    /// @param from type it had
    /// @param to type it has
    /// @param bytesBefore that it took
    /// @param bytesAfter that it takes
    /// @param relativeError root of the mean squared error over that of the mean square
    /// @param largestError of a weight
    public record Result(String name, DType from, DType to, long bytesBefore, long bytesAfter, double relativeError,
            double largestError) {}

    /// Measures the inputs of the matrices on a text.
    ///
    /// @param progress told the part of the text that is read, from 0 to 1
    /// @throws IllegalArgumentException if the text has no token
    public ColumnNorms measureInputs(String text, Backend backend, DoubleConsumer progress) {
        int[] tokens = source.tokenizer().encode(text, Tokenizer.Special.NONE);
        return ColumnNorms.measure(source, backend, tokens, done -> progress.accept((double) done / tokens.length));
    }

    /// Writes the model, with tokenizer and sizes, so that it can be loaded. What was there is replaced when all is written.
    ///
    /// @param target `FILE.gguf` for GGUF, anything else for a directory with safetensors
    /// @param norms by which sparse types choose what they keep; without them the largest weights are kept
    /// @param progress told the part that is written, from 0 to 1
    /// @return what became of each weight
    /// @throws IllegalArgumentException if the target's format has no such type, or a weight does not fit its type
    /// @throws IOException if it cannot be written
    public List<Result> write(Path target, WeightTypes types, Optional<ColumnNorms> norms, DoubleConsumer progress) throws IOException {
        boolean gguf = isGguf(target);
        List<WeightConversion> conversions = new ArrayList<>();
        for (String name : names()) {
            Optional<Tensor> found = source.find(name);
            if (found.isPresent()) {
                conversions.add(conversion(name, found.get(), types, norms, gguf));
            }
        }
        long total = conversions.stream().mapToLong(WeightConversion::byteSize).sum();
        LongConsumer written = bytes -> progress.accept(Math.min(1, (double) bytes / total));
        try {
            if (gguf) {
                GgufModelWriter.write(source, conversions, target, written);
            } else {
                SafetensorsModelWriter.write(source, conversions, target, written);
            }
        } catch (InternalError fault) {
            throw FormatException.ofFault(path, fault);
        }
        return conversions.stream().map(one -> new Result(one.name(), one.source().dtype(), one.dtype(), one.source().data().byteSize(),
                one.byteSize(), one.relativeError(), one.largestError())).toList();
    }

    /// Whether something of that name is GGUF.
    private static boolean isGguf(Path target) {
        return target.toString().toLowerCase(Locale.ROOT).endsWith(".gguf");
    }

    /// Refuses to write over something.
    ///
    /// @throws FileAlreadyExistsException if there is a file of the name, or a directory with something in it
    public static void requireAbsent(Path target) throws IOException {
        boolean empty = false;
        if (Files.isDirectory(target) && !isGguf(target)) {
            try (var entries = Files.list(target)) {
                empty = entries.findAny().isEmpty();
            }
        }
        if (Files.exists(target) && !empty) {
            throw new FileAlreadyExistsException(target.toString());
        }
    }

    private List<String> names() {
        return source instanceof GgufCheckpoint gguf ? List.copyOf(gguf.names())
                : source.config().architecture().weightNames().ofGguf(source.config().layers());
    }

    private WeightConversion conversion(String name, Tensor weight, WeightTypes types, Optional<ColumnNorms> norms, boolean gguf) {
        Optional<DType> wanted = types.of(name);
        DType dtype = wanted.orElseGet(() -> isStored(weight.dtype(), gguf) ? weight.dtype() : DType.F16);
        if (!isStored(dtype, gguf)) {
            throw new IllegalArgumentException("tensor " + name + ": " + (gguf ? "GGUF" : "safetensors") + " has no type " + dtype
                    + (gguf ? ": write it to a directory, as safetensors" : ": write it to FILE.gguf"));
        }
        int block = gguf && dtype == DType.NVFP4 ? DType.NVFP4_BLOCKS.blockElements() : dtype.blockElements();
        if (weight.columns() % block != 0) {
            throw new IllegalArgumentException("tensor " + name + " " + weight.shape() + ": rows are no multiple of the "
                    + block + " that " + dtype + " asks for; give it another type, as '" + name + " = f16' in a file for "
                    + "--layers");
        }
        return new WeightConversion(name, weight, dtype, order(name, weight, gguf), norms.flatMap(all -> all.of(weight.name())),
                types.nestsMagnitudes() && WeightTypes.hasMagnitudes(dtype));
    }

    private static boolean isStored(DType dtype, boolean gguf) {
        return switch (dtype) {
            case Plain.F32, Plain.F16, Plain.BF16 -> true;
            case Block.NVFP4 -> true;
            case Block.Q8_0, Block.Q5_1, Block.Q5_0, Block.Q4_1, Block.Q4_0, Block.Q4_K, Block.Q5_K, Block.Q6_K, Block.MXFP4 -> gguf;
            case Plain.F64, Plain.I64, Plain.I32, Plain.I16, Plain.I8, Plain.U8, Plain.BOOL, Plain.F8_E4M3, Block.NVFP4_BLOCKS -> false;
            case Block.NF4, Block.FP4, Block.INT8 -> !gguf;
            case Sparse _ -> !gguf;
        };
    }

    /// The row of the source that a row is made of: with the rotated pairs of a head side by side in GGUF, and in its two halves in
    /// safetensors.
    private IntUnaryOperator order(String name, Tensor weight, boolean gguf) {
        ModelConfig config = source.config();
        boolean same = source instanceof GgufCheckpoint == gguf;
        if (same || config.architecture().ggufPairing() == RopeTable.Pairing.SPLIT || !name.matches("blk\\.\\d+\\.attn_[qk]\\.(weight|bias)")) {
            return IntUnaryOperator.identity();
        }
        int half = config.headDim() / 2;
        if (name.endsWith(".bias") || config.rope().pairs() != half || weight.rows() % (2 * half) != 0) {
            throw new IllegalArgumentException(path + ": tensor " + name + " " + weight.shape()
                    + " cannot be brought to the other format: expected whole heads, rotated in full, without bias");
        }
        boolean interleaved = config.rope().pairing() == RopeTable.Pairing.INTERLEAVED;
        return row -> {
            int head = row / (2 * half);
            int i = row % (2 * half);
            return 2 * half * head + (interleaved ? i % half * 2 + i / half : i / 2 + i % 2 * half);
        };
    }

    @Override
    public void close() {
        source.close();
    }
}
