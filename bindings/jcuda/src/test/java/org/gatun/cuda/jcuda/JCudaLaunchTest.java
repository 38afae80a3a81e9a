package org.gatun.cuda.jcuda;

import org.gatun.cuda.LaunchContract;

class JCudaLaunchTest extends LaunchContract {
    @Override
    protected String driverName() {
        return "jcuda";
    }

    @Override
    protected boolean launchesEx() {
        return false;
    }
}
