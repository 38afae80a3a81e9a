package org.gatun.serving;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.gatun.generation.Generation.Finish;

/// The requests that wait for an engine, bounded. Threads that submit add them, the engine's thread takes them out.
final class RequestQueue {
    private final int capacity;
    private final String name;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final List<RequestState> waiting = new ArrayList<>(); // guarded by the lock, as is all below
    private long arrivals;
    private boolean isClosed;
    private Throwable failure;

    /// @param name of the engine in messages
    RequestQueue(int capacity, String name) {
        this.capacity = capacity;
        this.name = name;
    }

    /// Adds requests, all or none.
    ///
    /// @throws RejectedExecutionException if it is full
    /// @throws IllegalStateException if it is closed
    void add(List<RequestState> requests) {
        lock.lock();
        try {
            if (isClosed) {
                throw new IllegalStateException(name + (failure == null ? " is closed" : " has ended: " + failure), failure);
            }
            if (waiting.size() + requests.size() > capacity) {
                throw new RejectedExecutionException(name + " has " + waiting.size() + " requests waiting, of " + capacity
                        + " that may: expected to submit when some have ended, or a longer queue");
            }
            for (RequestState request : requests) {
                request.setArrival(arrivals++);
            }
            waiting.addAll(requests);
            changed.signal();
        } finally {
            lock.unlock();
        }
    }

    /// Waits for something to do.
    ///
    /// @param isIdle whether nothing runs
    /// @return false once the queue is closed
    boolean awaitWork(boolean isIdle) {
        lock.lock();
        try {
            while (isIdle && waiting.isEmpty() && !isClosed) {
                changed.awaitUninterruptibly();
            }
            return !isClosed;
        } finally {
            lock.unlock();
        }
    }

    /// Ends requests that were cancelled or are late.
    void endInterrupted(long now) {
        lock.lock();
        try {
            for (int i = waiting.size() - 1; i >= 0; i--) {
                Finish reason = waiting.get(i).interruption(now);
                if (reason != null) {
                    waiting.remove(i).end(reason, null);
                }
            }
        } finally {
            lock.unlock();
        }
    }

    /// The request that is next: of the first priority, of the key that fewest requests run of, the earliest; null if there is none.
    RequestState next(List<RequestState> running) {
        lock.lock();
        try {
            RequestState next = null;
            int sharesOfNext = 0;
            for (int i = 0; i < waiting.size(); i++) {
                RequestState request = waiting.get(i);
                if (!request.isReady()) {
                    continue;
                }
                int shares = shares(running, request.key());
                if (next == null || request.priority() < next.priority()
                        || request.priority() == next.priority() && shares < sharesOfNext) {
                    next = request;
                    sharesOfNext = shares;
                }
            }
            return next;
        } finally {
            lock.unlock();
        }
    }

    private static int shares(List<RequestState> running, String key) {
        int count = 0;
        for (int i = 0; i < running.size(); i++) {
            count += running.get(i).key().equals(key) ? 1 : 0;
        }
        return count;
    }

    void remove(RequestState request) {
        lock.lock();
        try {
            waiting.remove(request);
        } finally {
            lock.unlock();
        }
    }

    int size() {
        lock.lock();
        try {
            return waiting.size();
        } finally {
            lock.unlock();
        }
    }

    /// Takes no more requests.
    void close() {
        lock.lock();
        try {
            isClosed = true;
            changed.signal();
        } finally {
            lock.unlock();
        }
    }

    /// Takes no more requests, and ends those that wait.
    ///
    /// @param cause for which the engine ends; null if it was closed
    void endAll(Throwable cause) {
        lock.lock();
        try {
            isClosed = true;
            failure = cause;
            for (RequestState request : waiting) {
                request.end(Finish.CANCELLED, cause == null ? null : new IllegalStateException(name + " has ended: " + cause, cause));
            }
            waiting.clear();
        } finally {
            lock.unlock();
        }
    }
}
