package org.gatun.cli;

import java.time.Duration;

/// Says on standard error how far something is, once it takes more than a second: on a terminal in one line that is
/// overwritten and in the end removed, elsewhere in a line every ten seconds.
///
/// Closed by whoever started it; closing twice is harmless.
final class Progress implements AutoCloseable {
    private static final Duration FIRST = Duration.ofSeconds(1);
    private static final Duration BETWEEN = Duration.ofMillis(250);
    private static final Duration BETWEEN_LINES = Duration.ofSeconds(10);
    private static final String ERASE_LINE = "\r\u001b[K";

    private final Console console;
    private final String what;
    private final long total;
    private final Thread thread;
    private volatile long done;

    /// Starts on something whose steps cannot be counted.
    ///
    /// @param what is being done, as "reading the prompt"
    Progress(Console console, String what) {
        this(console, what, 0);
    }

    /// Starts on something.
    ///
    /// @param what is being done, as "writing"
    /// @param total steps, 0 if not known
    Progress(Console console, String what, long total) {
        this.console = console;
        this.what = what;
        this.total = total;
        thread = Thread.ofPlatform().daemon().name("progress").start(this::show);
    }

    /// Says that so many steps are done.
    void at(long steps) {
        done = steps;
    }

    private void show() {
        try {
            Thread.sleep(FIRST);
            while (true) {
                String line = "gatun: " + what + (total > 0 && done > 0 ? " %d %%".formatted(100 * done / total) : " ...");
                if (console.interactive()) {
                    console.err().print(ERASE_LINE + Console.visible(line)); // it names files
                    console.err().flush();
                } else {
                    console.note(line);
                }
                Thread.sleep(console.interactive() ? BETWEEN : BETWEEN_LINES);
            }
        } catch (InterruptedException _) {
            if (console.interactive()) {
                console.err().print(ERASE_LINE);
                console.err().flush();
            }
        }
    }

    @Override
    public void close() {
        thread.interrupt();
        try {
            thread.join();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }
}
