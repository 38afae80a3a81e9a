package org.gatun.cuda.simulator;

import org.gatun.cuda.LaunchConfiguration;

/// One launch and what it did.
public record LaunchReport(String kernel, LaunchConfiguration configuration, LaunchCounters counters) {}
