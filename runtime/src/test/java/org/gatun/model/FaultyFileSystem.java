package org.gatun.model;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.AccessMode;
import java.nio.file.CopyOption;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.nio.file.ProviderMismatchException;
import java.nio.file.StandardOpenOption;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileAttributeView;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.nio.file.spi.FileSystemProvider;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;

/// The default file system with one call that fails: every call that goes to the system is counted, and the one with a given number
/// throws. Paths of it are made by [#path].
final class FaultyFileSystem extends FileSystem {
    private final FileSystem real = FileSystems.getDefault();
    private final Provider provider = new Provider();
    private final AtomicInteger calls = new AtomicInteger();
    private final int failing;
    private volatile String failed;

    /// @param failing number of the call that fails, from 1; 0 for none
    FaultyFileSystem(int failing) {
        this.failing = failing;
    }

    /// The path in this file system.
    Path path(Path path) {
        return new FaultyPath(path);
    }

    /// Calls so far.
    int calls() {
        return calls.get();
    }

    /// What failed, null if nothing has yet.
    String failed() {
        return failed;
    }

    private void call(String what, Path path) throws IOException {
        if (calls.incrementAndGet() == failing) {
            failed = what + " " + path;
            throw new IOException("injected: " + what + " of " + (path == null ? "a file" : path.getFileName()));
        }
    }

    private static Path real(Path path) {
        if (path instanceof FaultyPath faulty) {
            return faulty.real;
        }
        throw new ProviderMismatchException(path + " is of another file system");
    }

    private Path wrap(Path path) {
        return path == null ? null : new FaultyPath(path);
    }

    private final class FaultyPath implements Path {
        private final Path real;

        FaultyPath(Path real) {
            this.real = real;
        }

        @Override
        public FileSystem getFileSystem() {
            return FaultyFileSystem.this;
        }

        @Override
        public boolean isAbsolute() {
            return real.isAbsolute();
        }

        @Override
        public Path getRoot() {
            return wrap(real.getRoot());
        }

        @Override
        public Path getFileName() {
            return wrap(real.getFileName());
        }

        @Override
        public Path getParent() {
            return wrap(real.getParent());
        }

        @Override
        public int getNameCount() {
            return real.getNameCount();
        }

        @Override
        public Path getName(int index) {
            return wrap(real.getName(index));
        }

        @Override
        public Path subpath(int from, int to) {
            return wrap(real.subpath(from, to));
        }

        @Override
        public boolean startsWith(Path other) {
            return other instanceof FaultyPath faulty && real.startsWith(faulty.real);
        }

        @Override
        public boolean endsWith(Path other) {
            return other instanceof FaultyPath faulty && real.endsWith(faulty.real);
        }

        @Override
        public Path normalize() {
            return wrap(real.normalize());
        }

        @Override
        public Path resolve(Path other) {
            return wrap(real.resolve(other instanceof FaultyPath faulty ? faulty.real : other));
        }

        @Override
        public Path relativize(Path other) {
            return wrap(real.relativize(FaultyFileSystem.real(other)));
        }

        @Override
        public URI toUri() {
            return real.toUri();
        }

        @Override
        public Path toAbsolutePath() {
            return wrap(real.toAbsolutePath());
        }

        @Override
        public Path toRealPath(LinkOption... options) throws IOException {
            call("toRealPath", real);
            return wrap(real.toRealPath(options));
        }

        @Override
        public WatchKey register(WatchService watcher, WatchEvent.Kind<?>[] events, WatchEvent.Modifier... modifiers) {
            throw new UnsupportedOperationException();
        }

        @Override
        public int compareTo(Path other) {
            return real.compareTo(FaultyFileSystem.real(other));
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof FaultyPath faulty && real.equals(faulty.real);
        }

        @Override
        public int hashCode() {
            return real.hashCode();
        }

        @Override
        public String toString() {
            return real.toString();
        }
    }

