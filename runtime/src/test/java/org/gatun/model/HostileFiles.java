package org.gatun.model;

import java.io.IOException;
import java.io.PrintStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.gatun.backend.cpu.CpuBackend;
import org.gatun.backend.cpu.CpuOptions;
import org.gatun.format.FormatException;
import org.gatun.format.GgufFile;
import org.gatun.format.Llama2cCheckpoint;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.convert.Llama2cConverter;
import org.gatun.tokenizer.Tokenizer;

/// A process that loads small models of which something was changed, and generates three tokens with what loads, on every instruction
/// set. Its memory is bounded, and should a kernel kill it, the last line of its output names the case.
///
/// A case ends in a text or in one line of a [FormatException], an [IllegalArgumentException] or a [NonFiniteLogitsException]; anything
/// else is printed and fails the process.
final class HostileFiles {
    private static final long[] NUMBERS = {0, 1, -1, 1L << 16, (1L << 31) - 1, 1L << 31, (1L << 31) + 1, 1L << 32, Long.MAX_VALUE};
    private static final Pattern JSON_NUMBER = Pattern.compile("(?<=[:\\[,{]\\s?)-?\\d+(\\.\\d+)?([eE][-+]?\\d+)?(?=\\s*[,\\]}])");
    private static final List<String> GGUF_FILES = List.of("f32.gguf", "q4_0.gguf", "q4_k.gguf");
    private static final List<String> FOLDERS = List.of("hf", "nf4");

    private final Path directory;
    private final PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    private final List<CpuBackend> backends = new ArrayList<>();
    private int cases;
    private int refused;
    private int failed;
    private SplittableRandom sample;
    private int oneOf = 1;

    private HostileFiles(Path directory) {
        this.directory = directory;
    }

    /// @param arguments folder of the models; `sizes` or `mutations`; seed; how many cases of those that are sampled
    public static void main(String[] arguments) throws IOException {
        HostileFiles process = new HostileFiles(Path.of(arguments[0]));
        long seed = Long.parseLong(arguments[2]);
        int count = Integer.parseInt(arguments[3]);
        for (String set : CpuBackend.instructionSets()) {
            process.backends.add(CpuBackend.open(new CpuOptions(1, Optional.of(set))));
        }
        process.requireThatUnchangedOnesRun();
        if (arguments[1].equals("sizes")) {
            process.sizes(seed, count);
        } else {
            process.mutations(seed, count);
        }
        process.backends.forEach(CpuBackend::close);
        process.out.println(process.cases + " cases, " + process.refused + " refused, " + process.failed + " failed");
        System.exit(process.failed == 0 ? 0 : 1);
    }

    /// Loads and runs what a case made.
    @FunctionalInterface
    private interface Loader {
        Model load(CpuBackend backend) throws IOException;
    }

    private void attempt(String name, Loader loader) {
        for (int i = 0; i < backends.size(); i++) {
            attempt(name, loader, backends.get(i));
        }
    }

    private void attempt(String name, Loader loader, CpuBackend backend) {
        out.println(name + " on " + backend.description());
        cases++;
        try (Model model = loader.load(backend); Session session = model.openSession()) {
            int[] prompt = model.tokenizer().encode("AB", Tokenizer.Special.ADD);
            try (Generation generation = new Generation(session, prompt.length == 0 ? new int[1] : prompt, Optional.empty(),
                    GenerationOptions.STANDARD.withMaxTokens(3).withIgnoreEndOfText(true))) {
                generation.text();
            }
        } catch (FormatException | IllegalArgumentException | NonFiniteLogitsException e) {
            refused++;
            if (e.getMessage() == null || e.getMessage().lines().count() != 1) {
                failed++;
                out.println("FAILED, not one line: " + e);
            }
        } catch (IOException | RuntimeException | Error e) {
            failed++;
            out.println("FAILED: " + e + Arrays.stream(e.getStackTrace()).limit(6).map(Object::toString).toList());
        }
    }

    /// What is changed must be the reason where something is refused.
    private void requireThatUnchangedOnesRun() throws IOException {
        for (String name : GGUF_FILES) {
            attempt(name, inMemory(Files.readAllBytes(directory.resolve(name))));
        }
        FOLDERS.forEach(name -> attempt(name, folder(directory.resolve(name))));
        attempt("llama2.c", this::imported);
        if (refused + failed > 0) {
            failed++;
            out.println("FAILED: " + refused + " of the models are refused as they are");
        }
    }

    // Numbers in place of those of each format.

