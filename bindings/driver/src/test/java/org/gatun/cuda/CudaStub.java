package org.gatun.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// The driver without a device (`cuda_stub.c`), as tests steer it. One a process, for one test at a time.
public final class CudaStub {
    private static final AddressLayout BYTES = ValueLayout.ADDRESS
            .withTargetLayout(MemoryLayout.sequenceLayout(Long.MAX_VALUE, ValueLayout.JAVA_BYTE));

    private final SymbolLookup library;

    private CudaStub(Path library) {
        this.library = SymbolLookup.libraryLookup(library, Arena.global());
    }

    /// Once a process: what is loaded cannot be built anew.
    private static final class Loaded {
        static final CudaStub STUB = new CudaStub(build(Path.of("target", "cuda-stub")));
    }

    /// Builds the stub and loads it: from then on this process knows no other `libcuda.so.1`.
    ///
    /// @throws org.opentest4j.TestAbortedException if there is no C compiler
    public static CudaStub load() {
        requireCompiler();
        return Loaded.STUB;
    }

    /// Loads one that is built: the driver that `gatun.cuda.library` names, to be steered.
    public static CudaStub load(Path library) {
        return new CudaStub(library);
    }

    private static void requireCompiler() {
        assumeTrue(Stream.of(System.getenv("PATH").split(File.pathSeparator)).map(folder -> Path.of(folder, "cc"))
                .anyMatch(Files::isExecutable), "the stub of the driver needs a C compiler: there is no cc on the PATH");
    }

    /// Builds `libcuda.so.1` in a directory.
    ///
    /// @param options more for the compiler
    /// @throws org.opentest4j.TestAbortedException if there is no C compiler
    public static Path build(Path directory, String... options) {
        requireCompiler();
        try (InputStream source = CudaStub.class.getResourceAsStream("/cuda_stub.c")) {
            Files.createDirectories(directory);
            Path code = directory.resolve("cuda_stub.c");
            Files.copy(source, code, StandardCopyOption.REPLACE_EXISTING);
            Path built = Files.createTempFile(directory, "libcuda", null);
            List<String> command = new ArrayList<>(List.of("cc", "-shared", "-fPIC", "-O2", "-pthread",
                    "-Wl,-soname,libcuda.so.1", "-o", built.toString(), code.toString()));
            command.addAll(List.of(options));
            Process compiler = new ProcessBuilder(command).redirectErrorStream(true).start();
            String said = new String(compiler.getInputStream().readAllBytes());
            assertEquals(0, compiler.waitFor(), said);
            // Put into place when it is whole: another process may have the last one loaded.
            return Files.move(built, directory.resolve("libcuda.so.1").toAbsolutePath(), StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /// What was called since the last [#reset], such as `cuMemAlloc_v2(1024)`.
    public List<String> calls() {
        return ((MemorySegment) call("stub_calls", BYTES)).getString(0).lines().toList();
    }

    /// The calls of one name since the last [#reset].
    public List<String> calls(String name) {
        return calls().stream().filter(call -> call.startsWith(name + "(")).toList();
    }

    /// Forgets calls, launches and a fault that did not occur.
    public void reset() {
        call("stub_reset", null);
    }

    /// Whether it notes calls and arguments: not when time is measured.
    public void record(boolean on) {
        call("stub_record", null, on ? 1 : 0);
    }

    /// Lets the next call of a name answer an error.
    ///
    /// @param function as the library has it: `cuMemAlloc_v2`
    public void fail(String function, int code) {
        try (Arena arena = Arena.ofConfined()) {
            call("stub_fail", null, arena.allocateFrom(function), code);
        }
    }

    /// Handles, allocations and registrations that were not given back.
    public long live() {
        return (long) call("stub_live", ValueLayout.JAVA_LONG);
    }

    /// Bytes on device and host that were not given back.
    public long liveBytes() {
        return (long) call("stub_live_bytes", ValueLayout.JAVA_LONG);
    }

    /// Kernels launched since the last [#reset].
    public long launches() {
        return (long) call("stub_launches", ValueLayout.JAVA_LONG);
    }

    /// The bytes of each argument of the last launch, as they were then.
    public List<byte[]> arguments() {
        return IntStream.range(0, (int) call("stub_argument_count", ValueLayout.JAVA_INT))
                .mapToObj(i -> ((MemorySegment) call("stub_argument", BYTES, i))
                        .asSlice(0, (long) call("stub_argument_size", ValueLayout.JAVA_LONG, i)).toArray(ValueLayout.JAVA_BYTE))
                .toList();
    }

    /// @param result null for none
    private Object call(String function, MemoryLayout result, Object... arguments) {
        MemoryLayout[] layouts = Arrays.stream(arguments)
                .map(argument -> argument instanceof Integer ? ValueLayout.JAVA_INT : ValueLayout.ADDRESS)
                .toArray(MemoryLayout[]::new);
        FunctionDescriptor descriptor = result == null ? FunctionDescriptor.ofVoid(layouts)
                : FunctionDescriptor.of(result, layouts);
        try {
            return Linker.nativeLinker().downcallHandle(library.findOrThrow(function), descriptor)
                    .invokeWithArguments(arguments);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
