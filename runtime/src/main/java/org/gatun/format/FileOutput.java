package org.gatun.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.UUID;
import java.util.function.LongConsumer;

/// A file being written under a temporary name beside the target, which it replaces in one step when complete; a
/// reader, or the file that is being read, never sees a half-written one.
final class FileOutput implements WritableByteChannel {
    private final FileChannel channel;
    private final LongConsumer progress;
    private long position;

    private FileOutput(FileChannel channel, LongConsumer progress) {
        this.channel = channel;
        this.progress = progress;
    }

    /// What goes into the file.
    interface Content {
        void writeTo(FileOutput out) throws IOException;
    }

    /// @param progress told the bytes written so far
    static void write(Path target, LongConsumer progress, Content content) throws IOException {
        if (Files.exists(target) && !Files.isRegularFile(target)) {
            throw new IOException(target + " is a directory or device: expected the name of a file to write");
        }
        Path folder = target.toAbsolutePath().getParent();
        if (!Files.isDirectory(folder)) {
            throw new IOException(target + ": there is no folder " + folder + " to write it in: create it first");
        }
        Path temporary = target.resolveSibling(target.getFileName() + "." + UUID.randomUUID() + ".part");
        try {
            try (FileChannel channel =
                    FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                content.writeTo(new FileOutput(channel, progress));
            }
            Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException | RuntimeException | Error failure) {
            try {
                Files.deleteIfExists(temporary);
            } catch (IOException later) {
                failure.addSuppressed(later);
            }
            throw failure;
        }
    }

    void write(byte[] bytes) throws IOException {
        write(ByteBuffer.wrap(bytes));
    }

    @Override
    public int write(ByteBuffer bytes) throws IOException {
        int size = bytes.remaining();
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
        position += size;
        progress.accept(position);
        return size;
    }

    /// Writes one tensor's bytes.
    ///
    /// @throws IllegalStateException if they are not `byteSize`
    void write(String tensor, long byteSize, TensorData data) throws IOException {
        long start = position;
        data.writeTo(this);
        if (position - start != byteSize) {
            throw new IllegalStateException("tensor " + tensor + ": its source wrote " + (position - start)
                    + " bytes, expected " + byteSize);
        }
    }

    /// Writes zeros up to a multiple of `alignmentBytes`.
    void pad(long alignmentBytes) throws IOException {
        write(new byte[(int) (Math.ceilDiv(position, alignmentBytes) * alignmentBytes - position)]);
    }

    @Override
    public boolean isOpen() {
        return channel.isOpen();
    }

    @Override
    public void close() {
        // Left to write(Path, ...): a tensor's source may close what it was given without ending the file.
    }
}
