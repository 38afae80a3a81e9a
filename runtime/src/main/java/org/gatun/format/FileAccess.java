package org.gatun.format;

/// How the files of a model are read.
public enum FileAccess {
    /// Mapped into memory, page by page as they are needed; pages that were read are the system's to give to others.
    MAPPED,
    /// Read into memory of the process as a whole: for file systems that cannot map, or that are slow at it.
    READ
}
