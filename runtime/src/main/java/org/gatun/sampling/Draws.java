package org.gatun.sampling;

/// How several proposals for one place were drawn from a [Law].
public enum Draws {
    /// Each from the same law, so that one token may be drawn several times.
    INDEPENDENT,
    /// Each from the law without those drawn before.
    WITHOUT_REPLACEMENT
}
