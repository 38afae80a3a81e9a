package org.gatun.backend.cuda;

import java.util.ArrayDeque;
import java.util.Deque;

/// What an object of this backend owns on the device: streams, buffers, blocks of them. A constructor that fails half way closes what
/// it has so far, newest first, as its `close` would.
final class DeviceResources implements AutoCloseable {
    private final Deque<AutoCloseable> open = new ArrayDeque<>(); // the newest first

    /// Takes a resource over.
    <T extends AutoCloseable> T add(T resource) {
        open.push(resource);
        return resource;
    }

    /// Closes all, newest first, even if one throws; the second time there is nothing left.
    @Override
    public void close() {
        if (open.isEmpty()) {
            return;
        }
        AutoCloseable newest = open.pop();
        try (DeviceResources _ = this) { // the others, afterwards
            newest.close();
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }
}
