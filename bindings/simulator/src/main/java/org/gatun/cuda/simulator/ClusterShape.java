package org.gatun.cuda.simulator;

/// Blocks of a cluster along each axis of the grid.
record ClusterShape(int x, int y, int z) {
    static final ClusterShape BLOCK = new ClusterShape(1, 1, 1);
    /// What every device that has clusters runs.
    static final int MAX_BLOCKS = 8;

    int blocks() {
        return Math.multiplyExact(Math.multiplyExact(x, y), z);
    }

    @Override
    public String toString() {
        return x + " x " + y + " x " + z;
    }
}
