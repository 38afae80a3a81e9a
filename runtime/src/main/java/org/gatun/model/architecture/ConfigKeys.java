package org.gatun.model.architecture;

import org.gatun.format.FormatException;

/// The keys of `config.json`, for what an architecture has of its own. A key that is asked for is noted as read; a key that nobody asks for
/// is refused or listed, so none must be asked for that is not heeded.
public interface ConfigKeys {

    /// A whole number.
    ///
    /// @throws FormatException if it is none
    int integer(String key, int standard) throws FormatException;

    /// A truth value.
    ///
    /// @throws FormatException if it is none
    boolean bool(String key, boolean standard) throws FormatException;

    /// Whether a key is there, and not `null`; not noted as read.
    boolean has(String key);

    /// Says something once.
    void warn(String key, String message);
}
