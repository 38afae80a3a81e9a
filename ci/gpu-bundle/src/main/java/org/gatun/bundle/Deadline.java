package org.gatun.bundle;

import java.time.Duration;
import java.time.Instant;

/// When something must have ended.
record Deadline(Instant end) {
    static Deadline in(Duration time) {
        return new Deadline(Instant.now().plus(time));
    }

    /// A part of the time that is left.
    Deadline part(double part) {
        return in(Duration.ofMillis((long) (left().toMillis() * part)));
    }

    boolean isOver() {
        return Instant.now().isAfter(end);
    }

    Duration left() {
        Duration left = Duration.between(Instant.now(), end);
        return left.isNegative() ? Duration.ZERO : left;
    }
}
