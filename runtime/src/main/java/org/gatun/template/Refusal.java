package org.gatun.template;

/// Why a template cannot go on. [Template] turns it into what callers see.
final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private static final int NOWHERE = 0;

    private final int line;
    private final boolean isRaised;

    private Refusal(String message, int line, boolean isRaised) {
        super(message, null, false, false);
        this.line = line;
        this.isRaised = isRaised;
    }

    /// A template that does what cannot be done.
    Refusal(String message) {
        this(message, NOWHERE, false);
    }

    /// A template that says no.
    static Refusal raisedByTemplate(String message) {
        return new Refusal(message, NOWHERE, true);
    }

    /// The same, on a line, unless it has one.
    Refusal at(int line) {
        return this.line == NOWHERE ? new Refusal(getMessage(), line, isRaised) : this;
    }

    /// What the caller reads: what the template raises is in its own words.
    String report() {
        return isRaised || line == NOWHERE ? getMessage() : "line " + line + ": " + getMessage();
    }
}
