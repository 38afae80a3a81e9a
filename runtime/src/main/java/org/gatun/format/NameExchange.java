package org.gatun.format;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.Charset;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.util.Optional;

/// Lets two files or folders change names in one step, which Java has no call for and Linux has: `renameat2`.
final class NameExchange {
    private static final int AT_FDCWD = -100;
    private static final int RENAME_EXCHANGE = 2;

    private NameExchange() {}

    /// Exchanges two names.
    ///
    /// @return whether it was done; if not, nothing has changed: the system or its file system cannot, or Gatun may not call it
    static boolean exchange(Path one, Path other) {
        if (one.getFileSystem() != FileSystems.getDefault() || other.getFileSystem() != FileSystems.getDefault()
                || !System.getProperty("os.name").equals("Linux")) {
            return false;
        }
        Linker linker = Linker.nativeLinker();
        Optional<MemorySegment> symbol = linker.defaultLookup().find("renameat2");
        if (symbol.isEmpty()) {
            return false;
        }
        try (Arena arena = Arena.ofConfined()) {
            MethodHandle call = linker.downcallHandle(symbol.get(),
                    FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, ADDRESS, JAVA_INT));
            return (int) call.invokeExact(AT_FDCWD, name(one, arena), AT_FDCWD, name(other, arena), RENAME_EXCHANGE) == 0;
        } catch (IllegalCallerException _) {
            return false; // native access is denied to Gatun
        } catch (RuntimeException | Error e) {
            throw e; // no memory for the names, say
        } catch (Throwable e) {
            throw new AssertionError(e); // a system call throws nothing
        }
    }

    /// In the encoding that Java itself hands names to the system in.
    private static MemorySegment name(Path path, Arena arena) {
        return arena.allocateFrom(path.toAbsolutePath().toString(), Charset.forName(System.getProperty("sun.jnu.encoding", "UTF-8")));
    }
}
