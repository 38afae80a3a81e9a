package org.gatun.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.gatun.cuda.ChildProcess;
import org.gatun.cuda.CudaStub;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostWorkTest {
    @TempDir
    Path folder;

    @Test
    void step_driverThatDoesNothing_isOneGraphLaunchAndAllocatesNothing() throws Exception {
        List<String> lines = ChildProcess.run(HostWork.class, Map.of(),
                List.of("-Dgatun.cuda.library=" + CudaStub.build(folder)), folder.toString()).lines();

        for (String kind : List.of("row", "tree")) {
            assertTrue(lines.contains(kind + " calls: cuGraphLaunch cuStreamSynchronize"), lines::toString);
            assertTrue(lines.contains(kind + " bytes of the last 20000 steps: 0"), lines::toString);
        }
    }
}
