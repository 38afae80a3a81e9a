package org.gatun.serving;

import java.util.Arrays;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.gatun.generation.Generation.Finish;
import org.gatun.speculative.method.Speculation;

/// What becomes of a [Request]: an iterator over pieces of the text, each of whole characters, which waits for the next one. A piece is all
/// the text that has come since the last one was taken, so whoever reads slowly holds up nobody.
///
/// Safe for several threads, of any kind; of those that take pieces each piece goes to one. Closing it cancels the request unless that has
/// ended; a reply that nobody closes runs to its end and then holds no more than its own text.
public final class Reply implements Iterator<String>, AutoCloseable {
    private final Speculation speculation;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final StringBuilder pending = new StringBuilder(); // guarded by the lock, as is all below
    private int[] tokens = new int[16];
    private int generated;
    private Finish finish;
    private RuntimeException failure;
    private Usage usage;
    private volatile boolean cancelled;

    /// @param speculation by which it is drafted
    Reply(Speculation speculation) {
        this.speculation = speculation;
    }

    /// Waits until there is text, or the end.
    ///
    /// @throws IllegalStateException if the request met an error, once the text before it is taken
    /// @throws CancellationException if the thread is interrupted, which it then still is; the request is cancelled
    @Override
    public boolean hasNext() {
        lock.lock();
        try {
            while (pending.isEmpty() && finish == null) {
                await();
            }
            if (pending.isEmpty()) {
                requireNoFailure();
            }
            return !pending.isEmpty();
        } finally {
            lock.unlock();
        }
    }

    @Override
    public String next() {
        lock.lock();
        try {
            if (!hasNext()) {
                throw new NoSuchElementException("the reply has ended: " + finish);
            }
            String piece = pending.toString();
            pending.setLength(0);
            return piece;
        } finally {
            lock.unlock();
        }
    }

    private void await() {
        try {
            changed.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            cancel();
            CancellationException cancellation = new CancellationException("interrupted while waiting for a reply: the request is cancelled");
            cancellation.initCause(e);
            throw cancellation;
        }
    }

    private void requireNoFailure() {
        if (failure != null) {
            throw new IllegalStateException("the request failed: " + failure.getMessage(), failure);
        }
    }

    private void awaitEnd() {
        while (finish == null) {
            await();
        }
    }

    /// Waits for the end, and returns all the text not yet taken.
    ///
    /// @throws IllegalStateException if the request met an error
    /// @throws CancellationException as by [#hasNext]
    public String text() {
        lock.lock();
        try {
            awaitEnd();
            requireNoFailure();
            String text = pending.toString();
            pending.setLength(0);
            return text;
        } finally {
            lock.unlock();
        }
    }

    /// The tokens generated so far, a copy.
    public int[] tokens() {
        lock.lock();
        try {
            return Arrays.copyOf(tokens, generated);
        } finally {
            lock.unlock();
        }
    }

    /// Why it ended, once it has.
    public Optional<Finish> finish() {
        lock.lock();
        try {
            return Optional.ofNullable(finish);
        } finally {
            lock.unlock();
        }
    }

    /// Waits for the end, and tells what the request took.
    ///
    /// @throws CancellationException as by [#hasNext]
    public Usage usage() {
        lock.lock();
        try {
            awaitEnd();
            return usage;
        } finally {
            lock.unlock();
        }
    }

    /// How tokens are drafted: as was asked for, or plainly where that takes passes of its own, see [Engine].
    public Speculation speculation() {
        return speculation;
    }

    /// Ends the request before its next pass. Does nothing once it has ended.
    public void cancel() {
        cancelled = true;
    }

    /// Cancels the request if it has not ended, and does not wait.
    @Override
    public void close() {
        cancel();
    }

    boolean isCancelled() {
        return cancelled;
    }

    /// Adds a token; its text may come later.
    void append(int token, String text) {
        lock.lock();
        try {
            if (generated == tokens.length) {
                tokens = Arrays.copyOf(tokens, 2 * generated);
            }
            tokens[generated++] = token;
            append(text);
        } finally {
            lock.unlock();
        }
    }

    private void append(String text) {
        if (!text.isEmpty()) {
            pending.append(text);
            changed.signalAll();
        }
    }

    /// Ends it.
    ///
    /// @param text the last piece, which may be empty
    /// @param cause of a failure, else null
    void end(Finish reason, String text, RuntimeException cause, Usage taken) {
        lock.lock();
        try {
            append(text);
            finish = reason;
            failure = cause;
            usage = taken;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
