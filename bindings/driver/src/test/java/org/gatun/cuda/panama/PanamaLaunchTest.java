package org.gatun.cuda.panama;

import org.gatun.cuda.LaunchContract;

class PanamaLaunchTest extends LaunchContract {
    @Override
    protected String driverName() {
        return "cuda";
    }
}
