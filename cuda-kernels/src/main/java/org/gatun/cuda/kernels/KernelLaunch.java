package org.gatun.cuda.kernels;

import java.util.Arrays;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.KernelArguments;
import org.gatun.cuda.LaunchConfiguration;

/// A kernel with its operands and its grid: made and checked once, queued as often as wanted.
///
/// @param arguments of this launch alone
public record KernelLaunch(CudaFunction function, LaunchConfiguration configuration, KernelArguments arguments) {
    /// Queues it. Allocates nothing.
    ///
    /// @throws IllegalStateException if a buffer, the library or the stream is closed
    public void on(CudaStream stream) {
        stream.launch(function, configuration, arguments);
    }

    /// Refuses an operand that is smaller than what the kernel will read or write.
    static void check(CudaFunction function, String operand, DeviceSlice slice, int elementBytes, long... shape) {
        long bytes = elementBytes;
        for (long length : shape) {
            if (length < 1) {
                throw new IllegalArgumentException("%s of %s: found a length of %d, expected 1 at least".formatted(operand, function,
                        length));
            }
            bytes = Math.multiplyExact(bytes, length);
        }
        if (slice.byteSize() < bytes) {
            throw new IllegalArgumentException("%s of %s: found %d bytes, expected %d at least for %s of %d bytes each"
                    .formatted(operand, function, slice.byteSize(), bytes, Arrays.toString(shape), elementBytes));
        }
    }

    /// Threads of a block, a whole number of warps, for this much work beside each other.
    static int threads(int work, int max) {
        return Math.min(max, Math.ceilDiv(work, 32) * 32);
    }
}
