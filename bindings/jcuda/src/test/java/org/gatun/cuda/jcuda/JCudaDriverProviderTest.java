package org.gatun.cuda.jcuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import jcuda.JCudaVersion;
import jcuda.LibUtils;
import org.gatun.cuda.CudaDriverProvider;
import org.gatun.cuda.CudaDrivers;
import org.gatun.cuda.CudaStub;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JCudaDriverProviderTest {
    @TempDir
    Path folder;

    /// @param expected of the probe, the first time and the second
    private static void assertProbed(String expected, List<String> lines) {
        assertEquals(List.of(expected, expected), lines);
    }

    /// Probes with the stub on the library path.
    private List<String> probeStub(Map<String, String> settings) throws Exception {
        Map<String, String> environment = new HashMap<>(settings);
        environment.put("LD_LIBRARY_PATH", CudaStub.build(folder).getParent().toString());
        return JCudaProcess.run(ProbeProcess.class, folder, environment);
    }

    @Test
    void providers_classPath_hasIt() {
        assertTrue(CudaDrivers.providers().stream().map(CudaDriverProvider::name).toList().contains("jcuda"));
    }

    @Test
    void probe_libraryOnThePath_isFound() throws Exception {
        assertProbed("found: jcuda 13000, 2 devices", probeStub(Map.of()));
    }

    @Test
    void probe_noLibrary_saysWhatToInstall() throws Exception {
        List<String> lines = JCudaProcess.run(ProbeProcess.class, folder, Map.of());
        assumeFalse(lines.getFirst().startsWith("found: ") || lines.getFirst().startsWith("absent: cuInit"),
                "there is a driver here");
        assertProbed("absent: libcuda.so.1 was not found: install NVIDIA's driver, 525 or newer", lines);
    }

    @Test
    void probe_noNativesOfJCuda_namesTheArtifact() throws Exception {
        assertProbed("absent: JCuda's native library for %s on %s was not found: put org.jcuda:jcuda-natives:%s for it on the"
                .formatted(System.getProperty("os.name"), System.getProperty("os.arch"), JCudaVersion.get())
                + " class path, or into JCuda's module with --patch-module jcuda=FILE",
                JCudaProcess.run(ProbeProcess.class, folder, Map.of(), entry -> !entry.contains("jcuda-natives"),
                        "--enable-native-access=ALL-UNNAMED"));
    }

    @Test
    void probe_nativesOfJCudaUnreadable_saysWhichFile() throws Exception {
        Path library = folder.resolve(LibUtils.createLibraryFileName(
                LibUtils.createPlatformLibraryName("JCudaDriver-" + JCudaVersion.get())));
        Files.createDirectory(library);
        // The JVM warns of such a file, in vain.
        for (String line : JCudaProcess.run(ProbeProcess.class, folder, Map.of(), _ -> true,
                "--enable-native-access=ALL-UNNAMED", "-XX:-PrintWarnings")) {
            assertTrue(line.startsWith("absent: JCuda's native library cannot be loaded: ")
                    && line.contains(library.toString()), line);
        }
    }

    @Test
    void probe_nativeAccessDenied_namesTheOption() throws Exception {
        assertProbed("absent: calling native code is not allowed: run with --enable-native-access=jcuda,"
                + " or =ALL-UNNAMED on the class path",
                JCudaProcess.run(ProbeProcess.class, folder, Map.of(), _ -> true, "--illegal-native-access=deny"));
    }

    @Test
    void probe_initialisationFails_namesTheError() throws Exception {
        assertProbed("absent: cuInit: CUDA_ERROR_NO_DEVICE (100): no CUDA-capable device is detected",
                probeStub(Map.of("CUDA_STUB_INIT", "100")));
    }

    @Test
    void probe_noDevice_saysSo() throws Exception {
        assertProbed("absent: the driver, for CUDA 13.0, sees no device", probeStub(Map.of("CUDA_STUB_DEVICES", "0")));
    }

    @Test
    void probe_driverTooOld_saysWhichIsNeeded() throws Exception {
        assertProbed("absent: the driver supports CUDA 11.4, but 12.0 is needed: install NVIDIA's driver, 525 or newer",
                probeStub(Map.of("CUDA_STUB_VERSION", "11040")));
    }
}
