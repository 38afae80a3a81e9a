package org.gatun.cuda.jcuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Set;
import org.gatun.cuda.CudaException;
import org.gatun.cuda.DriverCallsContract;
import org.junit.jupiter.api.Test;

class JCudaDriverTest extends DriverCallsContract {
    @Override
    protected String driverName() {
        return "jcuda";
    }

    @Override
    protected Set<String> missing() {
        return Set.of("cuDeviceGetDefaultMemPool", "cuFuncGetParamInfo", "cuGraphExecUpdate_v2", "cuMemPoolSetAttribute",
                "cuTensorMapEncodeTiled");
    }

    @Test
    void call_failureWhileJCudaThrows_keepsItsCode() {
        jcuda.driver.JCudaDriver.setExceptionsEnabled(true);
        try {
            CudaException e = assertThrows(CudaException.class, () -> driver.deviceName(7));
            assertEquals("cuDeviceGet: CUDA_ERROR_INVALID_DEVICE (101): device 7: invalid device ordinal", e.getMessage());
            assertEquals("CUDA_ERROR_12345", driver.errorName(12345));
        } finally {
            jcuda.driver.JCudaDriver.setExceptionsEnabled(false);
        }
    }

    @Test
    void hostAllocate_beyondABuffer_isUnsupported() {
        UnsupportedOperationException e = assertThrows(UnsupportedOperationException.class,
                () -> driver.hostAllocate(1L << 31));
        assertEquals("cuMemHostAlloc of 2147483648 bytes: JCuda does not have it; the driver 'cuda' does", e.getMessage());
    }
}
