package org.gatun.format;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.Objects;

/// A whole file as read-only memory, usable from any thread until closed.
///
/// Where the file is cut short while it is mapped, reading what is gone is an [InternalError] in Java and ends the process in native code,
/// which therefore never reads it: see [FormatException#ofFault].
final class MappedFile implements AutoCloseable {
    private static final int PIECE_BYTES = 8 << 20;
    private static final long ALIGNMENT_BYTES = 64;

    private final Path path;
    private final State opened; // null once it does not matter: all was read
    private final Arena arena;
    private final MemorySegment bytes;

    private MappedFile(Path path, State opened, Arena arena, MemorySegment bytes) {
        this.path = path;
        this.opened = opened;
        this.arena = arena;
        this.bytes = bytes;
    }

    /// What tells whether a file is the one that it was.
    ///
    /// @param key of the file, whatever its name; null where the system has none
    private record State(Object key, long bytes, FileTime modified) {
        static State of(Path path) throws IOException {
            BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
            return new State(attributes.fileKey(), attributes.size(), attributes.lastModifiedTime());
        }
    }

    /// Maps a file.
    ///
    /// @param expected what the file should be, for messages: "a GGUF file"
    static MappedFile open(Path path, String expected) throws IOException {
        return open(path, expected, FileAccess.MAPPED);
    }

    /// @param expected what the file should be, for messages: "a GGUF file"
    /// @throws FormatException if there is no such file, nothing in it, or it changes while it is read
    static MappedFile open(Path path, String expected, FileAccess access) throws IOException {
        require(path, expected);
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            State opened = State.of(path);
            Arena arena = Arena.ofShared();
            try {
                MemorySegment bytes = switch (access) {
                    case MAPPED -> channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
                    case READ -> read(channel, path, arena);
                };
                requireUnchanged(path, opened);
                return new MappedFile(path, access == FileAccess.MAPPED ? opened : null, arena, bytes);
            } catch (Throwable failure) {
                arena.close();
                throw failure;
            }
        } catch (AccessDeniedException denied) {
            throw new FormatException(path, -1, "found no permission to read it: expected " + expected, denied);
        }
    }

    private static MemorySegment read(FileChannel channel, Path path, Arena arena) throws IOException {
        MemorySegment bytes = arena.allocate(channel.size(), ALIGNMENT_BYTES);
        for (long at = 0; at < bytes.byteSize(); ) {
            ByteBuffer piece = bytes.asSlice(at, Math.min(PIECE_BYTES, bytes.byteSize() - at)).asByteBuffer();
            int read = channel.read(piece);
            if (read < 0) {
                throw FormatException.changed(path, null);
            }
            at += read;
        }
        return bytes.asReadOnly();
    }

    /// Checks that nobody wrote to the file, or cut it short, since it was mapped. One that was deleted or replaced by another did not
    /// change.
    void requireUnchanged() throws FormatException {
        if (opened != null) {
            requireUnchanged(path, opened);
        }
    }

    private static void requireUnchanged(Path path, State opened) throws FormatException {
        State now;
        try {
            now = State.of(path);
        } catch (IOException gone) {
            return;
        }
        if (Objects.equals(now.key, opened.key) && !now.equals(opened)) {
            throw FormatException.changed(path, null);
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
