package org.gatun.backend.cuda;

import org.gatun.backend.KvLayout;
import org.gatun.backend.PageTable;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.kernels.KvLayer;

/// Where graphs look for the addresses of a sequence's pages: at one place, at which the page tables of a shape take turns.
final class AttachedPages implements AutoCloseable {
    private final CudaContext context;
    private KvLayout layout; // of the page tables that the graphs serve
    private int slots;
    private DeviceBuffer addresses;
    private PageTable table; // whose they are
    private int changes;

    AttachedPages(CudaContext context) {
        this.context = context;
    }

    /// Whether a table has the shape that is served. Hot.
    boolean serves(PageTable other) {
        KvLayout its = other.pool().layout();
        return other.slots() == slots && (its == layout || its.equals(layout));
    }

    /// Serves tables of this one's shape from now on, at another place, which no graph knows.
    void reshape(PageTable like) {
        close();
        addresses = context.allocate((long) KvLayer.pageCount(like.slots()) * Long.BYTES);
        layout = like.pool().layout();
        slots = like.slots();
    }

    /// Whether the addresses are those of a table.
    boolean isOf(PageTable other) {
        return table == other;
    }

    /// Lets the graphs work on the pages of a table from now on; they must be done with those of another. Hot.
    void attach(PageTable next) {
        CudaKvMemory.Addresses its = (CudaKvMemory.Addresses) next.list();
        if (table != next || changes != its.changes()) {
            its.copyTo(addresses);
            table = next;
            changes = its.changes();
        }
    }

    /// Of the device.
    long address() {
        return addresses.address(0);
    }

    KvLayer layer(int number) {
        return CudaKvMemory.layer(layout, addresses.slice(), slots, number);
    }

    int layers() {
        return layout.layers().size();
    }

    @Override
    public void close() {
        if (addresses != null) {
            addresses.close();
            addresses = null;
            layout = null;
            table = null;
        }
    }
}