    private final class Provider extends FileSystemProvider {
        private final FileSystemProvider realProvider = real.provider();

        @Override
        public String getScheme() {
            return "faulty";
        }

        @Override
        public FileSystem newFileSystem(URI uri, Map<String, ?> environment) {
            throw new UnsupportedOperationException();
        }

        @Override
        public FileSystem getFileSystem(URI uri) {
            return FaultyFileSystem.this;
        }

        @Override
        public Path getPath(URI uri) {
            return wrap(realProvider.getPath(uri));
        }

        @Override
        public SeekableByteChannel newByteChannel(Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
                throws IOException {
            return newFileChannel(path, options, attributes);
        }

        @Override
        public FileChannel newFileChannel(Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes) throws IOException {
            call("open", real(path));
            return new FaultyChannel(realProvider.newFileChannel(real(path), options, attributes), real(path),
                    options.contains(StandardOpenOption.WRITE));
        }

        @Override
        public DirectoryStream<Path> newDirectoryStream(Path directory, DirectoryStream.Filter<? super Path> filter) throws IOException {
            call("list", real(directory));
            DirectoryStream<Path> entries = realProvider.newDirectoryStream(real(directory), entry -> filter.accept(wrap(entry)));
            return new DirectoryStream<>() {
                @Override
                public Iterator<Path> iterator() {
                    Iterator<Path> all = entries.iterator();
                    return new Iterator<>() {
                        @Override
                        public boolean hasNext() {
                            return all.hasNext();
                        }

                        @Override
                        public Path next() {
                            return wrap(all.next());
                        }
                    };
                }

                @Override
                public void close() throws IOException {
                    entries.close();
                }
            };
        }

        @Override
        public void createDirectory(Path directory, FileAttribute<?>... attributes) throws IOException {
            call("createDirectory", real(directory));
            realProvider.createDirectory(real(directory), attributes);
        }

        @Override
        public void delete(Path path) throws IOException {
            call("delete", real(path));
            realProvider.delete(real(path));
        }

        @Override
        public void copy(Path source, Path target, CopyOption... options) throws IOException {
            call("copy", real(source));
            realProvider.copy(real(source), real(target), options);
        }

        @Override
        public void move(Path source, Path target, CopyOption... options) throws IOException {
            call("move", real(source));
            realProvider.move(real(source), real(target), options);
        }

        @Override
        public boolean isSameFile(Path path, Path other) throws IOException {
            call("isSameFile", real(path));
            return realProvider.isSameFile(real(path), real(other));
        }

        @Override
        public boolean isHidden(Path path) throws IOException {
            return realProvider.isHidden(real(path));
        }

        @Override
        public FileStore getFileStore(Path path) throws IOException {
            call("getFileStore", real(path));
            return realProvider.getFileStore(real(path));
        }

        @Override
        public void checkAccess(Path path, AccessMode... modes) throws IOException {
            call("checkAccess", real(path));
            realProvider.checkAccess(real(path), modes);
        }

        @Override
        public <V extends FileAttributeView> V getFileAttributeView(Path path, Class<V> type, LinkOption... options) {
            return realProvider.getFileAttributeView(real(path), type, options);
        }

        @Override
        public <A extends BasicFileAttributes> A readAttributes(Path path, Class<A> type, LinkOption... options) throws IOException {
            call("readAttributes", real(path));
            return realProvider.readAttributes(real(path), type, options);
        }

        @Override
        public Map<String, Object> readAttributes(Path path, String attributes, LinkOption... options) throws IOException {
            call("readAttributes", real(path));
            return realProvider.readAttributes(real(path), attributes, options);
        }

        @Override
        public void setAttribute(Path path, String attribute, Object value, LinkOption... options) throws IOException {
            call("setAttribute", real(path));
            realProvider.setAttribute(real(path), attribute, value, options);
        }
    }

    private final class FaultyChannel extends FileChannel {
        private final FileChannel channel;
        private final Path path;
        private final boolean writes;

