package org.gatun.serving;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.gatun.backend.Batch;
import org.gatun.backend.Executable;
import org.gatun.backend.KvPool;
import org.gatun.backend.OutOfPagesException;
import org.gatun.generation.Generation.Finish;
import org.gatun.model.Model;

/// Decides what the next pass computes, and runs it: continuous batching (Yu et al. 2022, "Orca") with prompts in pieces (Agrawal et al. 2024,
/// "Sarathi-Serve") over pages (Kwon et al. 2023, PagedAttention). One step:
///
/// 1. Requests that were cancelled or are late end.
/// 2. Requests begin, or are resumed, while there are slots and pages for them.
/// 3. Each text being decoded gets a row, then rows for its proposal; what is left is shared among those whose prompt is read. Each takes the
///    pages it is about to write. Where there are none, prefixes that nobody uses are forgotten, then the last of the lowest priority loses its
///    own.
/// 4. One pass.
/// 5. Each takes over what it gave; those that end give back pages and slot.
///
/// The engine's thread only. A step without beginnings, ends and preemptions allocates nothing but the text that replies are given.
final class Scheduler {
    private final Executable executable;
    private final KvPool pool;
    private final PrefixCache cache;
    private final Optional<Model> draft;
    private final RequestQueue queue;
    private final Supplier<Slot> newSlot;
    private final Deque<Slot> idle = new ArrayDeque<>();
    private final List<RequestState> running = new ArrayList<>();
    private final List<RequestState> paused = new ArrayList<>();
    private final List<RequestState> inPass = new ArrayList<>();  // by their number in the batch
    private final Batch batch = new Batch();
    private int turn;
    private int spareRows; // for proposals, beyond a row of each text
    // read by other threads
    private volatile long passes;
    private volatile long rows;
    private volatile long segments;
    private volatile long preemptions;
    private volatile int runningCount;

    /// @param executable of the whole model
    /// @param newSlot makes one more
    Scheduler(Executable executable, KvPool pool, PrefixCache cache, Optional<Model> draft, RequestQueue queue, Supplier<Slot> newSlot) {
        this.executable = executable;
        this.pool = pool;
        this.cache = cache;
        this.draft = draft;
        this.queue = queue;
        this.newSlot = newSlot;
    }

    boolean isIdle() {
        return running.isEmpty() && paused.isEmpty();
    }

    /// Hot.
    void step() {
        long now = System.nanoTime();
        queue.endInterrupted(now);
        endInterrupted(running, now);
        endInterrupted(paused, now);
        admit();
        inPass.clear();
        proposeTrees();
        proposeText();
        batch.clear();
        movePaused();
        for (int i = 0; i < inPass.size(); i++) {
            inPass.get(i).addTo(batch);
        }
        if (!inPass.isEmpty()) {
            runPass();
        }
        removeEnded();
        turn = turn + 1 & 0xffff;
    }

    private void endInterrupted(List<RequestState> requests, long now) {
        for (int i = requests.size() - 1; i >= 0; i--) {
            Finish reason = requests.get(i).interruption(now);
            if (reason != null) {
                end(requests.remove(i), reason, null);
            }
        }
    }

    private void end(RequestState request, Finish reason, RuntimeException cause) {
        Slot freed = request.end(reason, cause);
        if (freed != null) {
            idle.push(freed);
        }
    }

    /// Begins and resumes requests, the first of those that wait first: none overtakes one that has no pages yet.
    private void admit() {
        RequestState next = next();
        while (next != null && makeRoom(next)) {
            if (!paused.remove(next)) {
                queue.remove(next);
                begin(next);
            }
            if (!next.isEnded()) {
                next.resume();
                running.add(next);
            }
            next = next();
        }
        movePaused();
        runningCount = running.size();
    }

    private RequestState next() {
        RequestState next = queue.next(running);
        for (int i = 0; i < paused.size(); i++) {
            if (next == null || paused.get(i).isBefore(next)) {
                next = paused.get(i);
            }
        }
        return next;
    }

    private void begin(RequestState request) {
        Slot slot = idle.isEmpty() ? newSlot.get() : idle.pop();
        try {
            request.begin(slot, draft, executable.limits().treeRows());
        } catch (RuntimeException e) {
            end(request, Finish.FAILED, e);
            return;
        }
        Finish limit = request.limit();
        if (limit != null) {
            end(request, limit, null);
        }
    }

    /// Whether a request can run now: there are fewer than can run at once, and pages for all its text and one more of each that runs. Those of
    /// lower priority give up theirs.
    private boolean makeRoom(RequestState next) {
        while (count() > 0 && !(count() < executable.limits().segments() && hasPages(next))) {
            RequestState last = last();
            if (last.priority() <= next.priority()) {
                return false;
            }
            preempt(last);
        }
        return true;
    }

    private boolean hasPages(RequestState next) {
        int missing = KvPool.pagesFor(next.length() + 1) + count() - pool.freePages();
        return missing <= 0 || missing <= next.cachedPages() || cache.evict(missing - next.cachedPages());
    }

    /// Requests that run and are not preempted in this step.
    private int count() {
        int count = 0;
        for (int i = 0; i < running.size(); i++) {
            count += running.get(i).isActive() ? 1 : 0;
        }
        return count;
    }

