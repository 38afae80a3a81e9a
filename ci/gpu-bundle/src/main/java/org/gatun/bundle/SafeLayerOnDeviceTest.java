package org.gatun.bundle;

import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.SafeLayerContract;
import org.gatun.cuda.TestDriver;
import org.junit.jupiter.api.Tag;

@Tag("gpu")
class SafeLayerOnDeviceTest extends SafeLayerContract {
    @Override
    protected CudaDriver openDriver() {
        return TestDriver.open();
    }
}
