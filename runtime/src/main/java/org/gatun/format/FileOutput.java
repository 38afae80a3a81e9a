package org.gatun.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.function.LongConsumer;

/// The bytes of an [AtomicOutput] that is one file: a reader, or the file that is being read, never sees a half-written one.
final class FileOutput implements WritableByteChannel {
    private final Path target;
    private final FileChannel channel;
    private final LongConsumer progress;
    private long position;

    private FileOutput(Path target, FileChannel channel, LongConsumer progress) {
        this.target = target;
        this.channel = channel;
        this.progress = progress;
    }

    /// What goes into the file.
    interface Content {
        void writeTo(FileOutput out) throws IOException;
    }

    /// @param progress told the bytes written so far
    /// @throws IOException if it cannot be written, with the target's name; what was there is then untouched
    static void write(Path target, LongConsumer progress, Content content) throws IOException {
        try (AtomicOutput output = AtomicOutput.file(target)) {
            try (FileChannel channel = FileChannel.open(output.path(), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                content.writeTo(new FileOutput(target, channel, progress));
            }
            output.commit();
        }
    }

    void write(byte[] bytes) throws IOException {
        write(ByteBuffer.wrap(bytes));
    }

    @Override
    public int write(ByteBuffer bytes) throws IOException {
        int size = bytes.remaining();
        try {
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        } catch (ClosedChannelException e) {
            throw e; // by an interrupt
        } catch (IOException e) {
            throw new IOException(target + " could not be written: " + e.getMessage() + "; what had that name is untouched", e);
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
