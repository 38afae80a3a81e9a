package org.gatun.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.gatun.backend.Backend;
import org.gatun.backend.cpu.CpuBackend;
import org.gatun.backend.cpu.CpuOptions;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.format.Llama2cCheckpoint;
import org.gatun.model.convert.Llama2cConverter;
import org.gatun.model.convert.ModelQuantizer;
import org.gatun.model.convert.WeightTypes;
import org.gatun.tensor.DType;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Has each call to the file system (every fourth in the usual run), and each allocation of an arena, fail in turn while models are loaded,
/// quantized and imported: what comes of it is an exception, and nothing is left half written, open, mapped or allocated.
class FaultTest {
    private static final long SEED = 20261130;

    @TempDir
    Path directory;

    /// What is done.
    enum Task {
        /// A GGUF file, to be run.
        LOAD_GGUF(null) {
            @Override
            void run(Path in) throws IOException {
                load(in.resolve("a.gguf"));
            }
        },
        /// A folder with safetensors, to be run.
        LOAD_FOLDER(null) {
            @Override
            void run(Path in) throws IOException {
                load(in.resolve("a"));
            }
        },
        /// To one file.
        QUANTIZE_GGUF("out.gguf") {
            @Override
            void run(Path in) throws IOException {
                quantize(in.resolve("a.gguf"), in.resolve("out.gguf"), DType.Q4_0);
            }
        },
        /// To a folder.
        QUANTIZE_FOLDER("out") {
            @Override
            void run(Path in) throws IOException {
                quantize(in.resolve("a"), in.resolve("out"), DType.NF4);
            }
        },
        /// From another program's file.
        IMPORT("out.gguf") {
            @Override
            void run(Path in) throws IOException {
                try (Llama2cCheckpoint checkpoint = Llama2cCheckpoint.open(in.resolve("a.bin"))) {
                    Llama2cConverter.write(checkpoint, in.resolve("tokenizer.bin"), in.resolve("out.gguf"), _ -> { });
                }
            }
        };

        private final String out;

        Task(String out) {
            this.out = out;
        }

        /// @param in folder with the inputs, and what is written
        abstract void run(Path in) throws IOException;
    }

    /// On each backend of the host.
    private static void load(Path model) throws IOException {
        try (Backend backend = new ReferenceBackend()) {
            load(model, backend);
        }
        if (CpuBackend.unavailableReason().isEmpty()) {
            try (Backend backend = CpuBackend.open(CpuOptions.threads(2))) {
                load(model, backend);
            }
        }
    }

    private static void load(Path model, Backend backend) throws IOException {
        try (Model loaded = Model.load(model, backend, ModelOptions.STANDARD); Session session = loaded.openSession()) {
            session.segment().beginCausal(0);
            session.segment().addRow(1);
            session.segment().select(0);
            session.run();
        }
    }

    private static void quantize(Path from, Path to, DType type) throws IOException {
        try (ModelQuantizer quantizer = ModelQuantizer.open(from)) {
            quantizer.write(to, new WeightTypes(type), Optional.empty(), _ -> { });
        }
    }

    @BeforeEach
    void writeInputs() throws IOException {
        new RandomModel("llama", DType.F32, 40, 64, 1, 4, 2, 128, 64, SEED, 1).write(directory.resolve("a.gguf"));
        new RandomModel("qwen2", DType.F32, 40, 64, 1, 4, 2, 128, 64, SEED, 1).write(directory.resolve("b.gguf"));
        quantize(directory.resolve("b.gguf"), directory.resolve("a"), DType.F16);
        Llama2cOfZeros.write(directory.resolve("a.bin"), directory.resolve("tokenizer.bin"), 8, 16, 1);
    }

