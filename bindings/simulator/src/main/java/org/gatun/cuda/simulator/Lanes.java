package org.gatun.cuda.simulator;

/// One arithmetic operation on all lanes of a warp.
///
/// It computes all 32, whether their threads are active or not, so it never throws; it allocates nothing.
@FunctionalInterface
interface Lanes {
    /// @param destination the register's array, as [Registers] has it
    /// @param a the first source; null if there is none, as the others
    void apply(Object destination, Object a, Object b, Object c, Object e);
}
