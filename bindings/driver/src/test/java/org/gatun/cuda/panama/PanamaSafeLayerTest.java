package org.gatun.cuda.panama;

import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.CudaDrivers;
import org.gatun.cuda.CudaStub;
import org.gatun.cuda.SafeLayerContract;

class PanamaSafeLayerTest extends SafeLayerContract {
    @Override
    protected CudaDriver openDriver() {
        CudaStub.load();
        return CudaDrivers.open("cuda");
    }
}
