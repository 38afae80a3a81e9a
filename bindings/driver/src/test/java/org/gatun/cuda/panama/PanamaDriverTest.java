package org.gatun.cuda.panama;

import org.gatun.cuda.DriverCallsContract;

class PanamaDriverTest extends DriverCallsContract {
    @Override
    protected String driverName() {
        return "cuda";
    }
}
