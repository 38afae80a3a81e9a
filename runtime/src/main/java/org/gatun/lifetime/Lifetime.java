package org.gatun.lifetime;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/// How long something may be used that owns memory outside the heap: every use stands between [#enter] (or [#enterInTurn]) and [#leave],
/// and [#close] lets the use that is running end before anything is freed. So whatever native code reads through addresses lives as
/// long as the call, whichever thread closes its owner, and when.
///
/// Uses are one thread's at a time; they nest, and one within another goes on even if the object is closed meanwhile. Of several objects
/// that own one another the owner [adopts][#adopt] the others and closes them before it frees what it has itself: a session whose model is
/// closed first is closed by it, and closing it then does nothing.
///
/// Closing
/// * waits for the use of another thread, without heeding interrupts, which stay set; what is freed is freed when `close` returns,
///   whoever else closes at the same time;
/// * within a use of the same thread frees when the outermost use ends, and does not wait;
/// * waits for ever where two threads, each within a use of one object, close that of the other: nothing in Gatun closes within a use
///   but what it adopted.
///
/// Entering and leaving is a lock that nobody else wants, some tens of nanoseconds, and allocates nothing. Safe with virtual threads.
public final class Lifetime implements AutoCloseable {
    private final String name;
    private final Runnable release;
    private final ReentrantLock use = new ReentrantLock();
    private final CountDownLatch released = new CountDownLatch(1);
    private final Set<AutoCloseable> adopted = new LinkedHashSet<>();
    private volatile boolean closing;
    private boolean closedWithin;   // guarded by `use`, as is the next
    private Thread closer;          // who frees, or has freed

    /// @param name of the object in messages: "session of story.gguf"
    /// @param release frees what the object owns; called once, after all uses
    public Lifetime(String name, Runnable release) {
        this.name = name;
        this.release = release;
    }

    /// Begins a use. Hot.
    ///
    /// @throws IllegalStateException if the object is closed, or another thread uses it
    public void enter() {
        if (!use.tryLock()) {
            throw closing ? isClosed() : new IllegalStateException(name + " is in use by another thread: expected one at a time");
        }
        if (!isEntered()) {
            throw isClosed();
        }
    }

    /// Begins a use, once no other thread has one. Hot.
    ///
    /// @throws IllegalStateException if the object is closed
    public void enterInTurn() {
        if (!tryEnterInTurn()) {
            throw isClosed();
        }
    }

    /// As [#enterInTurn], but returns false if the object is closed.
    public boolean tryEnterInTurn() {
        use.lock();
        return isEntered();
    }

    /// Whether the use just begun may go on; if not, it has ended. One that is within another may.
    private boolean isEntered() {
        boolean entered = !closing || use.getHoldCount() > 1;
        if (!entered) {
            use.unlock();
        }
        return entered;
    }

    private IllegalStateException isClosed() {
        return new IllegalStateException(name + " is closed");
    }

    /// Ends a use, and frees everything if the object was closed within it. Hot.
    public void leave() {
        boolean frees = closedWithin && use.getHoldCount() == 1 && claim();
        use.unlock();
        if (frees) {
            free();
        }
    }

    /// @throws IllegalStateException if the object is closed, as far as is known at this moment
    public void requireOpen() {
        if (closing) {
            throw isClosed();
        }
    }

    /// Whether the object can be used, as far as is known at this moment.
    public boolean isOpen() {
        return !closing;
    }

    /// Makes something that closes with this object, see [#adopt], once no other thread uses that.
    ///
    /// @throws IllegalStateException if the object is closed
    public <T extends AutoCloseable> T own(Supplier<T> child) {
        enterInTurn();
        try {
            T made = child.get();
            adopt(made);
            return made;
        } finally {
            leave();
        }
    }

    /// Makes `child` close with this object, before it, the youngest first. To be called within a use.
    public void adopt(AutoCloseable child) {
        synchronized (adopted) {
            adopted.add(child);
        }
    }

    /// Forgets a child that has been closed.
    public void disown(AutoCloseable child) {
        synchronized (adopted) {
            adopted.remove(child);
        }
    }

    /// Ends the life of the object: no use begins any more, and when the one that is running has ended, everything is freed. The second
    /// time does nothing, but wait for the first.
    @Override
    public void close() {
        closing = true;
        if (use.isHeldByCurrentThread()) {
            closedWithin = true;
            return;
        }
        use.lock();
        boolean frees = claim();
        boolean isFreeing = closer == Thread.currentThread();
        use.unlock();
        if (frees) {
            free();
        } else if (!isFreeing) {
            awaitRelease();
        }
    }

    private boolean claim() {
        boolean first = closer == null;
        if (first) {
            closer = Thread.currentThread();
        }
        return first;
    }

    private void free() {
        try {
            closeAll(youngestFirst());
        } finally {
            released.countDown();
        }
    }

    private List<AutoCloseable> youngestFirst() {
        synchronized (adopted) {
            return new ArrayList<>(adopted).reversed();
        }
    }

    /// Closes all and frees the rest, even if one throws.
    private void closeAll(List<AutoCloseable> children) {
        RuntimeException failure = null;
        for (AutoCloseable child : children) {
            failure = attempt(child, failure);
        }
        failure = attempt(release::run, failure);
        if (failure != null) {
            throw failure;
        }
    }

    private static RuntimeException attempt(AutoCloseable step, RuntimeException earlier) {
        try {
            step.close();
            return earlier;
        } catch (Exception e) {
            RuntimeException failure = e instanceof RuntimeException unchecked ? unchecked : new IllegalStateException(e);
            if (earlier == null) {
                return failure;
            }
            earlier.addSuppressed(failure);
            return earlier;
        }
    }

    private void awaitRelease() {
        boolean interrupted = false;
        while (released.getCount() > 0) {
            try {
                released.await();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
