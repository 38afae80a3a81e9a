package org.gatun.format;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.WritableByteChannel;

/// The bytes of a tensor that is about to be written; asked for once, so that a large model need not be in memory.
@FunctionalInterface
public interface TensorData {
    /// Writes exactly the bytes of the tensor, row-major, little-endian, in pieces of any size.
    void writeTo(WritableByteChannel channel) throws IOException;

    /// The bytes of a segment, which must live until they are written.
    static TensorData of(MemorySegment data) {
        return channel -> {
            long pieceBytes = 1 << 24;
            for (long offset = 0; offset < data.byteSize(); offset += pieceBytes) {
                channel.write(data.asSlice(offset, Math.min(pieceBytes, data.byteSize() - offset)).asByteBuffer());
            }
        };
    }
}
