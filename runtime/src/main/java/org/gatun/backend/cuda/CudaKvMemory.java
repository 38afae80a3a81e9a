package org.gatun.backend.cuda;

import org.gatun.backend.KvLayout;
import org.gatun.backend.KvPool;
import org.gatun.backend.LayerState.Attention;
import org.gatun.backend.PageTable;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.kernels.KernelLaunch;
import org.gatun.cuda.kernels.KvKernels;
import org.gatun.cuda.kernels.KvLayer;
import org.gatun.cuda.kernels.KvType;
import org.gatun.tensor.DType.Block;
import org.gatun.tensor.DType.Plain;
import org.gatun.tensor.DType.Sparse;

/// Pages on the device, with the stream of everything that is done to them: so a page may go from one sequence to another while a pass
/// over it is under way.
final class CudaKvMemory implements KvPool.Memory {
    private final CudaBackend backend;
    private final KvLayout layout;
    private final int pageBytes;
    private final DeviceResources owned = new DeviceResources();
    private final CudaStream stream;
    private final DeviceBuffer pages;

    /// @throws IllegalArgumentException if there are no kernels for such keys and values
    CudaKvMemory(CudaBackend backend, KvLayout layout, int count) {
        this.backend = backend;
        this.layout = layout;
        Attention first = layout.layers().getFirst();
        if (layout.layers().stream().anyMatch(layer -> layer.kvHeads() != first.kvHeads() || layer.headDim() != first.headDim())) {
            throw new IllegalArgumentException("keys and values of " + layout + ": on CUDA expected the same in all layers");
        }
        pageBytes = KvLayer.pageBytes(type(layout), layout.layers().size(), first.kvHeads(), first.headDim());
        try {
            stream = owned.add(backend.context().createStream());
            pages = owned.add(backend.context().allocate((long) count * pageBytes));
            // What lies beyond a head's elements must be zero, and nothing is read that was never written.
            stream.fill(pages, (byte) 0);
        } catch (Throwable e) {
            owned.close();
            throw e;
        }
    }

    private static KvType type(KvLayout layout) {
        return switch (layout.dtype()) {
            case Plain.F16 -> KvType.F16;
            case Plain.BF16 -> KvType.BF16;
            case Block.Q8_0 -> KvType.Q8_0;
            case Plain _, Block _, Sparse _ -> throw new IllegalArgumentException("KV cache of " + layout.dtype() + ": on CUDA expected F16, BF16 or Q8_0");
        };
    }

    /// A layer of the pages of a sequence.
    ///
    /// @param addresses where those of its pages will be
    /// @param slots there are at most
    static KvLayer layer(KvLayout layout, DeviceSlice addresses, int slots, int number) {
        Attention layer = layout.layers().get(number);
        return new KvLayer(addresses, slots, layer.kvHeads(), layer.headDim(), type(layout), number);
    }

    /// The stream of passes over its pages; only within a use of a page table.
    CudaStream stream() {
        return stream;
    }

    /// The addresses of a sequence's pages on the device, kept as they change.
    final class Addresses implements KvPool.PageList {
        private final DeviceResources owned = new DeviceResources();
        private final int pages;
        private final DeviceBuffer memory;
        private final DeviceBuffer moved; // from, to, count
        private final KernelLaunch move;
        private int changes;

        private Addresses(int pages) {
            this.pages = pages;
            CudaContext context = backend.context();
            try {
                memory = owned.add(context.allocate((long) pages * Long.BYTES));
                moved = owned.add(context.allocate(3 * Integer.BYTES));
                stream.fillWords(moved, 8, 1, 1);
                move = KvKernels.move(backend.library(), layer(layout, memory.slice(), pages * KvPool.PAGE_SLOTS, 0), moved.slice(0, 4),
                        moved.slice(4, 4), moved.slice(8, 4), layout.layers().size());
            } catch (Throwable e) {
                owned.close();
                throw e;
            }
        }

        @Override
        public void set(int index, int page) {
            long address = CudaKvMemory.this.pages.address((long) page * pageBytes);
            stream.fillWords(memory, (long) index * Long.BYTES, 1, (int) address);
            stream.fillWords(memory, (long) index * Long.BYTES + 4, 1, (int) (address >>> 32));
            changes++;
        }

        /// Where they are.
        long address() {
            return memory.address(0);
        }

        DeviceSlice slice() {
            return memory.slice();
        }

        /// Grows with every change.
        int changes() {
            return changes;
        }

        /// Puts the addresses where the launches of an executable expect them, in the order of the stream.
        void copyTo(DeviceBuffer target) {
            stream.copy(target, 0, memory, 0, memory.byteSize());
        }

        @Override
        public void close() {
            try (owned) {
                stream.synchronize();
            }
        }
    }

    @Override
    public Addresses openList(int pages) {
        return new Addresses(pages);
    }

    @Override
    public void copyPage(int from, int to) {
        stream.copy(pages, (long) to * pageBytes, pages, (long) from * pageBytes, pageBytes);
    }

    @Override
    public void move(PageTable table, int from, int to) {
        Addresses addresses = (Addresses) table.list();
        stream.fillWords(addresses.moved, 0, 1, from);
        stream.fillWords(addresses.moved, 4, 1, to);
        addresses.move.on(stream);
    }

    @Override
    public void release() {
        try (owned) {
            stream.synchronize();
        }
    }
}
