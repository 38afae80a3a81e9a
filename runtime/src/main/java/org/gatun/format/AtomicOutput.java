package org.gatun.format;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A file or a folder that is made under another name and takes its own in one step, when it is whole and on the disk. Until then, and
/// if the run ends before, what had the name stays as it is. Closing removes what was not committed.
///
/// It is made in a folder beside the target, `NAME.PID-START-RANDOM.part`, so that no other file system is crossed. Whoever writes into the
/// same parent folder next removes the `.part` folders of runs that ended early, and says so.
///
/// Owned and closed by whoever opened it; not for several threads. Two outputs for one target are refused, in one process or in several.
///
/// ```
/// NAME.PID-START-RANDOM.part/lock   locked while the run lives, which other containers and hosts can see, unlike its number
///                            new    what is being made; takes the name NAME
///                            old    only where a folder is replaced and the system cannot exchange two names: what had
///                                   the name, until "new" has it. A run that ends in between is completed by the next
/// ```
public final class AtomicOutput implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AtomicOutput.class);
    private static final Pattern STAGING = Pattern.compile("(.+)\\.(\\d+)-([0-9a-z]+)-[0-9a-z]+\\.part");
    /// Names of those of this process that are open. Locks belong to the process, and closing any channel to a file gives up all locks on
    /// it: so it must not look at its own.
    private static final Set<String> OWN = ConcurrentHashMap.newKeySet();
    private static final int ATTEMPTS = 5;
    private static final int MAX_WAIT_MILLIS = 100;

    private final Path target;
    private final boolean folder;
    private final Path staging;
    private final FileChannel lock;
    private final Thread atExit = new Thread(this::close, "gatun-output");
    private boolean closed;

    private AtomicOutput(Path target, boolean folder, Path staging, FileChannel lock) {
        this.target = target;
        this.folder = folder;
        this.staging = staging;
        this.lock = lock;
    }

    /// Begins a file.
    ///
    /// @param target what to call it; a link of that name is replaced, not what it leads to
    /// @throws IOException if a folder or a device has the name, there is no folder to put it into, another run is writing it, or
    ///         nothing can be written there
    public static AtomicOutput file(Path target) throws IOException {
        if (Files.exists(target) && !Files.isRegularFile(target)) {
            throw new IOException(target + " is a directory or device: expected the name of a file to write");
        }
        return open(target, false);
    }

    /// Begins a folder, empty at first.
    ///
    /// @param target what to call it; a folder of that name goes, with all that is in it, when this one takes its place
    /// @throws IOException if a file has the name, there is no folder to put it into, another run is writing it, or nothing can be
    ///         written there
    public static AtomicOutput folder(Path target) throws IOException {
        if (Files.exists(target) && !Files.isDirectory(target)) {
            throw new IOException(target + " is a file: expected the name of a directory to write");
        }
        AtomicOutput output = open(target, true);
        try {
            Files.createDirectory(output.path());
            return output;
        } catch (IOException | RuntimeException | Error failure) {
            output.close();
            throw failure;
        }
    }

    /// Writes a text file in UTF-8.
    ///
    /// @throws IOException as [#file]
    public static void write(Path target, String text) throws IOException {
        try (AtomicOutput output = file(target)) {
            Files.write(output.path(), text.getBytes(StandardCharsets.UTF_8));
            output.commit();
        }
    }

    private static AtomicOutput open(Path named, boolean folder) throws IOException {
        Path target = named.toAbsolutePath();
        if (target.getFileName() == null || target.endsWith(".") || target.endsWith("..")) {
            target = target.toRealPath();
        }
        Path parent = target.getParent();
        if (parent == null) {
            throw new IOException(named + " cannot be replaced: expected the name of a " + (folder ? "directory" : "file") + " to write");
        }
        if (!Files.isDirectory(parent)) {
            throw new IOException(named + ": there is no folder " + parent + " to write it in: create it first");
        }
        if (folder && Files.exists(target) && !Files.getFileStore(target).equals(Files.getFileStore(parent))) {
            throw new IOException(named + " is the root of a file system, which cannot be replaced: expected the name of a folder in it");
        }
        IOException last = null;
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) { // two that begin at once see each other: one has to be first
            AtomicOutput output;
            try {
                output = create(target, folder);
            } catch (FileAlreadyExistsException | NoSuchFileException taken) { // by another run; or the file system holds no new names
                last = unwritable(target, taken, taken instanceof NoSuchFileException ? "it takes no new names" : "the name is taken");
                pause(named);
                continue;
            }
            Optional<Path> other;
            try {
                Runtime.getRuntime().addShutdownHook(output.atExit);
                other = output.settleOthers();
            } catch (IOException | RuntimeException | Error failure) {
                output.close();
                throw failure;
            }
            if (other.isEmpty()) {
                return output;
            }
            output.close();
            last = new IOException(named + " is being written by another run (" + other.get().getFileName()
                    + "): wait until it ends, or choose another name");
            pause(named);
        }
        throw last;
    }

    private static IOException unwritable(Path target, FileSystemException failure, String otherwise) {
        return new IOException(target + ": nothing can be written in " + target.getParent() + " ("
                + Optional.ofNullable(failure.getReason()).orElse(otherwise) + "): choose another folder", failure);
    }

    private static void pause(Path target) throws IOException {
        try {
            Thread.sleep(ThreadLocalRandom.current().nextInt(MAX_WAIT_MILLIS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(target + ": interrupted before anything was written", e);
        }
    }

    /// @throws NoSuchFileException if another run took the new folder for one of the dead before it was locked
    /// @throws FileAlreadyExistsException if it did so and keeps it locked
    private static AtomicOutput create(Path target, boolean folder) throws IOException {
        ProcessHandle process = ProcessHandle.current();
        Path staging = target.resolveSibling("%s.%d-%s-%s.part".formatted(target.getFileName(), process.pid(), startOf(process),
                Long.toString(ThreadLocalRandom.current().nextLong(1L << 40), Character.MAX_RADIX)));
        OWN.add(staging.toString());
        FileChannel lock = null;
        try {
            Files.createDirectory(staging);
            lock = FileChannel.open(staging.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            if (!tryLock(lock, false)) {
                throw new FileAlreadyExistsException(staging.toString(), null, "another run is removing it");
            }
            if (!Files.exists(staging.resolve("lock"))) {
                throw new NoSuchFileException(staging.toString(), null, "another run removed it");
            }
            return new AtomicOutput(target, folder, staging, lock);
        } catch (Throwable failure) {
            abandon(staging, lock);
            if (failure instanceof FileSystemException refused && !(refused instanceof FileAlreadyExistsException)
                    && !(refused instanceof NoSuchFileException)) {
                throw unwritable(target, refused, refused instanceof AccessDeniedException ? "found no permission" : "it is not possible");
            }
            throw failure;
        }
    }

    private static void abandon(Path staging, FileChannel lock) {
        try {
            if (lock != null) {
                lock.close();
                deleteAll(staging);
            } else {
                Files.deleteIfExists(staging);
            }
        } catch (IOException e) {
            LOG.debug("{} was not begun, and could not be removed", staging, e); // the next run that writes there tries again
        } finally {
            OWN.remove(staging.toString());
        }
    }

    /// @param running whether the run whose lock this is lives, as far as its number tells: where the file system has no locks, that counts
    private static boolean tryLock(FileChannel channel, boolean running) {
        try {
            return channel.tryLock() != null;
        } catch (OverlappingFileLockException _) {
            return false; // another thread of this process removes it at the same time
        } catch (IOException _) {
            return !running;
        }
    }

    /// When a process began, in short: numbers of processes are given again. "0" if the system does not tell.
    private static String startOf(ProcessHandle process) {
        return Long.toString(process.info().startInstant().map(Instant::toEpochMilli).orElse(0L), Character.MAX_RADIX);
    }

    /// Removes what runs that ended early left in the parent folder.
    ///
    /// @return another that is writing this target now
    private Optional<Path> settleOthers() throws IOException {
        Optional<Path> other = Optional.empty();
        try (DirectoryStream<Path> siblings = Files.newDirectoryStream(target.getParent(), "*.part")) {
            for (Path sibling : siblings) {
                Matcher name = STAGING.matcher(sibling.getFileName().toString());
                if (!sibling.equals(staging) && name.matches() && Files.isDirectory(sibling, LinkOption.NOFOLLOW_LINKS)
                        && !settle(sibling, name) && name.group(1).equals(target.getFileName().toString())) {
                    other = Optional.of(sibling);
                }
            }
        }
        return other;
    }

    /// @return false if its run lives
    private static boolean settle(Path staging, Matcher name) {
        if (OWN.contains(staging.toString())) {
            return false;
        }
        boolean running = ProcessHandle.of(Long.parseLong(name.group(2))).filter(process -> startOf(process).equals(name.group(3)))
                .filter(process -> !process.equals(ProcessHandle.current())).isPresent();
        try (FileChannel channel = FileChannel.open(staging.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            if (!tryLock(channel, running)) {
                return false;
            }
            Path target = staging.resolveSibling(name.group(1));
            if (Files.exists(staging.resolve("old"), LinkOption.NOFOLLOW_LINKS) && !Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
                complete(staging, target);
                LOG.warn("{} has its name again: a run ended as it was replaced", target);
            }
            deleteAll(staging);
            LOG.warn("removed {}, left by a run that ended before it was done", staging);
        } catch (NoSuchFileException _) {
            return true; // another run removed it meanwhile
        } catch (IOException e) {
            LOG.warn("{} was left by a run that ended before it was done, and could not be removed ({}): remove it by hand", staging,
                    e.getMessage());
        }
        return true;
    }

    /// "new" is whole and on the disk where there is an "old".
    private static void complete(Path staging, Path target) throws IOException {
        Path made = staging.resolve("new");
        Files.move(Files.exists(made) ? made : staging.resolve("old"), target, StandardCopyOption.ATOMIC_MOVE);
        sync(target.getParent());
    }

    /// Where to write: the file, which is not there yet, or the folder.
    public Path path() {
        return staging.resolve("new");
    }

    /// Gives what was made its name, once all of it is on the disk. To be called once, at the end.
    ///
    /// @throws IllegalStateException if this is closed
    /// @throws IOException if that is not possible; what had the name then still has it
    public synchronized void commit() throws IOException {
        if (closed) {
            throw new IllegalStateException(target + ": its output is closed");
        }
        if (folder) {
            removeInner();
        }
        syncAll(path());
        if (folder && Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
            replaceFolder();
        } else {
            Files.move(path(), target, StandardCopyOption.ATOMIC_MOVE);
        }
        sync(target.getParent());
    }

    /// A file in the folder is an output of its own, which may have failed to tidy up; nobody would come after it there.
    private void removeInner() throws IOException {
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(path(), "*.part")) {
            for (Path entry : entries) {
                if (STAGING.matcher(entry.getFileName().toString()).matches()) {
                    deleteAll(entry);
                }
            }
        }
    }

    private void replaceFolder() throws IOException {
        if (NameExchange.exchange(path(), target)) {
            return;
        }
        Path old = staging.resolve("old");
        Files.move(target, old, StandardCopyOption.ATOMIC_MOVE);
        try {
            Files.move(path(), target, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException | RuntimeException | Error failure) {
            try {
                Files.move(old, target, StandardCopyOption.ATOMIC_MOVE);
            } catch (IOException later) {
                failure.addSuppressed(later);
            }
            throw failure;
        }
    }

    /// Removes what was not committed, or what was replaced. Closing twice is harmless.
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            Runtime.getRuntime().removeShutdownHook(atExit);
        } catch (IllegalStateException _) {
            // the process is ending
        }
        try (lock) {
            if (Files.exists(staging.resolve("old"), LinkOption.NOFOLLOW_LINKS) && !Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
                complete(staging, target);
            }
            deleteAll(staging);
        } catch (IOException e) {
            LOG.warn("{} could not be removed ({}); the next run that writes there tries again", staging, e.getMessage());
        } finally {
            OWN.remove(staging.toString());
        }
    }

    private static void syncAll(Path root) throws IOException {
        Files.walkFileTree(root, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                sync(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, IOException failure) throws IOException {
                sync(directory);
                return super.postVisitDirectory(directory, failure);
            }
        });
    }

    /// Has a file's bytes or a folder's names on the disk.
    private static void sync(Path path) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            channel.force(true);
        } catch (AccessDeniedException e) {
            if (!Files.isDirectory(path)) { // Windows opens no folders, and keeps their names by itself
                throw e;
            }
        } catch (FileSystemException e) {
            throw e;
        } catch (IOException e) {
            throw new IOException(path + " could not be brought to the disk: " + e.getMessage(), e);
        }
    }

    /// The lock last, so that what is half removed belongs to somebody.
    private static void deleteAll(Path staging) throws IOException {
        Path lock = staging.resolve("lock");
        Files.walkFileTree(staging, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                if (!file.equals(lock)) {
                    Files.deleteIfExists(file);
                }
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, IOException failure) throws IOException {
                if (failure != null) {
                    throw failure;
                }
                if (directory.equals(staging)) {
                    Files.deleteIfExists(lock);
                }
                Files.deleteIfExists(directory);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
