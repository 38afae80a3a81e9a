package org.gatun.cuda.kernels;

import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;

/// Whether the tensor cores of a device give a row the same bits when they multiply for four warps as when for one.
///
/// How they align and round the 16 products of a step is documented for neither, so a product whose terms differ much in size is
/// computed by both once and compared. A device that has no kernels of four warps says no.
///
/// Used by any thread.
public final class TileComparison {
    private static final int ROWS = 128;
    private static final int OUTPUTS = 256;
    private static final int INPUTS = 512;
    private static final long SEED = 20261121;

    private final KernelLibrary library;
    private final Listener listener;
    private final Map<WeightType, Boolean> alike = new EnumMap<>(WeightType.class);

    /// Hears of each comparison, once.
    @FunctionalInterface
    public interface Listener {
        /// @param alike whether all bits were the same
        void compared(WeightType type, boolean alike);
    }

    /// @param library of the device, not closed before this is used for the last time
    /// @param listener called by the thread that first asks for a type
    public TileComparison(KernelLibrary library, Listener listener) {
        this.library = library;
        this.listener = listener;
    }

    /// Compares when first asked for a type that the device has kernels of four warps for.
    ///
    /// @throws org.gatun.cuda.CudaException if the device fails
    public synchronized boolean isAlike(WeightType type) {
        Boolean known = alike.get(type);
        if (known == null) {
            boolean comparable = MatmulKernels.hasGroups(library, type);
            known = comparable && compare(type);
            alike.put(type, known);
            if (comparable) {
                listener.compared(type, known);
            }
        }
        return known;
    }

    private boolean compare(WeightType type) {
        CudaContext context = library.context();
        SplittableRandom random = new SplittableRandom(SEED);
        try (DeviceBuffer in = context.allocateFrom(numbers(random, type, ROWS * INPUTS));
                DeviceBuffer weight = context.allocateFrom(
                        type.isTiled() ? tiles(random, type) : numbers(random, type, OUTPUTS * INPUTS));
                DeviceBuffer count = context.allocateFrom(MemorySegment.ofArray(new int[] {ROWS}));
                DeviceBuffer out = context.allocate((long) ROWS * OUTPUTS * Float.BYTES);
                CudaStream stream = context.createStream()) {
            MemorySegment expected = null;
            for (MatmulKernels.Tile tile : type.isTiled() ? List.of(MatmulKernels.Tile.MANY, MatmulKernels.Tile.GROUPED)
                    : List.of(MatmulKernels.Tile.MANY, MatmulKernels.Tile.GROUPED, MatmulKernels.Tile.GROUPED_WIDE)) {
                MatmulKernels.matmul(library, tile, type, out.slice(), in.slice(), weight.slice(), Optional.empty(),
                        new Rows(count.slice(), ROWS), OUTPUTS, INPUTS).on(stream);
                stream.synchronize();
                MemorySegment found = MemorySegment.ofArray(new int[ROWS * OUTPUTS]);
                out.copyTo(found);
                if (expected != null && expected.mismatch(found) >= 0) {
                    return false;
                }
                expected = found;
            }
            return true;
        }
    }

    /// Any codes, with scales that are finite, below 2.
    private static MemorySegment tiles(SplittableRandom random, WeightType type) {
        return MemorySegment.ofArray(
                random.ints(type.byteSize(OUTPUTS, INPUTS) / Integer.BYTES).map(bits -> bits & 0xbfffbfff).toArray());
    }

    /// Numbers of both signs from 2^-8 to 2^8, so that terms are shifted against each other by up to 32 bits and sums cancel.
    private static MemorySegment numbers(SplittableRandom random, WeightType type, int count) {
        int mantissaBits = type == WeightType.F16 ? 10 : 7;
        int bias = type == WeightType.F16 ? 15 : 127;
        short[] numbers = new short[count];
        for (int i = 0; i < count; i++) {
            int exponent = bias + random.nextInt(-8, 8);
            numbers[i] = (short) (random.nextInt(2) << 15 | exponent << mantissaBits | random.nextInt(1 << mantissaBits));
        }
        return MemorySegment.ofArray(numbers);
    }
}
