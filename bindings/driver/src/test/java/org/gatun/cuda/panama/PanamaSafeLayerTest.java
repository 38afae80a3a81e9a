package org.gatun.cuda.panama;

import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.CudaDrivers;
import org.gatun.cuda.CudaStub;
import org.gatun.cuda.SafeLayerContract;
import org.junit.jupiter.api.BeforeAll;

class PanamaSafeLayerTest extends SafeLayerContract {
    /// Before all, so that nothing is torn down where there is no stub.
    @BeforeAll
    static void loadStub() {
        CudaStub.load();
    }

    @Override
    protected CudaDriver openDriver() {
        return CudaDrivers.open("cuda");
    }
}
