package org.gatun.constraint;

import java.util.Objects;

/// How the documents of a JSON Schema are written.
///
/// @param order of an object's declared properties
/// @param whitespace between the parts of a document
public record SchemaOptions(PropertyOrder order, Whitespace whitespace) {
    /// Declared order, white space as the model likes.
    public static final SchemaOptions STANDARD = new SchemaOptions(PropertyOrder.DECLARED, Whitespace.FLEXIBLE);

    /// In which order an object's declared properties are written.
    public enum PropertyOrder {
        /// As the schema lists them, others behind: what a model finds easiest to follow.
        DECLARED,
        /// In any, up to 58 properties, 40 where they are counted; objects of more are written in declared order.
        ANY
    }

    /// White space between the parts of a document; there is none before it and behind it.
    public enum Whitespace {
        /// As JSON has it, 64 characters in a row at most.
        FLEXIBLE,
        /// None.
        COMPACT
    }

    /// Checks that nothing is missing.
    public SchemaOptions {
        Objects.requireNonNull(order);
        Objects.requireNonNull(whitespace);
    }

    /// The same, in another order.
    public SchemaOptions withOrder(PropertyOrder other) {
        return new SchemaOptions(other, whitespace);
    }

    /// The same, with other white space.
    public SchemaOptions withWhitespace(Whitespace other) {
        return new SchemaOptions(order, other);
    }
}
