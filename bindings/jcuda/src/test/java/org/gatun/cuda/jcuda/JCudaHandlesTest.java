package org.gatun.cuda.jcuda;

import static jcuda.driver.JCudaDriver.cuCtxGetCurrent;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import jcuda.driver.CUcontext;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUstream;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaDrivers;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.CudaStub;
import org.gatun.cuda.DeviceBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/// Handles go through JCuda's objects and back unchanged, and what is borrowed is left to its owner, with either driver below
/// Gatun.
@ParameterizedClass
@ValueSource(strings = {"cuda", "jcuda"})
class JCudaHandlesTest {
    private final String driver;
    private CudaStub stub;
    private CudaContext context;

    JCudaHandlesTest(String driver) {
        this.driver = driver;
    }

    /// Before all, so that nothing is torn down where there is no stub.
    @BeforeAll
    static void loadStub() {
        CudaStub.load();
    }

    @BeforeEach
    void open() {
        stub = CudaStub.load();
        context = CudaContext.open(CudaDrivers.open(driver), 0);
        stub.reset();
    }

    @AfterEach
    void close() {
        context.close();
        assertEquals(0, stub.live());
    }

    @Test
    void buffer_toJCudaAndBack_hasItsAddress() {
        DeviceBuffer buffer = context.allocate(64);
        CUdeviceptr pointer = JCudaHandles.pointer(buffer);
        assertEquals("CUdeviceptr[nativePointer=0x%x,byteOffset=0]".formatted(buffer.address()), pointer.toString());
        DeviceBuffer borrowed = JCudaHandles.borrow(context, pointer.withByteOffset(16).withByteOffset(8), 40);
        assertEquals(buffer.address() + 24, borrowed.address());
        assertEquals(40, borrowed.byteSize());
        borrowed.close();
        assertFalse(borrowed.isOpen());
        assertEquals(0, stub.calls("cuMemFree_v2").size());
        buffer.close();
        assertEquals(1, stub.calls("cuMemFree_v2").size());
        assertThrows(IllegalStateException.class, () -> JCudaHandles.pointer(buffer));
    }

    @Test
    void stream_toJCudaAndBack_hasItsHandle() {
        CudaStream stream = context.createStream();
        CUstream handle = JCudaHandles.stream(stream);
        assertEquals("CUstream[nativePointer=0x%x]".formatted(stream.handle()), handle.toString());
        CudaStream borrowed = JCudaHandles.borrow(context, handle);
        assertEquals(stream.handle(), borrowed.handle());
        borrowed.close();
        assertEquals(0, stub.calls("cuStreamDestroy_v2").size());
        stream.close();
        assertThrows(IllegalStateException.class, () -> JCudaHandles.stream(stream));
        try (CudaStream ofTheContext = JCudaHandles.borrow(context, new CUstream())) {
            assertEquals(0, ofTheContext.handle());
        }
    }

    @Test
    void context_toJCudaAndBack_isTheSame() {
        context.use();
        CUcontext current = new CUcontext();
        assertEquals(0, cuCtxGetCurrent(current));
        assertEquals(current, JCudaHandles.context(context));
        CudaContext borrowed = JCudaHandles.borrow(context.driver(), 0, current);
        assertEquals(context.handle(), borrowed.handle());
        DeviceBuffer made = borrowed.allocate(16);
        borrowed.close();
        assertFalse(made.isOpen());
        assertEquals(0, stub.calls("cuDevicePrimaryCtxRelease_v2").size());
        assertThrows(IllegalStateException.class, () -> JCudaHandles.context(borrowed));
    }

    @Test
    void borrow_contextClosed_throws() {
        CudaContext other = CudaContext.open(context.driver(), 0);
        other.close();
        assertThrows(IllegalStateException.class, () -> JCudaHandles.borrow(other, new CUstream()));
        assertThrows(IllegalStateException.class, () -> JCudaHandles.borrow(other, new CUdeviceptr(), 1));
        assertThrows(IllegalArgumentException.class, () -> JCudaHandles.borrow(context, new CUdeviceptr(), 0));
    }
}
