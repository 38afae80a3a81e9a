package org.gatun.stories;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.URLConnection;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.util.Objects;
import org.gatun.backend.Backend;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;

/// The pair of small models that comes with Gatun: a target that tells children's stories in simple English, and a draft
/// ten times smaller with the same tokens.
///
/// Owns both models and the memory of their weights, a copy of the resources. Closed by whoever opened it, after the
/// sessions on its models; closing twice is harmless. The backend stays the caller's.
public final class StoryModels implements AutoCloseable {
    private static final long ALIGNMENT_BYTES = 64;

    private final Arena arena = Arena.ofShared();
    private final Model target;
    private final Model draft;

    private StoryModels(Backend backend, ModelOptions options) throws IOException {
        try {
            target = open("target.gguf", backend, options);
            draft = open("draft.gguf", backend, options);
        } catch (IOException | RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    /// Opens both models on a backend that the caller keeps and closes.
    ///
    /// @throws IOException if the resources are missing or damaged
    public static StoryModels open(Backend backend, ModelOptions options) throws IOException {
        return new StoryModels(backend, options);
    }

    /// The model that tells the stories.
    public Model target() {
        return target;
    }

    /// The model that drafts for it.
    public Model draft() {
        return draft;
    }

    private Model open(String resource, Backend backend, ModelOptions options) throws IOException {
        URLConnection connection = Objects.requireNonNull(StoryModels.class.getResource(resource), resource).openConnection();
        try (ReadableByteChannel channel = Channels.newChannel(connection.getInputStream())) {
            MemorySegment bytes = arena.allocate(connection.getContentLengthLong(), ALIGNMENT_BYTES);
            ByteBuffer buffer = bytes.asByteBuffer();
            while (buffer.hasRemaining()) {
                if (channel.read(buffer) < 0) {
                    throw new EOFException(resource + " ends after " + buffer.position() + " bytes: expected " + bytes.byteSize());
                }
            }
            return Model.ofGguf("embedded " + resource, bytes, backend, options);
        }
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            target.close();
            draft.close();
            arena.close();
        }
    }
}
