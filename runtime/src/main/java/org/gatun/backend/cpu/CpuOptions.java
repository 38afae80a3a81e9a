package org.gatun.backend.cpu;

import java.util.Optional;

/// How the cpu backend is set up.
///
/// @param threads that work on a pass, the caller's included
/// @param instructionSet `avx512`, `avx2`, `neon` or `portable`; empty for that of [#INSTRUCTION_SET], or the best that the processor has
public record CpuOptions(int threads, Optional<String> instructionSet) {
    /// Most threads.
    public static final int MAX_THREADS = 256;

    /// The system property that chooses an instruction set where none is asked for.
    public static final String INSTRUCTION_SET = "gatun.cpu.instruction-set";

    /// @throws IllegalArgumentException if the number of threads is not from 1 to [#MAX_THREADS]
    public CpuOptions {
        if (threads < 1 || threads > MAX_THREADS) {
            throw new IllegalArgumentException("threads " + threads + ": expected a number from 1 to " + MAX_THREADS);
        }
    }

    /// So many threads, the best instruction set.
    public static CpuOptions threads(int threads) {
        return new CpuOptions(threads, Optional.empty());
    }
}
