package org.gatun.cuda.simulator;

import java.util.List;
import java.util.Map;
import org.gatun.cuda.LaunchConfiguration;

/// A kernel ready to run.
///
/// @param blocks the first one is the beginning
/// @param constants registers of numbers in the text, by register number; shared by all warps
/// @param registerKinds the letter of each register's class, by number; a blank for those in `constants` and `specials`
/// @param registerNames for messages
/// @param specials special registers by number
/// @param parameters sizes and offsets in the parameter space
/// @param sharedBytes that the kernel declares
/// @param dynamicSharedOffset where what the launch adds begins
/// @param granuleShift log2 of the narrowest access to shared memory
/// @param maxThreads of a block, 0 for no limit of its own
/// @param ownCluster the clusters it was compiled for, null if the launch says
/// @param constantMemory the module's
/// @param trackedRegisters whether some registers may be read before they are written
/// @param ordersProducts whether it has `wgmma` instructions
record Kernel(String name, BasicBlock[] blocks, Map<Integer, Object> constants, char[] registerKinds, String[] registerNames,
        Map<Integer, String> specials, List<Parameter> parameters, int sharedBytes, int dynamicSharedOffset, int localBytes,
        int granuleShift, int maxThreads, ClusterShape ownCluster, byte[] constantMemory, boolean trackedRegisters,
        boolean ordersProducts) {
    record Parameter(int offset, int byteSize) {}

    String registerName(int register) {
        return registerNames[register];
    }

    /// The clusters of a launch.
    ClusterShape cluster(LaunchConfiguration configuration) {
        return ownCluster != null ? ownCluster : new ClusterShape(configuration.clusterX(), 1, 1);
    }

    int parameterBytes() {
        return parameters.isEmpty() ? 0 : parameters.getLast().offset() + parameters.getLast().byteSize();
    }
}
