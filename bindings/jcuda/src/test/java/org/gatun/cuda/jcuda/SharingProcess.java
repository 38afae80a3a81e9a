package org.gatun.cuda.jcuda;

import static jcuda.driver.JCudaDriver.cuCtxSetCurrent;
import static jcuda.driver.JCudaDriver.cuCtxSynchronize;
import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemFree;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoH;
import static jcuda.driver.JCudaDriver.cuMemcpyHtoD;
import static jcuda.driver.JCudaDriver.cuMemsetD32Async;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.CudaDriverProvider.Probe;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.panama.PanamaDriverProvider;

/// What [SharingTest] runs: one allocation, written and read by Gatun through Panama and by JCuda.
final class SharingProcess {
    private SharingProcess() {}

    /// Prints what each side read.
    public static void main(String[] arguments) {
        if (!(new PanamaDriverProvider().probe() instanceof Probe.Found(CudaDriver driver))
                || !(new JCudaDriverProvider().probe() instanceof Probe.Found)) {
            System.out.println("absent");
            return;
        }
        try (CudaContext context = CudaContext.open(driver, 0); CudaStream stream = context.createStream()) {
            check(cuCtxSetCurrent(JCudaHandles.context(context)));
            DeviceBuffer ours = context.allocateFrom(MemorySegment.ofArray(new int[] {1, 2, 3, 4}));
            CUdeviceptr pointer = JCudaHandles.pointer(ours);
            // A small copy may return before it is done, and the stream does not wait for it.
            context.synchronize();
            check(cuMemsetD32Async(pointer.withByteOffset(8), 7, 1, JCudaHandles.stream(stream)));
            stream.synchronize();
            System.out.println("JCuda reads " + Arrays.toString(read(pointer, 4)) + ", Gatun " + Arrays.toString(read(ours)));

            CUdeviceptr theirs = new CUdeviceptr();
            check(cuMemAlloc(theirs, 16));
            check(cuMemcpyHtoD(theirs, Pointer.to(new int[] {5, 6, 7, 8}), 16));
            check(cuCtxSynchronize());
            try (DeviceBuffer borrowed = JCudaHandles.borrow(context, theirs.withByteOffset(4), 12)) {
                stream.fillWords(borrowed, 8, 1, 9);
                stream.synchronize();
                System.out.println("JCuda reads " + Arrays.toString(read(theirs, 4)) + ", Gatun "
                        + Arrays.toString(read(borrowed)));
            }
            check(cuMemFree(theirs));
        }
        System.out.println("closed");
    }

    private static int[] read(CUdeviceptr source, int count) {
        int[] found = new int[count];
        check(cuMemcpyDtoH(Pointer.to(found), source, 4L * count));
        return found;
    }

    private static int[] read(DeviceBuffer source) {
        int[] found = new int[(int) (source.byteSize() / Integer.BYTES)];
        source.copyTo(MemorySegment.ofArray(found));
        return found;
    }

    private static void check(int code) {
        if (code != 0) {
            throw new AssertionError("JCuda answered " + code);
        }
    }
}
