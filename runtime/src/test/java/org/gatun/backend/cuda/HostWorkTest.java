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
    void steps_driverThatDoesNothing_areFewCallsAndAllocateNothing() throws Exception {
        List<String> lines = ChildProcess.run(HostWork.class, Map.of(),
                List.of("-Dgatun.cuda.library=" + CudaStub.build(folder)), folder.toString()).lines();

        assertTrue(lines.contains("row calls: cuGraphLaunch cuStreamSynchronize"), lines::toString);
        assertTrue(lines.contains("tree of 64 calls: cuGraphLaunch cuStreamSynchronize"), lines::toString);
        assertTrue(lines.contains("draft of 8 calls: cuMemcpyHtoDAsync_v2 cuMemsetD32Async " + "cuGraphLaunch ".repeat(8)
                + "cuMemcpyDtoHAsync_v2 cuStreamSynchronize"), lines::toString);
        // what a drafter missed is read in the same go: one wait still
        assertTrue(lines.contains("draft of 8 after a row calls: cuEventSynchronize cuMemcpyHtoDAsync_v2 cuEventRecord cuGraphLaunch "
                + "cuMemcpyHtoDAsync_v2 cuMemsetD32Async " + "cuGraphLaunch ".repeat(8) + "cuMemcpyDtoHAsync_v2 cuStreamSynchronize"),
                lines::toString);
        for (String kind : List.of("row", "tree of 64", "draft of 8", "draft of 8 after a row")) {
            assertTrue(lines.contains(kind + " bytes of 20000 warm steps: 0"), lines::toString);
        }
    }
}
