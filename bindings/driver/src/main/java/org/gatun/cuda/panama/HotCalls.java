package org.gatun.cuda.panama;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import org.gatun.cuda.bindings.Cuda;

/// The driver's calls of a step, with handles as the `long`s they are: the generated ones want a [MemorySegment] for each, which is
/// allocated wherever a compiler does not inline all of it away. Pointers to memory of the host are segments here too, as these say
/// whether they may be read. All answer the driver's code.
///
/// Made when first used, when the library is loaded.
final class HotCalls {
    private static final MethodHandle GRAPH_LAUNCH = of(Cuda.cuGraphLaunch$address(), Cuda.cuGraphLaunch$descriptor(), 0, 1);
    private static final MethodHandle LAUNCH_KERNEL = of(Cuda.cuLaunchKernel$address(), Cuda.cuLaunchKernel$descriptor(), 0, 8);
    private static final MethodHandle COPY_TO_DEVICE = of(Cuda.cuMemcpyHtoDAsync_v2$address(),
            Cuda.cuMemcpyHtoDAsync_v2$descriptor(), 3);
    private static final MethodHandle COPY_TO_HOST = of(Cuda.cuMemcpyDtoHAsync_v2$address(),
            Cuda.cuMemcpyDtoHAsync_v2$descriptor(), 3);
    private static final MethodHandle COPY_ON_DEVICE = of(Cuda.cuMemcpyDtoDAsync_v2$address(),
            Cuda.cuMemcpyDtoDAsync_v2$descriptor(), 3);
    private static final MethodHandle FILL_WORDS = of(Cuda.cuMemsetD32Async$address(), Cuda.cuMemsetD32Async$descriptor(), 3);
    private static final MethodHandle STREAM_SYNCHRONIZE = of(Cuda.cuStreamSynchronize$address(),
            Cuda.cuStreamSynchronize$descriptor(), 0);
    private static final MethodHandle STREAM_WAIT_EVENT = of(Cuda.cuStreamWaitEvent$address(), Cuda.cuStreamWaitEvent$descriptor(), 0, 1);
    private static final MethodHandle EVENT_RECORD = of(Cuda.cuEventRecord$address(), Cuda.cuEventRecord$descriptor(), 0, 1);
    private static final MethodHandle EVENT_SYNCHRONIZE = of(Cuda.cuEventSynchronize$address(), Cuda.cuEventSynchronize$descriptor(), 0);

    private HotCalls() {}

    /// @param handles which of the parameters are handles
    private static MethodHandle of(MemorySegment address, FunctionDescriptor generated, int... handles) {
        MemoryLayout[] parameters = generated.argumentLayouts().toArray(MemoryLayout[]::new);
        for (int handle : handles) {
            parameters[handle] = ValueLayout.JAVA_LONG;
        }
        return Linker.nativeLinker().downcallHandle(address,
                FunctionDescriptor.of(generated.returnLayout().orElseThrow(), parameters));
    }

    static int graphLaunch(long executable, long stream) {
        try {
            return (int) GRAPH_LAUNCH.invokeExact(executable, stream);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    static int launchKernel(long function, int gridX, int gridY, int gridZ, int blockX, int blockY, int blockZ,
            int dynamicSharedBytes, long stream, MemorySegment arguments) {
        try {
            return (int) LAUNCH_KERNEL.invokeExact(function, gridX, gridY, gridZ, blockX, blockY, blockZ, dynamicSharedBytes, stream,
                    arguments, MemorySegment.NULL);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    static int copyToDevice(long target, MemorySegment source, long stream) {
        try {
            return (int) COPY_TO_DEVICE.invokeExact(target, source, source.byteSize(), stream);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    static int copyToHost(MemorySegment target, long source, long stream) {
        try {
            return (int) COPY_TO_HOST.invokeExact(target, source, target.byteSize(), stream);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    static int copyOnDevice(long target, long source, long bytes, long stream) {
        try {
            return (int) COPY_ON_DEVICE.invokeExact(target, source, bytes, stream);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    static int fillWords(long target, int value, long count, long stream) {
        try {
            return (int) FILL_WORDS.invokeExact(target, value, count, stream);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    static int streamSynchronize(long stream) {
        try {
            return (int) STREAM_SYNCHRONIZE.invokeExact(stream);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    static int streamWaitEvent(long stream, long event) {
        try {
            return (int) STREAM_WAIT_EVENT.invokeExact(stream, event, 0);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    static int eventRecord(long event, long stream) {
        try {
            return (int) EVENT_RECORD.invokeExact(event, stream);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    static int eventSynchronize(long event) {
        try {
            return (int) EVENT_SYNCHRONIZE.invokeExact(event);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    /// What a handle throws: of a segment that is closed, say. No call throws a checked exception.
    private static RuntimeException unchecked(Throwable thrown) {
        return switch (thrown) {
            case Error error -> throw error;
            case RuntimeException exception -> exception;
            default -> throw new AssertionError(thrown);
        };
    }
}
