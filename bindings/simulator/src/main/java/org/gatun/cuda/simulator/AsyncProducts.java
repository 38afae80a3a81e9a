package org.gatun.cuda.simulator;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// The `wgmma` products that a warp ordered and has not waited for, in the order of their groups: which registers and what of shared
/// memory they use, and which registers the warp wrote since its last `wgmma.fence`.
final class AsyncProducts {
    /// What of shared memory a product reads, and the group it belongs to.
    private record Reading(MatrixDescriptor matrix, int first, int lines, int group) {}

    private final List<Reading> readings = new ArrayList<>();
    /// By register: the group of the newest product that writes it, from 1 on; 0 for none.
    private final int[] results;
    /// By register: how many registers that product writes, and which of them it is.
    private final int[] places;
    /// By register: the group of the newest product that reads it, from 1 on; 0 for none.
    private final int[] sources;
    private final boolean[] unfenced;
    private boolean anyFence;
    private int committed;

    AsyncProducts(int registers) {
        results = new int[registers];
        places = new int[registers];
        sources = new int[registers];
        unfenced = new boolean[registers];
    }

    void clear() {
        readings.clear();
        Arrays.fill(results, 0);
        Arrays.fill(sources, 0);
        Arrays.fill(unfenced, false);
        anyFence = false;
        committed = 0;
    }

    void fence() {
        Arrays.fill(unfenced, false);
        anyFence = true;
    }

    void commit() {
        committed++;
    }

    /// Ends the products of all groups but the newest `pending` ones.
    void await(SharedMemory shared, int warp, int pending) {
        int ended = committed - pending;
        for (int i = 0; i < results.length; i++) {
            results[i] = results[i] <= ended ? 0 : results[i];
            sources[i] = sources[i] <= ended ? 0 : sources[i];
        }
        readings.removeIf(each -> {
            if (each.group > ended) {
                return false;
            }
            each.matrix.forChunks(each.first, each.lines, address -> shared.endRead(address, 16, warp));
            return true;
        });
    }

    /// Orders a product; what is wrong with it, null if nothing is.
    ///
    /// @param d registers that it adds to
    /// @param a registers that it reads
    SharedMemory.Finding order(Kernel kernel, int[] d, int[] a) {
        if (!anyFence) {
            return new SharedMemory.Finding(KernelFault.Kind.PRODUCT_NOT_FENCED, "no wgmma.fence came before the first product");
        }
        for (int i = 0; i < d.length; i++) {
            int place = d.length << 16 | i;
            if (sources[d[i]] != 0 || results[d[i]] != 0 && places[d[i]] != place) {
                return underWay(kernel, d[i]);
            }
            places[d[i]] = place;
        }
        for (int each : a) {
            if (results[each] != 0) {
                return underWay(kernel, each);
            }
        }
        for (int[] registers : new int[][] {d, a}) {
            for (int each : registers) {
                if (unfenced[each]) {
                    return new SharedMemory.Finding(KernelFault.Kind.PRODUCT_NOT_FENCED,
                            "register " + kernel.registerName(each) + " was written with no wgmma.fence between");
                }
            }
        }
        for (int each : d) {
            results[each] = committed + 1;
        }
        for (int each : a) {
            sources[each] = committed + 1;
        }
        return null;
    }

    private static SharedMemory.Finding underWay(Kernel kernel, int register) {
        return new SharedMemory.Finding(KernelFault.Kind.PRODUCT_NOT_AWAITED,
                "register " + kernel.registerName(register) + " is in use by a wgmma that was not waited for");
    }

    /// Orders the reading of lines of a matrix; what is wrong with it, null if nothing is.
    SharedMemory.Finding read(SharedMemory shared, int warp, MatrixDescriptor matrix, int first, int lines) {
        SharedMemory.Finding[] finding = new SharedMemory.Finding[1];
        matrix.forChunks(first, lines, address -> {
            if (finding[0] == null) {
                finding[0] = address + 16 > shared.byteSize()
                        ? new SharedMemory.Finding(KernelFault.Kind.OUT_OF_BOUNDS, "a matrix that reaches to %d in shared memory of %d bytes"
                                .formatted(address + 16, shared.byteSize()))
                        : shared.beginRead(address, 16, warp);
            }
        });
        readings.add(new Reading(matrix, first, lines, committed + 1));
        return finding[0];
    }

    /// Another instruction reads and writes registers; what is wrong with that, null if nothing is.
    SharedMemory.Finding touch(Kernel kernel, int[] reads, int[] writes) {
        for (int each : reads) {
            if (results[each] != 0) {
                return underWay(kernel, each);
            }
        }
        for (int each : writes) {
            if (results[each] != 0 || sources[each] != 0) {
                return underWay(kernel, each);
            }
            unfenced[each] = true;
        }
        return null;
    }
}