    @ParameterizedTest
    @EnumSource
    void everyCallToTheFileSystem_fails_leavesNothingHalf(Task task) throws IOException {
        if (task.out != null) { // is replaced
            quantize(directory.resolve("b.gguf"), directory.resolve(task.out), task.out.endsWith(".gguf") ? DType.F16 : DType.BF16);
        }
        Map<String, ByteBuffer> before = content();
        FaultyFileSystem whole = new FaultyFileSystem(0);
        task.run(whole.path(directory)); // also so that what is opened once for all is open
        Map<String, ByteBuffer> after = content();
        List<String> open = openFiles();
        int calls = whole.calls();
        assertTrue(calls > 3, "calls that are not seen cannot fail: " + calls);
        int ended = 0;
        int step = TestScale.rounds(4, 1);
        int tried = 0;
        for (int failing = 1 + (int) (TestScale.seed() % step); failing <= calls; failing += step) {
            tried++;
            if (task.out != null) {
                restore(before);
            }
            FaultyFileSystem faulty = new FaultyFileSystem(failing);
            boolean done = true; // where the failure is an answer, as to a look whether something is there, or comes as it tidies up
            try {
                task.run(faulty.path(directory));
            } catch (IOException | UncheckedIOException e) {
                done = false;
                ended++;
            }
            String what = task + ", call " + failing + ": " + faulty.failed();
            Map<String, ByteBuffer> found = content();
            found.keySet().removeIf(name -> name.contains(".part/")); // to remove it may be what failed
            assertTrue(found.equals(after) || !done && found.equals(before), what + " left " + found.keySet());
            task.run(new FaultyFileSystem(0).path(directory));
            assertEquals(after, content(), what + ", then again");
            assertEquals(open, openFiles(), what);
        }
        assertTrue(ended > tried / 4, ended + " of " + tried);
        System.out.println(task + ": " + tried + " of " + calls + " calls to the file system failed in turn, " + ended + " of them ended the run");
    }

    /// Bytes by name, of all files there are.
    private Map<String, ByteBuffer> content() throws IOException {
        Map<String, ByteBuffer> content = new TreeMap<>();
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                content.put(directory.relativize(file).toString(), ByteBuffer.wrap(Files.readAllBytes(file)));
            }
        }
        return content;
    }

    private void restore(Map<String, ByteBuffer> content) throws IOException {
        for (String name : content().keySet()) {
            if (!content.containsKey(name)) {
                Files.delete(directory.resolve(name));
            }
        }
        for (Map.Entry<String, ByteBuffer> file : content.entrySet()) {
            Files.write(directory.resolve(file.getKey()), file.getValue().array());
        }
    }

    /// Files of the directory that this process has open or mapped. Only Linux tells.
    private List<String> openFiles() throws IOException {
        List<String> found = new ArrayList<>();
        if (Files.exists(Path.of("/proc/self/maps"))) {
            Files.readAllLines(Path.of("/proc/self/maps")).stream().filter(line -> line.contains(directory.toString())).forEach(found::add);
            try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
                for (Path descriptor : descriptors.toList()) {
                    if (Files.exists(descriptor) && Files.readSymbolicLink(descriptor).startsWith(directory)) {
                        found.add(Files.readSymbolicLink(descriptor).toString());
                    }
                }
            }
        }
        return found;
    }

    /// Native memory of the backends too.
    @ParameterizedTest
    @EnumSource
    void everyAllocation_fails_leavesNothingAllocated(Task task) throws Exception {
        FaultyArena.Loader loader = new FaultyArena.Loader();
        @SuppressWarnings("unchecked")
        BiConsumer<String, Path> runner = (BiConsumer<String, Path>) loader.loadClass(Runner.class.getName()).getConstructor().newInstance();
        FaultyArena.fail(0);
        runner.accept(task.name(), directory); // also so that what is allocated once for all is there
        Map<String, ByteBuffer> after = content();
        List<String> files = openFiles();
        int open = FaultyArena.open();
        FaultyArena.fail(0);
        runner.accept(task.name(), directory);
        int allocations = FaultyArena.allocations();
        for (int failing = 1; failing <= allocations; failing++) {
            int number = failing;
            FaultyArena.fail(failing);
            assertThrows(OutOfMemoryError.class, () -> runner.accept(task.name(), directory), () -> task + ", allocation " + number);
            assertEquals(open, FaultyArena.open(), task + ", allocation " + failing + ": arenas that stay open");
            assertEquals(files, openFiles(), task + ", allocation " + failing);
            assertEquals(after, content(), task + ", allocation " + failing);
        }
        assertTrue(allocations > 0 || task.out != null, "allocations that are not seen cannot fail");
        System.out.println(task + ": " + allocations + " allocations failed in turn");
    }

    /// Runs a task by its name, where classes of its own are loaded.
    public static final class Runner implements BiConsumer<String, Path> {
        /// For the loader.
        public Runner() {}

        @Override
        public void accept(String task, Path directory) {
            try {
                Task.valueOf(task).run(directory);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
