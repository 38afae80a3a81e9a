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
        return other.slots() == slots && serves(other.pool().layout());
    }

    /// Whether keys and values are laid out as in the tables that are served. Hot.
    boolean serves(KvLayout other) {
        return other == layout || other.equals(layout);
    }

    /// Slots of the tables that are served.
    int slots() {
        return slots;
    }

    /// Serves tables of a shape from now on, at another place, which no graph knows.
    void reshape(KvLayout served, int servedSlots) {
        close();
        addresses = context.allocate((long) KvLayer.pageCount(servedSlots) * Long.BYTES);
        layout = served;
        slots = servedSlots;
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

    /// The first layer of a table whose graphs need not know where it is.
    KvLayer firstLayer(PageTable of) {
        return CudaKvMemory.layer(layout, ((CudaKvMemory.Addresses) of.list()).slice(), of.slots(), 0);
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
