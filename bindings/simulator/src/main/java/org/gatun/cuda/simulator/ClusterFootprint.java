package org.gatun.cuda.simulator;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Where in global memory the warps of a cluster went: bytes by buffer, how many of them are distinct, and what L1 has kept.
final class ClusterFootprint {
    private static final int SECTOR = 32;
    private static final int LINE = 128;
    private static final int MAX_BUFFERS = 127;

    /// What was moved from and to a buffer.
    ///
    /// @param bytes moved
    /// @param distinct bytes, in whole sectors
    record Traffic(Allocation buffer, long bytes, long distinct) {}

    private static final class Place {
        final Allocation buffer;
        final Set<Long> sectors = new HashSet<>();
        long bytes;

        Place(Allocation buffer) {
            this.buffer = buffer;
        }
    }

    private final GlobalMemory memory;
    private final List<Place> places = new ArrayList<>();
    /// By block of the cluster: lines that were loaded.
    private final List<Set<Long>> lines = new ArrayList<>();

    ClusterFootprint(GlobalMemory memory, int blocks) {
        this.memory = memory;
        for (int i = 0; i < blocks; i++) {
            lines.add(new HashSet<>());
        }
    }

    /// Notes an access of a warp that moved something; what the trace keeps of it.
    ///
    /// @param moved so far, by [Moved]
    int note(Warp warp, TimedInstruction instruction, int mask, int moved) {
        long[] addresses = warp.addresses;
        Place place = place(memory.find(addresses[Integer.numberOfTrailingZeros(mask)]));
        if (place == null) {
            return moved;
        }
        Set<Long> known = lines.get(warp.block.rank);
        boolean near = true;
        for (int m = mask; m != 0; m &= m - 1) {
            long address = addresses[Integer.numberOfTrailingZeros(m)];
            for (long at = address / SECTOR; at <= (address + instruction.accessBytes() - 1) / SECTOR; at++) {
                place.sectors.add(at);
            }
            near &= known.contains(address / LINE);
        }
        near &= instruction.isCached();
        place.bytes += near ? 0 : (long) Moved.sectors(moved) * SECTOR;
        if (instruction.isCached()) {
            for (int m = mask; m != 0; m &= m - 1) {
                known.add(addresses[Integer.numberOfTrailingZeros(m)] / LINE);
            }
        }
        return Moved.at(moved, number(place), near);
    }

    /// Notes a bulk copy; the number of the buffer.
    int noteBulk(long address, int bytes) {
        Place place = place(memory.find(address));
        if (place == null) {
            return 0;
        }
        for (long at = address / SECTOR; at <= (address + bytes - 1) / SECTOR; at++) {
            place.sectors.add(at);
        }
        place.bytes += bytes;
        return number(place);
    }

    private Place place(Allocation buffer) {
        if (buffer == null) {
            return null;
        }
        for (Place each : places) {
            if (each.buffer == buffer) {
                return each;
            }
        }
        Place place = new Place(buffer);
        places.add(place);
        return place;
    }

    private int number(Place place) {
        return Math.min(MAX_BUFFERS, places.indexOf(place));
    }

    /// By number of the buffer.
    List<Traffic> traffic() {
        return places.stream().map(place -> new Traffic(place.buffer, place.bytes, (long) place.sectors.size() * SECTOR)).toList();
    }
}