    /// The running request that is the first to be preempted: the last of the lowest priority. There is one.
    private RequestState last() {
        RequestState last = null;
        for (int i = 0; i < running.size(); i++) {
            if (running.get(i).isActive() && (last == null || last.isBefore(running.get(i)))) {
                last = running.get(i);
            }
        }
        return last;
    }

    private void preempt(RequestState request) {
        request.pause();
        inPass.remove(request);
        preemptions++;
    }

    private void movePaused() {
        for (int i = running.size() - 1; i >= 0; i--) {
            if (!running.get(i).isEnded() && !running.get(i).isActive()) {
                paused.add(running.remove(i));
            }
        }
    }

    /// Lets the texts that are being decoded propose. One whose proposal found no place in the last pass keeps it, and comes first.
    private void proposeTrees() {
        int decoding = 0;
        for (int i = 0; i < running.size(); i++) {
            decoding += running.get(i).isReading() ? 0 : 1;
        }
        spareRows = executable.limits().logitsRows() - decoding;
        for (int i = 0; i < running.size(); i++) {
            RequestState request = running.get(i);
            if (request.isProposed()) {
                decoding--;
                enter(request);
            }
        }
        for (int i = 0; i < running.size(); i++) {
            RequestState request = running.get((i + turn) % running.size());
            if (request.isActive() && !request.isProposed() && !request.isReading()) {
                int share = request.mayBeNarrower() ? 1 + spareRows / decoding : Integer.MAX_VALUE;
                decoding--;
                propose(request, Math.min(share, request.tokensLeft()));
            }
        }
    }

    /// Shares the rows that are left among the texts that are being read.
    private void proposeText() {
        int left = executable.limits().rows();
        for (int i = 0; i < inPass.size(); i++) {
            left -= inPass.get(i).rows();
        }
        int reading = 0;
        for (int i = 0; i < running.size(); i++) {
            reading += isToRead(running.get(i)) ? 1 : 0;
        }
        for (int i = 0; i < running.size(); i++) {
            RequestState request = running.get((i + turn) % running.size());
            if (isToRead(request)) {
                int share = left / reading--;
                if (share > 0 && propose(request, share)) {
                    left -= request.rows();
                }
            }
        }
    }

    private static boolean isToRead(RequestState request) {
        return request.isActive() && request.isReading();
    }

    /// @return whether its rows are in the pass
    private boolean propose(RequestState request, int maxRows) {
        try {
            request.propose(maxRows);
        } catch (RuntimeException e) {
            end(request, Finish.FAILED, e);
            return false;
        }
        return enter(request);
    }

    /// Takes a proposal into the pass, if there are rows and pages for it.
    private boolean enter(RequestState request) {
        boolean samples = request.slot().segment().samples();
        if (samples && request.rows() - 1 > spareRows || !takePages(request)) {
            return false;
        }
        spareRows -= samples ? request.rows() - 1 : 0;
        inPass.add(request);
        return true;
    }

    private boolean takePages(RequestState request) {
        while (true) {
            try {
                request.reservePages();
                return true;
            } catch (OutOfPagesException e) {
                if (cache.evict(e.needed() - e.free())) {
                    continue;
                }
                RequestState last = last();
                preempt(last);
                if (last == request) {
                    return false;
                }
            }
        }
    }

    private void runPass() {
        try {
            if (batch.samples()) {
                executable.launch(batch);
                duringPass();
                executable.await();
            } else {
                executable.run(batch);
            }
        } catch (RuntimeException e) {
            for (int i = 0; i < inPass.size(); i++) {
                fail(inPass.get(i), e);
            }
            return;
        }
        count(batch);
        for (int i = 0; i < inPass.size(); i++) {
            accept(inPass.get(i), i);
        }
    }

    private void count(Batch run) {
        passes++;
        rows += run.rows();
        segments += run.size();
    }

    private void duringPass() {
        for (int i = 0; i < inPass.size(); i++) {
            inPass.get(i).duringPass();
        }
    }

    private void accept(RequestState request, int index) {
        try {
            Finish finish = request.accept(executable, batch, index);
            if (finish != null) {
                end(request, finish, null);
            }
        } catch (RuntimeException e) {
            fail(request, e);
        }
    }

    private void fail(RequestState request, RuntimeException cause) {
        if (!request.isEnded()) {
            end(request, Finish.FAILED, cause);
        }
    }

    private void removeEnded() {
        for (int i = running.size() - 1; i >= 0; i--) {
            if (running.get(i).isEnded()) {
                running.remove(i);
            }
        }
        runningCount = running.size();
    }

    /// Ends all requests that have a slot.
    ///
    /// @param cause for which the engine ends; null if it was closed
    void endAll(Throwable cause) {
        removeEnded();
        RuntimeException failure = cause == null ? null : new IllegalStateException("the engine has ended: " + cause, cause);
        running.forEach(request -> request.end(Finish.CANCELLED, failure));
        paused.forEach(request -> request.end(Finish.CANCELLED, failure));
        running.clear();
        paused.clear();
    }

    /// Any thread.
    EngineStatistics statistics() {
        return new EngineStatistics(passes, rows, segments, preemptions, queue.size(), runningCount, pool.pages(), pool.freePages(),
                cache.pages());
    }
}
