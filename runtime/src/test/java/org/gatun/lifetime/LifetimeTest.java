package org.gatun.lifetime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class LifetimeTest {
    private final List<String> freed = Collections.synchronizedList(new ArrayList<>());
    private final Lifetime lifetime = new Lifetime("thing", () -> freed.add("thing"));

    @Test
    void enter_afterClose_namesTheThing() {
        lifetime.close();

        assertEquals("thing is closed", assertThrows(IllegalStateException.class, lifetime::enter).getMessage());
        assertEquals("thing is closed", assertThrows(IllegalStateException.class, lifetime::enterInTurn).getMessage());
        assertFalse(lifetime.tryEnterInTurn());
        assertFalse(lifetime.isOpen());
    }

    @Test
    void close_twice_freesOnce() {
        lifetime.close();
        lifetime.close();

        assertEquals(List.of("thing"), freed);
    }

    @Test
    void close_useOfAnotherThread_waitsForItsEnd() throws InterruptedException {
        CountDownLatch entered = new CountDownLatch(1);
        CountDownLatch closing = new CountDownLatch(1);
        Thread user = Thread.ofVirtual().start(() -> {
            lifetime.enter();
            entered.countDown();
            await(closing);
            pause(); // the closer should wait by now; if it is late, the test still holds
            lifetime.enter(); // within a use: goes on
            lifetime.leave();
            freed.add("end of use");
            lifetime.leave();
        });
        entered.await();
        closing.countDown();
        lifetime.close();
        user.join();

        assertEquals(List.of("end of use", "thing"), freed);
    }

    @Test
    void close_interruptedThread_waitsAndStaysInterrupted() throws InterruptedException {
        CountDownLatch entered = new CountDownLatch(1);
        AtomicBoolean interrupted = new AtomicBoolean();
        Thread user = Thread.ofPlatform().start(() -> {
            lifetime.enter();
            entered.countDown();
            pause();
            freed.add("end of use");
            lifetime.leave();
        });
        entered.await();
        Thread closer = Thread.ofPlatform().start(() -> {
            Thread.currentThread().interrupt();
            lifetime.close();
            interrupted.set(Thread.currentThread().isInterrupted());
        });
        closer.join();
        user.join();

        assertEquals(List.of("end of use", "thing"), freed);
        assertTrue(interrupted.get());
    }

    @Test
    void close_withinAUse_freesAtTheEndOfTheOutermost() {
        lifetime.enter();
        lifetime.enter();
        lifetime.close();
        lifetime.leave();
        assertEquals(List.of(), freed);

        lifetime.leave();
        assertEquals(List.of("thing"), freed);
    }

    @Test
    void close_withinAUseAndByAnotherThread_freesOnceAndBothReturn() throws InterruptedException {
        lifetime.enter();
        lifetime.close();
        Thread other = Thread.ofVirtual().start(lifetime::close);
        pause();
        assertEquals(List.of(), freed);
        lifetime.leave();
        other.join();

        assertEquals(List.of("thing"), freed);
    }

    @Test
    void close_whileAnotherThreadFrees_waitsForIt() throws InterruptedException {
        CountDownLatch freeing = new CountDownLatch(1);
        Lifetime slow = new Lifetime("slow", () -> {
            freeing.countDown();
            pause();
            freed.add("slow");
        });
        Thread first = Thread.ofPlatform().start(slow::close);
        freeing.await();
        Thread.currentThread().interrupt();
        slow.close();

        assertEquals(List.of("slow"), freed);
        assertTrue(Thread.interrupted());
        first.join();
    }

    @Test
    void close_whileItFrees_bySameThread_returns() {
        Lifetime[] self = new Lifetime[1];
        self[0] = new Lifetime("self", () -> {
            self[0].close();
            freed.add("self");
        });
        self[0].close();

        assertEquals(List.of("self"), freed);
    }

    @Test
    void enter_otherThreadsUse_isRefusedAndInTurnWaits() throws InterruptedException {
        lifetime.enter();
        AtomicBoolean refused = new AtomicBoolean();
        CountDownLatch tried = new CountDownLatch(1);
        Thread other = Thread.ofPlatform().start(() -> {
            refused.set(assertThrows(IllegalStateException.class, lifetime::enter).getMessage().contains("in use by another thread"));
            tried.countDown();
            lifetime.enterInTurn();
            freed.add("second use");
            lifetime.leave();
        });
        tried.await();
        freed.add("end of first use");
        lifetime.leave();
        other.join();

        assertTrue(refused.get());
        assertEquals(List.of("end of first use", "second use"), freed);
    }

    @Test
    void close_adoptedChildren_areClosedBeforeIt_youngestFirst() {
        lifetime.enter();
        lifetime.adopt(() -> freed.add("first"));
        AutoCloseable gone = () -> freed.add("gone");
        lifetime.adopt(gone);
        lifetime.adopt(() -> freed.add("third"));
        lifetime.disown(gone);
        lifetime.leave();

        lifetime.close();

        assertEquals(List.of("third", "first", "thing"), freed);
    }

    @Test
    void close_childThatFails_freesTheRestAndThrows() {
        lifetime.adopt(() -> freed.add("first"));
        lifetime.adopt(() -> {
            throw new IllegalStateException("second");
        });

        assertEquals("second", assertThrows(IllegalStateException.class, lifetime::close).getMessage());
        assertEquals(List.of("first", "thing"), freed);
        lifetime.close(); // and nobody waits for ever
    }

    @Test
    void close_againstManyUses_neverFreesWithinOne() throws InterruptedException {
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger wrong = new AtomicInteger();
        for (int round = 0; round < 200; round++) {
            Lifetime shared = new Lifetime("shared", () -> wrong.addAndGet(inside.get()));
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                threads.add((i % 2 == 0 ? Thread.ofPlatform() : Thread.ofVirtual()).start(() -> {
                    while (shared.tryEnterInTurn()) {
                        inside.incrementAndGet();
                        Thread.yield();
                        inside.decrementAndGet();
                        shared.leave();
                    }
                }));
            }
            Thread.yield();
            shared.close();
            for (Thread thread : threads) {
                thread.join();
            }
        }
        assertEquals(0, wrong.get());
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static void pause() {
        try {
            Thread.sleep(30);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
