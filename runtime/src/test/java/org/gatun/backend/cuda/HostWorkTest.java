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
    private static final List<String> KINDS = List.of("row", "tree of 64", "draft of 8", "draft of 8 after a row",
            "draft of 4 while a tree of 5 runs");
    private static final int PROCESSES = 4;

    @TempDir
    Path folder;

    @Test
    void steps_driverThatDoesNothing_areFewCallsAndAllocateNothing() throws Exception {
        Path driver = CudaStub.build(folder);
        List<String> lines = run(driver);
        // what a compiler inlines, and so which objects are never made, differs from process to process
        for (int process = 1; process < PROCESSES && !allocatesNothing(lines); process++) {
            lines = run(driver);
        }

        List<String> found = lines;
        assertTrue(lines.contains("row calls: cuGraphLaunch cuStreamSynchronize"), found::toString);
        assertTrue(lines.contains("tree of 64 calls: cuGraphLaunch cuStreamSynchronize"), found::toString);
        assertTrue(lines.contains("draft of 8 calls: cuMemcpyHtoDAsync_v2 cuMemsetD32Async " + "cuGraphLaunch ".repeat(8)
                + "cuMemcpyDtoHAsync_v2 cuStreamSynchronize"), found::toString);
        // what a drafter missed is read in the same go: one wait still
        assertTrue(lines.contains("draft of 8 after a row calls: cuEventSynchronize cuMemcpyHtoDAsync_v2 cuEventRecord cuGraphLaunch "
                + "cuMemcpyHtoDAsync_v2 cuMemsetD32Async " + "cuGraphLaunch ".repeat(8) + "cuMemcpyDtoHAsync_v2 cuStreamSynchronize"),
                found::toString);
        // a draft behind what the target was given to do, and not what the target does behind a draft
        assertTrue(lines.contains("draft of 4 while a tree of 5 runs calls: cuGraphLaunch cuMemcpyHtoDAsync_v2 cuMemsetD32Async "
                + "cuGraphLaunch ".repeat(4) + "cuMemcpyDtoHAsync_v2 cuStreamSynchronize cuStreamSynchronize"), found::toString);
        assertTrue(allocatesNothing(lines), found::toString);
    }

    private List<String> run(Path driver) throws Exception {
        return ChildProcess.run(HostWork.class, Map.of(), List.of("-Dgatun.cuda.library=" + driver), folder.toString()).lines();
    }

    private static boolean allocatesNothing(List<String> lines) {
        return KINDS.stream().allMatch(kind -> lines.contains(kind + " bytes of 20000 warm steps: 0"));
    }
}