    /// Those of GGUF keys and of llama2.c all, of the others a sample.
    private void sizes(long seed, int sampled) throws IOException {
        sample = new SplittableRandom(seed);
        oneOf = sampled == Integer.MAX_VALUE ? 1 : 24;
        byte[] gguf = Files.readAllBytes(directory.resolve("f32.gguf"));
        try (GgufFile file = GgufFile.open(directory.resolve("f32.gguf"))) {
            for (Map.Entry<String, Object> entry : file.metadata().values().entrySet()) {
                if (entry.getValue() instanceof Long) {
                    for (long number : NUMBERS) {
                        byte[] changed = gguf.clone();
                        ByteBuffer.wrap(changed).order(ByteOrder.LITTLE_ENDIAN).putInt(valueOf(gguf, entry.getKey()), number < 0 ? 11 : 10)
                                .putLong(valueOf(gguf, entry.getKey()) + 4, number);
                        attempt(entry.getKey() + " = " + number, inMemory(changed));
                    }
                }
            }
        }
        for (String folder : FOLDERS) {
            jsonNumbers(directory.resolve(folder), "config.json");
            jsonNumbers(directory.resolve(folder), "tokenizer.json");
            safetensorsNumbers(directory.resolve(folder).resolve("model.safetensors"));
        }
        llama2cNumbers();
        everyPlace(gguf, seed, sampled);
    }

    /// Where the type of a value begins.
    private static int valueOf(byte[] gguf, String key) {
        byte[] name = key.getBytes(StandardCharsets.UTF_8);
        ByteBuffer in = ByteBuffer.wrap(gguf).order(ByteOrder.LITTLE_ENDIAN);
        for (int at = 24; ; at++) {
            if (in.getLong(at) == name.length && Arrays.equals(gguf, at + 8, at + 8 + name.length, name, 0, name.length)) {
                return at + 8 + name.length;
            }
        }
    }

    /// Numbers of 32 and 64 bits at every place of a GGUF header.
    private void everyPlace(byte[] gguf, long seed, int sampled) {
        int end = headerBytes(gguf);
        int total = 2 * end * NUMBERS.length;
        SplittableRandom random = new SplittableRandom(seed);
        for (int i = 0; i < Math.min(sampled, total); i++) {
            int number = sampled >= total ? i : random.nextInt(total);
            int at = number / (2 * NUMBERS.length);
            long value = NUMBERS[number / 2 % NUMBERS.length];
            byte[] changed = gguf.clone();
            ByteBuffer target = ByteBuffer.wrap(changed).order(ByteOrder.LITTLE_ENDIAN);
            if (number % 2 == 0) {
                target.putLong(at, value);
            } else {
                target.putInt(at, (int) value);
            }
            attempt("byte " + at + (number % 2 == 0 ? ", 64 bits, = " : ", 32 bits, = ") + value, inMemory(changed));
        }
    }

    /// Bytes before the data; the first tensor is the embedding, which nothing follows in the header but other tensors.
    private static int headerBytes(byte[] gguf) {
        return Math.min(gguf.length - 8, new String(gguf, StandardCharsets.ISO_8859_1).lastIndexOf("output.weight") + 64);
    }

    private static Loader inMemory(byte[] gguf) {
        return backend -> Model.ofGguf("changed.gguf", MemorySegment.ofArray(gguf), backend, ModelOptions.STANDARD);
    }

    private static Loader folder(Path folder) {
        return backend -> Model.load(folder, backend, ModelOptions.STANDARD);
    }

    private void jsonNumbers(Path folder, String name) throws IOException {
        String json = Files.readString(folder.resolve(name));
        for (MatchResult match : JSON_NUMBER.matcher(json).results().toList()) {
            for (long number : NUMBERS) {
                if (sample.nextInt(oneOf) > 0) {
                    continue;
                }
                Files.writeString(folder.resolve(name), json.substring(0, match.start()) + number + json.substring(match.end()));
                attempt(folder.getFileName() + "/" + name + ", character " + match.start() + " = " + number, folder(folder));
            }
        }
        Files.writeString(folder.resolve(name), json);
    }

    private void safetensorsNumbers(Path file) throws IOException {
        byte[] whole = Files.readAllBytes(file);
        int headerBytes = (int) ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
        String header = new String(whole, 8, headerBytes, StandardCharsets.UTF_8);
        for (long number : NUMBERS) {
            byte[] changed = whole.clone();
            ByteBuffer.wrap(changed).order(ByteOrder.LITTLE_ENDIAN).putLong(0, number);
            Files.write(file, changed);
            attempt(file.getParent().getFileName() + ", header length = " + number, folder(file.getParent()));
        }
        for (MatchResult match : JSON_NUMBER.matcher(header).results().toList()) {
            for (long number : NUMBERS) {
                if (sample.nextInt(oneOf) > 0) {
                    continue;
                }
                byte[] changed = (header.substring(0, match.start()) + number + header.substring(match.end()))
                        .getBytes(StandardCharsets.UTF_8);
                ByteBuffer target = ByteBuffer.allocate(8 + changed.length + whole.length - 8 - headerBytes).order(ByteOrder.LITTLE_ENDIAN);
                Files.write(file, target.putLong(changed.length).put(changed).put(whole, 8 + headerBytes, target.remaining()).array());
                attempt(file.getParent().getFileName() + ", header character " + match.start() + " = " + number,
                        folder(file.getParent()));
            }
        }
        Files.write(file, whole);
    }

