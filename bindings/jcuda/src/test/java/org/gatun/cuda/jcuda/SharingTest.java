package org.gatun.cuda.jcuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.gatun.cuda.CudaStub;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// One process, one device, both drivers.
class SharingTest {
    private static final List<String> SHARED = List.of("JCuda reads [1, 2, 7, 4], Gatun [1, 2, 7, 4]",
            "JCuda reads [5, 6, 7, 9], Gatun [6, 7, 9]", "closed");

    @TempDir
    Path folder;

    @Test
    void memory_ofEither_isSeenByBoth() throws Exception {
        String stub = CudaStub.build(folder).getParent().toString();
        assertEquals(SHARED, JCudaProcess.run(SharingProcess.class, folder, Map.of("LD_LIBRARY_PATH", stub)));
    }

    @Tag("gpu")
    @Test
    void memory_onThisMachinesDevice_isSeenByBoth() throws Exception {
        List<String> lines = JCudaProcess.run(SharingProcess.class, folder, Map.of());
        assumeFalse(lines.equals(List.of("absent")), "there is no CUDA device here");
        assertEquals(SHARED, lines);
    }
}
