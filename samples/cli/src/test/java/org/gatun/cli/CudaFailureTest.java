package org.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.gatun.cuda.ChildProcess;
import org.gatun.cuda.CudaStub;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Commands on a driver whose calls fail.
class CudaFailureTest {
    @TempDir
    static Path folder;

    private static Path library;

    @BeforeAll
    static void buildDriver() {
        library = CudaStub.build(folder);
    }

    private static ChildProcess generate(String failing, String backend) throws Exception {
        return ChildProcess.run(Gatun.class, Map.of("CUDA_STUB_FAIL", failing), List.of("-Dgatun.cuda.library=" + library),
                "generate", "--prompt", "Once", "--max-tokens", "3", "--temperature", "0", "--backend", backend);
    }

    @ParameterizedTest
    @CsvSource({
        "cuModuleLoadDataEx:222, CUDA_ERROR_UNSUPPORTED_PTX_VERSION (222), the driver is older than the kernels",
        "cuStreamSynchronize:719, CUDA_ERROR_LAUNCH_FAILED (719), the context is lost",
        "cuGraphLaunch:700, CUDA_ERROR_ILLEGAL_ADDRESS (700), the context is lost",
        "cuMemAlloc_v2:2, CUDA_ERROR_OUT_OF_MEMORY (2), bytes",
        "cuDevicePrimaryCtxRetain:999, CUDA_ERROR_UNKNOWN (999), unknown"
    })
    void generate_callFails_isOneLineAndExitCode2(String failing, String error, String advice) throws Exception {
        ChildProcess process = generate(failing, "cuda");

        assertEquals(2, process.exitCode(), process::toString);
        List<String> lines = process.err().stream().filter(line -> !line.startsWith("gatun: ")).toList(); // progress, where that is slow
        assertEquals(1, lines.size(), process::toString);
        String line = lines.getFirst();
        assertTrue(line.startsWith("gatun generate: ") && line.contains(error) && line.contains(advice)
                && line.endsWith("; --backend cpu does without CUDA"), line);
    }

    @ParameterizedTest
    @CsvSource({"cuModuleLoadDataEx:222, 222", "cuMemAlloc_v2:2, OUT_OF_MEMORY", "cuDevicePrimaryCtxRetain:999, 999"})
    void generate_backendLeftToGatun_saysWhyAndUsesAnother(String failing, String reason) throws Exception {
        ChildProcess process = generate(failing, "auto");

        assertEquals(0, process.exitCode(), process::toString);
        assertTrue(process.err().stream().anyMatch(line -> line.contains("backend cuda cannot be used") && line.contains(reason)),
                process::toString);
        assertTrue(process.err().getLast().matches(".*\\((cpu|reference)\\); prompt of .*"), process::toString);
    }

    @Test
    void devices_driverWithDevices_listsThem() throws Exception {
        List<String> lines = ChildProcess.run(Gatun.class, Map.of(), List.of("-Dgatun.cuda.library=" + library), "devices").lines();

        assertTrue(lines.stream().anyMatch(line -> line.startsWith("cuda") && line.contains("Stub 0")), lines::toString);
    }
}
