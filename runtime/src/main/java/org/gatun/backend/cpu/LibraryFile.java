package org.gatun.backend.cpu;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/// Loads a library that came as bytes, through a file that nobody else can write: in a new folder with a random name, which only this
/// user may enter (0700), a new file that only this user may read and write (0600). Both are gone again when the library is loaded.
///
/// The folder is made where the property `gatun.native.folder` says, else in the first of these that takes it: the folder of temporary
/// files, `XDG_CACHE_HOME`, `~/.cache`. A place in which another user could rename what is in it is not used.
final class LibraryFile {
    /// The property that chooses the place.
    static final String PROPERTY = "gatun.native.folder";
    private static final int OTHERS_WRITE = 0022;
    private static final int STICKY = 01000;

    private LibraryFile() {}

    /// Where to try, in this order.
    static List<Path> places() {
        String chosen = System.getProperty(PROPERTY);
        if (chosen != null) {
            return List.of(Path.of(chosen));
        }
        List<Path> places = new ArrayList<>(List.of(Path.of(System.getProperty("java.io.tmpdir"))));
        String cache = System.getenv("XDG_CACHE_HOME");
        if (cache != null && !cache.isEmpty()) {
            places.add(Path.of(cache));
        }
        places.add(Path.of(System.getProperty("user.home"), ".cache"));
        return places;
    }

    /// @param name of the file, as the system wants it: `libgatun.so`
    /// @throws IOException with the cause for each place, and the remedy, in one line
    static SymbolLookup load(byte[] bytes, String name, List<Path> places) throws IOException {
        List<String> causes = new ArrayList<>();
        for (Path place : places) {
            try {
                return load(bytes, name, place);
            } catch (IOException e) {
                causes.add(e.getMessage());
            }
        }
        throw new IOException(String.join("; ", causes) + "; -D" + PROPERTY
                + "=FOLDER names another folder: one of yours, with room for " + Math.ceilDiv(bytes.length, 1 << 20)
                + " MB, that is not mounted noexec");
    }

    private static SymbolLookup load(byte[] bytes, String name, Path place) throws IOException {
        List<Path> missing = Stream.iterate(place.toAbsolutePath(), level -> level != null && !Files.exists(level), Path::getParent).toList();
        try {
            return loadIn(bytes, name, place);
        } catch (IOException | RuntimeException | Error failure) {
            for (Path made : missing) {
                try {
                    Files.deleteIfExists(made);
                } catch (IOException later) {
                    failure.addSuppressed(later);
                }
            }
            throw failure;
        }
    }

    private static SymbolLookup loadIn(byte[] bytes, String name, Path place) throws IOException {
        boolean unix = place.getFileSystem().supportedFileAttributeViews().contains("unix");
        Path folder;
        Path real;
        try {
            if (!Files.exists(place)) {
                Files.createDirectories(place, permissions(unix, "rwx------")); // ~/.cache of a new user
            }
            real = place.toRealPath();
            folder = Files.createTempDirectory(real, "gatun-", permissions(unix, "rwx------"));
        } catch (IOException e) {
            throw new IOException(place + cause(e), e);
        }
        Path file = folder.resolve(name);
        try {
            if (unix) {
                requireTrusted(place, real, (int) Files.getAttribute(folder, "unix:uid"));
            }
            try (SeekableByteChannel out = Files.newByteChannel(file, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                    permissions(unix, "rw-------"))) {
                ByteBuffer left = ByteBuffer.wrap(bytes);
                while (left.hasRemaining()) {
                    out.write(left);
                }
            } catch (IOException e) {
                throw new IOException(place + cause(e), e);
            }
            return open(file, place);
        } finally {
            Files.deleteIfExists(file);
            Files.deleteIfExists(folder);
        }
    }

    private static FileAttribute<?>[] permissions(boolean unix, String permissions) {
        return unix ? new FileAttribute<?>[] {PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions))}
                : new FileAttribute<?>[0];
    }

    private static String cause(IOException e) {
        return switch (e) {
            case AccessDeniedException _ -> ": found no permission to write there";
            case NotDirectoryException _, FileAlreadyExistsException _ -> " is not a folder";
            case NoSuchFileException _ -> ": no folder can be made there";
            case FileSystemException named when named.getReason() != null -> ": " + named.getReason();
            default -> ": " + e.getMessage();
        };
    }

    private static SymbolLookup open(Path file, Path place) throws IOException {
        try {
            return SymbolLookup.libraryLookup(file, Arena.global());
        } catch (IllegalArgumentException e) {
            String reason = e.getMessage();
            try {
                System.load(file.toString()); // fails too, and says why, which the lookup does not
            } catch (UnsatisfiedLinkError error) {
                reason = error.getMessage().replace(file + ": ", "");
            }
            throw new IOException(place + ": the library cannot be loaded from there: " + reason
                    + (reason.contains("failed to map segment") ? " (mounted noexec?)" : ""), e);
        }
    }

    /// In a place that others may write to without the sticky bit, or whose owner is neither this user nor root, the folder could be
    /// exchanged for another between its making and its loading; and so on every level above.
    private static void requireTrusted(Path place, Path real, int self) throws IOException {
        for (Path level = real; level != null; level = level.getParent()) {
            String which = place + (level.equals(real) ? "" : " lies in " + level + ", which");
            int owner = (int) Files.getAttribute(level, "unix:uid");
            if (owner != 0 && owner != self) {
                throw new IOException(which + " belongs to " + Files.getOwner(level) + ": expected a folder of this user's or of root's");
            }
            int mode = (int) Files.getAttribute(level, "unix:mode");
            if ((mode & OTHERS_WRITE) != 0 && (mode & STICKY) == 0) {
                throw new IOException(which + " can be written by others, mode " + Integer.toOctalString(mode & 07777)
                        + ": expected 755 or less, or the sticky bit");
            }
        }
    }
}
