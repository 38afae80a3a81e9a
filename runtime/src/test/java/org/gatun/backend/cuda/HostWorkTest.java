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

    /// In the interpreter, where each object that the code makes is made: no step depends on what a compiler leaves out.
    @Test
    void steps_driverThatDoesNothing_areFewCallsAndAllocateNothing() throws Exception {
        Path driver = CudaStub.build(folder);

        List<String> lines = ChildProcess.run(HostWork.class, Map.of(), List.of("-Xint", "-Dgatun.cuda.library=" + driver),
                folder.toString(), "20").lines();

        assertStep(lines, "row", "cuGraphLaunch cuStreamSynchronize");
        assertStep(lines, "tree of 64", "cuGraphLaunch cuStreamSynchronize");
        assertStep(lines, "sampled tree of 64", "cuMemcpyHtoDAsync_v2 cuGraphLaunch cuStreamSynchronize");
        assertStep(lines, "row under penalties", "cuMemcpyHtoDAsync_v2 cuGraphLaunch cuStreamSynchronize");
        assertStep(lines, "draft of 8", "cuMemcpyHtoDAsync_v2 cuMemsetD32Async " + "cuGraphLaunch ".repeat(8)
                + "cuMemcpyDtoHAsync_v2 cuStreamSynchronize");
        // what a drafter missed is read in the same go: one wait still
        assertStep(lines, "draft of 8 after a row", "cuEventSynchronize cuMemcpyHtoDAsync_v2 cuEventRecord cuGraphLaunch "
                + "cuMemcpyHtoDAsync_v2 cuMemsetD32Async " + "cuGraphLaunch ".repeat(8) + "cuMemcpyDtoHAsync_v2 cuStreamSynchronize");
        // the draft does not wait for the target
        assertStep(lines, "draft of 4 while a tree of 5 runs", "cuGraphLaunch cuMemcpyHtoDAsync_v2 cuMemsetD32Async "
                + "cuGraphLaunch ".repeat(4) + "cuMemcpyDtoHAsync_v2 cuStreamSynchronize cuStreamSynchronize");
    }

    private static void assertStep(List<String> lines, String kind, String calls) {
        assertTrue(lines.contains(kind + " calls: " + calls), lines::toString);
        assertTrue(lines.contains(kind + " bytes of 600 warm steps: 0"), lines::toString);
    }
}
