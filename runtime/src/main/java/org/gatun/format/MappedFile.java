package org.gatun.format;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/// A whole file as read-only memory, usable from any thread until closed.
final class MappedFile implements AutoCloseable {
    private final Path path;
    private final Arena arena;
    private final MemorySegment bytes;

    private MappedFile(Path path, Arena arena, MemorySegment bytes) {
        this.path = path;
        this.arena = arena;
        this.bytes = bytes;
    }

    /// @param expected what the file should be, for messages: "a GGUF file"
    static MappedFile open(Path path, String expected) throws IOException {
        require(path, expected);
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            Arena arena = Arena.ofShared();
            try {
                return new MappedFile(path, arena, channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena));
            } catch (Throwable failure) {
                arena.close();
                throw failure;
            }
        } catch (AccessDeniedException denied) {
            throw new FormatException(path, -1, "found no permission to read it: expected " + expected, denied);
        }
    }

    /// Checks that there is a regular file with something in it.
    static void require(Path path, String expected) throws IOException {
        String found;
        if (Files.isDirectory(path)) {
            found = "a directory";
        } else if (!Files.exists(path)) {
            found = "no such file";
        } else if (!Files.isRegularFile(path)) {
            found = "a device or pipe";
        } else if (Files.size(path) == 0) {
            found = "an empty file";
        } else {
            return;
        }
        throw new FormatException(path, -1, "found " + found + ": expected " + expected);
    }

    Path path() {
        return path;
    }

    /// The bytes of the file.
    MemorySegment bytes() {
        return bytes;
    }

    boolean isOpen() {
        return arena.scope().isAlive();
    }

    /// Unmaps; closing twice is harmless.
    @Override
    public synchronized void close() {
        if (isOpen()) {
            arena.close();
        }
    }
}