        FaultyChannel(FileChannel channel, Path path, boolean writes) {
            this.channel = channel;
            this.path = path;
            this.writes = writes;
        }

        @Override
        public int read(ByteBuffer target) throws IOException {
            call("read", path);
            return channel.read(target);
        }

        @Override
        public long read(ByteBuffer[] targets, int offset, int length) throws IOException {
            call("read", path);
            return channel.read(targets, offset, length);
        }

        @Override
        public int write(ByteBuffer source) throws IOException {
            call("write", path);
            return channel.write(source);
        }

        @Override
        public long write(ByteBuffer[] sources, int offset, int length) throws IOException {
            call("write", path);
            return channel.write(sources, offset, length);
        }

        @Override
        public long position() throws IOException {
            return channel.position();
        }

        @Override
        public FileChannel position(long position) throws IOException {
            call("position", path);
            channel.position(position);
            return this;
        }

        @Override
        public long size() throws IOException {
            call("size", path);
            return channel.size();
        }

        @Override
        public FileChannel truncate(long size) throws IOException {
            call("truncate", path);
            channel.truncate(size);
            return this;
        }

        @Override
        public void force(boolean metadata) throws IOException {
            call("force", path);
            channel.force(metadata);
        }

        @Override
        public long transferTo(long position, long count, WritableByteChannel target) throws IOException {
            call("transferTo", path);
            return channel.transferTo(position, count, target);
        }

        @Override
        public long transferFrom(ReadableByteChannel source, long position, long count) throws IOException {
            call("transferFrom", path);
            return channel.transferFrom(source, position, count);
        }

        @Override
        public int read(ByteBuffer target, long position) throws IOException {
            call("read", path);
            return channel.read(target, position);
        }

        @Override
        public int write(ByteBuffer source, long position) throws IOException {
            call("write", path);
            return channel.write(source, position);
        }

        @Override
        public MappedByteBuffer map(MapMode mode, long position, long size) throws IOException {
            call("map", path);
            return channel.map(mode, position, size);
        }

        @Override
        public MemorySegment map(MapMode mode, long offset, long size, Arena arena) throws IOException {
            call("map", path);
            return channel.map(mode, offset, size, arena);
        }

        @Override
        public FileLock lock(long position, long size, boolean shared) throws IOException {
            call("lock", path);
            return channel.lock(position, size, shared);
        }

        @Override
        public FileLock tryLock(long position, long size, boolean shared) throws IOException {
            call("tryLock", path);
            return channel.tryLock(position, size, shared);
        }

        @Override
        protected void implCloseChannel() throws IOException {
            channel.close();
            if (writes) { // nothing is left to fail where a file was only read
                call("close", path);
            }
        }
    }

    @Override
    public FileSystemProvider provider() {
        return provider;
    }

    @Override
    public void close() {
        throw new UnsupportedOperationException();
    }

    @Override
    public boolean isOpen() {
        return true;
    }

    @Override
    public boolean isReadOnly() {
        return false;
    }

    @Override
    public String getSeparator() {
        return real.getSeparator();
    }

    @Override
    public Iterable<Path> getRootDirectories() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Iterable<FileStore> getFileStores() {
        return real.getFileStores();
    }

    @Override
    public Set<String> supportedFileAttributeViews() {
        return real.supportedFileAttributeViews();
    }

    @Override
    public Path getPath(String first, String... more) {
        return wrap(real.getPath(first, more));
    }

    @Override
    public PathMatcher getPathMatcher(String pattern) {
        PathMatcher matcher = real.getPathMatcher(pattern);
        return path -> matcher.matches(path instanceof FaultyPath faulty ? faulty.real : path);
    }

    @Override
    public UserPrincipalLookupService getUserPrincipalLookupService() {
        return real.getUserPrincipalLookupService();
    }

    @Override
    public WatchService newWatchService() {
        throw new UnsupportedOperationException();
    }
}
