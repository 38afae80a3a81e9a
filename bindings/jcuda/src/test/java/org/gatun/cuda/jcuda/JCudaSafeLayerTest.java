package org.gatun.cuda.jcuda;

import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.CudaDrivers;
import org.gatun.cuda.CudaStub;
import org.gatun.cuda.SafeLayerContract;

class JCudaSafeLayerTest extends SafeLayerContract {
    @Override
    protected CudaDriver openDriver() {
        CudaStub.load();
        return CudaDrivers.open("jcuda");
    }

    @Override
    protected boolean updatesGraphs() {
        return false;
    }
}
