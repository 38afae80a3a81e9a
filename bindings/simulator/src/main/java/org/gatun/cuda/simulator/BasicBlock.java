package org.gatun.cuda.simulator;

/// Instructions that are run one after the other, and where it goes from there.
final class BasicBlock {
    /// The number that stands for the end of the kernel.
    static final int END = -1;

    enum Exit {
        /// To [#next], or, where the predicate holds, to [#target].
        BRANCH,
        /// Threads for which the predicate holds end; the others go to [#next].
        RETURN,
        /// All wait; then to [#next].
        BARRIER,
        /// Other warps get their turn; then to [#next].
        YIELD
    }

    /// A barrier at the end.
    interface Stop {
        /// The warp comes to it: whether it must wait.
        boolean stops(Warp warp);
    }

    Operation[] operations;
    /// One an instruction, the exit included.
    InstructionClass[] classes;
    Exit exit = Exit.BRANCH;
    /// Null if it just falls through.
    Ptx.Instruction exitInstruction;
    /// Of the exit's guard; 0 for none.
    int predicate;
    int flip;
    int target = END;
    int next = END;
    /// Of [Exit#BARRIER].
    Stop stop;
    /// Where the paths from here meet again: the immediate post-dominator.
    int reconvergence = END;
    /// The guard's register, where it may not have been written; else 0.
    int trackedPredicate;
}
