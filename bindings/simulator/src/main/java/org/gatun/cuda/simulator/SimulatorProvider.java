package org.gatun.cuda.simulator;

import org.gatun.cuda.CudaDriverProvider;

/// Offers the simulator; it is always there.
public final class SimulatorProvider implements CudaDriverProvider {
    @Override
    public String name() {
        return "simulator";
    }

    @Override
    public Probe probe() {
        return new Probe.Found(SimulatorDriver.open(SimulatorOptions.defaults()));
    }
}
