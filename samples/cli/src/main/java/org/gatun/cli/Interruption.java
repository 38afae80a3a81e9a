package org.gatun.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/// Lets a command finish what it is doing when the process is told to end (Ctrl-C): asks it to stop, and holds the end of
/// the process back until this is closed. The exit code is then the JVM's own, 130 for Ctrl-C.
final class Interruption implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 10;

    private final CountDownLatch closed = new CountDownLatch(1);
    private final Thread hook;

    /// @param stop called by another thread
    Interruption(Runnable stop) {
        hook = new Thread(() -> {
            stop.run();
            try {
                closed.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
        });
        Runtime.getRuntime().addShutdownHook(hook);
    }

    @Override
    public void close() {
        closed.countDown();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException _) {
            // the process is ending: the hook has run
        }
    }
}
