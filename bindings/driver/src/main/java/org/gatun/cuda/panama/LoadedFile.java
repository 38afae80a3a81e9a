package org.gatun.cuda.panama;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/// The file that loaded code came from, as the system's loader (`dladdr`) says.
final class LoadedFile {
    private static final AddressLayout STRING = ValueLayout.ADDRESS
            .withTargetLayout(MemoryLayout.sequenceLayout(Long.MAX_VALUE, ValueLayout.JAVA_BYTE));
    /// `Dl_info`.
    private static final StructLayout INFORMATION = MemoryLayout.structLayout(STRING.withName("dli_fname"),
            ValueLayout.ADDRESS.withName("dli_fbase"), ValueLayout.ADDRESS.withName("dli_sname"),
            ValueLayout.ADDRESS.withName("dli_saddr"));

    private LoadedFile() {}

    /// @throws IllegalArgumentException if the code is in no file
    static String of(MemorySegment code) {
        Linker linker = Linker.nativeLinker();
        MethodHandle dladdr = linker.downcallHandle(linker.defaultLookup().findOrThrow("dladdr"),
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment information = arena.allocate(INFORMATION);
            if ((int) dladdr.invokeExact(code, information) == 0) {
                throw new IllegalArgumentException("code at " + code.address() + " is in no file");
            }
            return Path.of(information.get(STRING, 0).getString(0)).toAbsolutePath().toString();
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
