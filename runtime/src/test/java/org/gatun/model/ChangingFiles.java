package org.gatun.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.locks.LockSupport;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.format.FileAccess;
import org.gatun.format.FormatException;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.tensor.DType;

/// Loads and runs a model, again and again, while its file is cut short, written over, deleted or replaced at a random moment. A process of
/// its own: native code that read a file that was cut would end it. Each time it either gives the right tokens, or says in one line that
/// the file is not what it should be.
public final class ChangingFiles {
    private static final GenerationOptions OPTIONS = GenerationOptions.STANDARD.withMaxTokens(24).withIgnoreEndOfText(true);
    private static final int[] PROMPT = {5, 9, 3};

    /// What is done to the file.
    private enum Change {
        CUT_TO_NOTHING, CUT, WRITTEN_OVER, DELETED, REPLACED;

        void to(Path file, Path other, long at) throws IOException {
            switch (this) {
                case CUT_TO_NOTHING -> Files.write(file, new byte[0]);
                case CUT -> {
                    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                        channel.truncate(at);
                    }
                }
                case WRITTEN_OVER -> {
                    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                        channel.write(ByteBuffer.wrap(Files.readAllBytes(other)));
                    }
                }
                case DELETED -> Files.delete(file);
                case REPLACED -> Files.move(Files.copy(other, file.resolveSibling("new")), file, StandardCopyOption.ATOMIC_MOVE);
            }
        }
    }

    private ChangingFiles() {}

    /// @param arguments backend, how many moments, seed, a folder for the models
    public static void main(String[] arguments) throws Exception {
        SplittableRandom random = new SplittableRandom(Long.parseLong(arguments[2]));
        Path folder = Path.of(arguments[3]);
        RandomModel shape = new RandomModel("llama", DType.F32, 512, 128, 4, 4, 2, 384, 64, 1, 6);
        Path kept = shape.write(folder.resolve("kept.gguf"));
        Path other = new RandomModel("llama", DType.F32, 512, 128, 4, 4, 2, 384, 64, 2, 6).write(folder.resolve("other.gguf"));
        Path file = folder.resolve("model.gguf");
        int refused = 0;
        int right = 0;
        try (Backend backend = Backends.open(arguments[0], 2)) {
            int[] expected = tokens(kept, backend, FileAccess.MAPPED);
            int[] others = tokens(other, backend, FileAccess.MAPPED);
            long begun = System.nanoTime();
            tokens(kept, backend, FileAccess.MAPPED);
            long usual = System.nanoTime() - begun;
            for (int round = 0; round < Integer.parseInt(arguments[1]); round++) {
                Files.copy(kept, file, StandardCopyOption.REPLACE_EXISTING);
                Change change = Change.values()[round % Change.values().length];
                long delay = random.nextLong(usual);
                long at = random.nextLong(Files.size(kept));
                Thread changing = Thread.ofPlatform().start(() -> {
                    LockSupport.parkNanos(delay);
                    try {
                        change.to(file, other, at);
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                });
                try {
                    int[] found = tokens(file, backend, random.nextInt(4) == 0 ? FileAccess.READ : FileAccess.MAPPED);
                    // a file that was another one before it was opened is read as that
                    if (!Arrays.equals(found, expected) && !Arrays.equals(found, others)) {
                        throw new AssertionError(change + " after " + delay + " ns: tokens of neither file: " + Arrays.toString(found));
                    }
                    right++;
                } catch (FormatException e) {
                    requireOneLine(e);
                    refused++;
                } catch (UncheckedIOException e) {
                    requireOneLine((FormatException) e.getCause());
                    refused++;
                } catch (NoSuchFileException e) {
                    refused++; // deleted before it was opened
                }
                changing.join();
            }
        }
        System.out.println(right + " right, " + refused + " refused");
    }

    private static void requireOneLine(FormatException e) {
        if (e.getMessage().lines().count() != 1) {
            throw new AssertionError(e);
        }
    }

    private static int[] tokens(Path file, Backend backend, FileAccess access) throws IOException {
        try (Model model = Model.load(file, backend, ModelOptions.STANDARD.withFileAccess(access));
                Session session = model.openSession();
                Generation generation = new Generation(session, PROMPT, Optional.empty(), OPTIONS)) {
            generation.text();
            return generation.tokens();
        }
    }
}
