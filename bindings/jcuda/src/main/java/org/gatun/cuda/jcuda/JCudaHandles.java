package org.gatun.cuda.jcuda;

import jcuda.driver.CUcontext;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUstream;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;

/// The same memory, contexts and streams as Gatun and as JCuda see them, so that a program may use both on one device.
///
/// Nothing is copied, and nothing changes its owner: what Gatun made, Gatun closes, and JCuda must neither free it nor use it
/// afterwards; what JCuda made, JCuda frees, after Gatun's borrowed object was closed. Both must be of one process, and may be
/// over different drivers: `cuda` and JCuda share the contexts and addresses of the one library. The simulator's are its own.
///
/// Gatun remembers which context it made current. After JCuda has made another one current on a thread, call
/// [CudaContext#use] before the next use of Gatun there.
public final class JCudaHandles {
    private JCudaHandles() {}

    /// A buffer's beginning, for JCuda; valid while the buffer is open.
    ///
    /// @throws IllegalStateException if the buffer is closed
    public static CUdeviceptr pointer(DeviceBuffer buffer) {
        return NativePointers.set(new CUdeviceptr(), buffer.address());
    }

    /// JCuda's memory, for Gatun; JCuda frees it after the buffer was closed.
    ///
    /// @param pointer to memory that the context reaches, its offset included
    /// @throws IllegalArgumentException if the size is not positive
    /// @throws IllegalStateException if the context is closed
    public static DeviceBuffer borrow(CudaContext context, CUdeviceptr pointer, long bytes) {
        return DeviceBuffer.borrowed(context, NativePointers.address(pointer), bytes);
    }

    /// A context, for JCuda; valid while the context is open.
    ///
    /// @throws IllegalStateException if the context is closed
    public static CUcontext context(CudaContext context) {
        return NativePointers.set(new CUcontext(), context.handle());
    }

    /// JCuda's context, for Gatun; JCuda destroys it after this one was closed.
    ///
    /// @param driver over the library that JCuda uses: `cuda` or `jcuda`
    /// @param ordinal of the context's device
    /// @throws IllegalArgumentException if there is no such device
    public static CudaContext borrow(CudaDriver driver, int ordinal, CUcontext context) {
        return CudaContext.borrowed(driver, ordinal, NativePointers.value(context));
    }

    /// A stream, for JCuda; valid while the stream is open.
    ///
    /// @throws IllegalStateException if the stream is closed
    public static CUstream stream(CudaStream stream) {
        return NativePointers.set(new CUstream(), stream.handle());
    }

    /// JCuda's stream, for Gatun; JCuda destroys it after this one was closed.
    ///
    /// @param stream of this context
    /// @throws IllegalStateException if the context is closed
    public static CudaStream borrow(CudaContext context, CUstream stream) {
        return CudaStream.borrowed(context, NativePointers.value(stream));
    }
}
