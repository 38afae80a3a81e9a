package org.gatun.cuda.simulator;

import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.SafeLayerContract;

class SimulatorSafeLayerTest extends SafeLayerContract {
    @Override
    protected CudaDriver openDriver() {
        return SimulatorDriver.open(SimulatorOptions.defaults());
    }
}