    private void llama2cNumbers() throws IOException {
        Path file = directory.resolve("llama2c.bin");
        byte[] whole = Files.readAllBytes(file);
        for (int field = 0; field < 7; field++) {
            for (long number : NUMBERS) {
                byte[] changed = whole.clone();
                ByteBuffer.wrap(changed).order(ByteOrder.LITTLE_ENDIAN).putInt(4 * field, (int) number);
                Files.write(file, changed);
                attempt("llama2.c field " + field + " = " + (int) number, this::imported);
            }
        }
        Files.write(file, whole);
    }

    private Model imported(CpuBackend backend) throws IOException {
        Path target = directory.resolve("imported.gguf");
        try (Llama2cCheckpoint checkpoint = Llama2cCheckpoint.open(directory.resolve("llama2c.bin"))) {
            Llama2cConverter.write(checkpoint, directory.resolve("tokenizer.bin"), target, _ -> { });
        }
        return Model.load(target, backend, ModelOptions.STANDARD);
    }

    // Random changes.

    private void mutations(long seed, int count) throws IOException {
        List<byte[]> ggufs = new ArrayList<>();
        for (String name : GGUF_FILES) {
            ggufs.add(Files.readAllBytes(directory.resolve(name)));
        }
        List<Path> others = new ArrayList<>();
        for (String folder : FOLDERS) {
            others.addAll(List.of(directory.resolve(folder).resolve("config.json"), directory.resolve(folder).resolve("tokenizer.json"),
                    directory.resolve(folder).resolve("model.safetensors")));
        }
        others.addAll(List.of(directory.resolve("llama2c.bin"), directory.resolve("tokenizer.bin")));
        for (int i = 0; i < count; i++) {
            SplittableRandom random = new SplittableRandom(seed + i);
            CpuBackend backend = backends.get(random.nextInt(backends.size()));
            if (random.nextInt(10) > 0) { // of files that need no disk there are more
                int which = random.nextInt(ggufs.size());
                byte[] gguf = ggufs.get(which);
                attempt("mutation " + (seed + i) + " of " + GGUF_FILES.get(which), inMemory(mutated(gguf, headerBytes(gguf), random)), backend);
            } else {
                Path file = others.get(random.nextInt(others.size()));
                byte[] whole = Files.readAllBytes(file);
                Files.write(file, mutated(whole, Math.min(whole.length, 4096), random));
                boolean isFolder = FOLDERS.contains(String.valueOf(file.getParent().getFileName()));
                attempt("mutation " + (seed + i) + " of " + directory.relativize(file), isFolder ? folder(file.getParent()) : this::imported,
                        backend);
                Files.write(file, whole);
            }
        }
    }

    /// Flips bits, replaces numbers, cuts, removes or repeats a piece; mostly in the header.
    private static byte[] mutated(byte[] whole, int header, SplittableRandom random) {
        byte[] changed = whole.clone();
        int kinds = random.nextInt(1, 4);
        for (int i = 0; i < kinds; i++) {
            int at = random.nextInt(random.nextInt(4) == 0 ? changed.length : Math.min(header, changed.length));
            switch (random.nextInt(8)) {
                case 0 -> changed = Arrays.copyOf(changed, Math.max(1, random.nextInt(4) == 0 ? at : changed.length - random.nextInt(64)));
                case 1 -> changed = joined(changed, at, Math.min(changed.length, at + random.nextInt(1, 16)));
                case 2 -> changed = joined(changed, Math.min(changed.length, at + random.nextInt(1, 16)), at);
                case 3, 4 -> changed[at] = (byte) random.nextInt(256);
                case 5 -> changed[at] ^= (byte) (1 << random.nextInt(8));
                default -> {
                    long number = NUMBERS[random.nextInt(NUMBERS.length)] + random.nextInt(-1, 2);
                    byte[] bytes = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(number).array();
                    System.arraycopy(bytes, 0, changed, at, Math.min(random.nextBoolean() ? 4 : 8, changed.length - at));
                }
            }
        }
        return changed;
    }

    /// The bytes before `to`, then those from `from` on.
    private static byte[] joined(byte[] bytes, int to, int from) {
        byte[] result = Arrays.copyOf(bytes, to + bytes.length - from);
        System.arraycopy(bytes, from, result, to, bytes.length - from);
        return result.length == 0 ? new byte[1] : result;
    }
}
