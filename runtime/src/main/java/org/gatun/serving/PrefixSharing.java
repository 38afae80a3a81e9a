package org.gatun.serving;

/// Whose texts share what they begin with, so that it is read once.
public enum PrefixSharing {
    /// All.
    ALL,
    /// Those of one [key][Request#key], as the time that a first token takes tells what others have asked.
    KEY,
    /// None.
    NONE
}
