package org.gatun.constraint;

/// Thrown where a JSON Schema asks for what cannot be enforced: rather than text that may be invalid, none is promised.
public final class UnsupportedSchemaException extends IllegalArgumentException {
    private static final long serialVersionUID = 1;

    private final String keyword;
    private final String pointer;

    /// @param remedy what to do, behind a semicolon
    UnsupportedSchemaException(String keyword, String pointer, String reason, String remedy) {
        super("JSON Schema: " + keyword + " at " + (pointer.isEmpty() ? "the root" : pointer) + " cannot be enforced: " + reason + "; " + remedy);
        this.keyword = keyword;
        this.pointer = pointer;
    }

    /// The keyword.
    public String keyword() {
        return keyword;
    }

    /// JSON pointer to the schema that has it.
    public String pointer() {
        return pointer;
    }
}
