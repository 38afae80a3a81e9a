package org.gatun.cuda;

/// How the driver compiles PTX.
///
/// @param optimizationLevel 0 to 4
/// @param maxRegisters a thread may use; 0 for no limit
/// @param lineInfo whether tools are to see source lines
public record JitOptions(int optimizationLevel, int maxRegisters, boolean lineInfo) {
    /// The driver's own: level 4, no limit.
    public static final JitOptions DEFAULT = new JitOptions(4, 0, false);

    public JitOptions {
        if (optimizationLevel < 0 || optimizationLevel > 4) {
            throw new IllegalArgumentException("optimization level " + optimizationLevel + ": expected 0 to 4");
        }
        if (maxRegisters < 0) {
            throw new IllegalArgumentException("at most " + maxRegisters + " registers: expected 0 or more");
        }
    }
}
