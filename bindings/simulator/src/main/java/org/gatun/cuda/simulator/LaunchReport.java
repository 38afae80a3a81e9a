package org.gatun.cuda.simulator;

import java.util.Optional;
import org.gatun.cuda.LaunchConfiguration;

/// One launch and what it did.
///
/// @param waits what its warps waited for, if [SimulatorOptions#countsWaits]
/// @param time how long it would take, if [SimulatorOptions#model]; counters are then those of the blocks that ran
public record LaunchReport(String kernel, LaunchConfiguration configuration, LaunchCounters counters, Optional<WaitCounters> waits,
        Optional<ModelledTime> time) {}
