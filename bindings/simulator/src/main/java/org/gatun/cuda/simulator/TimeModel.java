package org.gatun.cuda.simulator;

import java.util.Map;

/// What a simulator needs to say how long launches would take.
///
/// @param registers of a thread by kernel, as the device's assembler gives them; they limit how many blocks run at a time, where known
public record TimeModel(DeviceModel device, Map<String, Integer> registers) {
    public TimeModel {
        registers = Map.copyOf(registers);
    }
}
