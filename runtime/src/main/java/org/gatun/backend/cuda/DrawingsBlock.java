package org.gatun.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.gatun.backend.Drawings;
import org.gatun.backend.Pass;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.PinnedBuffer;
import org.gatun.cuda.kernels.VerificationKernels;
import org.gatun.sampling.Draws;
import org.gatun.sampling.Law;

/// What was drawn in a pass, on the device: its drawings and the laws they were drawn from, each law as the tokens that are possible. One
/// copy brings there as much as there is, in whole pages. Also the memory in which the device keeps what is left of the target's law.
final class DrawingsBlock implements AutoCloseable {
    private static final int LEAST_PAGES = 16;
    private static final int PAGE = 1 << 12;

    private final CudaContext context;
    private final int vocabulary;
    private final int[] laws;   // [rows] where a parent's law begins, counted in 64 bits
    private final DeviceBuffer left;
    private PinnedBuffer host;
    private DeviceBuffer device;
    private MemorySegment[] parts; // the first page of the host's, the first two and so on, each made when first copied
    private long size;

    DrawingsBlock(CudaContext context, int rows, int vocabulary) {
        this.context = context;
        this.vocabulary = vocabulary;
        laws = new int[rows];
        left = context.allocate(VerificationKernels.leftBytes(vocabulary));
        try {
            allocate(LEAST_PAGES);
        } catch (Throwable e) {
            left.close();
            throw e;
        }
    }

    private void allocate(int pages) {
        long bytes = (long) pages * PAGE;
        PinnedBuffer larger = context.allocatePinned(bytes);
        try {
            device = context.allocate(bytes);
        } catch (Throwable e) {
            larger.close();
            throw e;
        }
        host = larger;
        parts = new MemorySegment[pages];
    }

    /// Makes room for what was drawn in a pass; the passes before must be done.
    ///
    /// @return whether the drawings are in another place from now on
    /// @throws IllegalArgumentException if a law is not over the vocabulary
    boolean grow(Drawings drawings) {
        drawings.requireVocabulary(vocabulary);
        size = lawsAt(drawings);
        for (int drawing = 0; drawing < drawings.count(); drawing++) {
            if (isFirst(drawings, drawing)) {
                size += (long) Long.BYTES * drawings.law(drawings.parent(drawing)).size();
            }
        }
        if (size <= host.byteSize()) {
            return false;
        }
        PinnedBuffer smallerHost = host;
        DeviceBuffer smallerDevice = device;
        allocate(Math.max(Math.toIntExact(Math.ceilDiv(size, PAGE)), 2 * parts.length));
        smallerHost.close();
        smallerDevice.close();
        return true;
    }

    private static long lawsAt(Drawings drawings) {
        return VerificationKernels.DRAWINGS_HEAD + drawings.count() * VerificationKernels.DRAWING.byteSize();
    }

    private static boolean isFirst(Drawings drawings, int drawing) {
        return drawings.next(drawings.parent(drawing), 0) == drawing;
    }

    /// Takes what was drawn in a pass, for which there must be room; the pass before must be done.
    void write(Pass pass) {
        Drawings drawings = pass.drawings();
        MemorySegment memory = host.memory();
        memory.set(ValueLayout.JAVA_INT, 0, drawings.count());
        long end = lawsAt(drawings);
        for (int drawing = 0; drawing < drawings.count(); drawing++) {
            int parent = drawings.parent(drawing);
            Law law = drawings.law(parent);
            if (isFirst(drawings, drawing)) {
                laws[parent] = Math.toIntExact(end / Long.BYTES);
                law.write(memory, end);
                end += (long) Long.BYTES * law.size();
            }
            int row = drawings.row(drawing);
            VerificationKernels.writeDrawing(memory,
                    VerificationKernels.DRAWINGS_HEAD + drawing * VerificationKernels.DRAWING.byteSize(), parent, row,
                    law.weight(pass.token(row)), law.mass(), laws[parent], law.size(),
                    drawings.draws(parent) == Draws.WITHOUT_REPLACEMENT);
        }
    }

    /// Queues the copy to the device of what was written.
    void upload(CudaStream stream) {
        int last = (int) ((size - 1) / PAGE);
        if (parts[last] == null) {
            parts[last] = host.memory().asSlice(0, (last + 1L) * PAGE);
        }
        stream.copyToDevice(device, 0, parts[last]);
    }

    /// Where the drawings are.
    DeviceSlice drawings() {
        return device.slice();
    }

    DeviceSlice left() {
        return left.slice();
    }

    @Override
    public void close() {
        host.close();
        device.close();
        left.close();
    }
}
