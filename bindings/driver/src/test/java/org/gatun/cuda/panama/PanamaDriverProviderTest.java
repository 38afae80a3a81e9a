package org.gatun.cuda.panama;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.gatun.cuda.ChildProcess;
import org.gatun.cuda.CudaDriverProvider;
import org.gatun.cuda.CudaDrivers;
import org.gatun.cuda.CudaStub;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PanamaDriverProviderTest {
    @TempDir
    Path folder;

    /// Runs [ProbeProcess], which may call native code, and gives what it printed.
    private static List<String> probe(Map<String, String> environment, String... options) throws Exception {
        return ChildProcess.run(ProbeProcess.class, environment, List.of(options)).lines();
    }

    private static String property(Path library) {
        return "-Dgatun.cuda.library=" + library;
    }

    @Test
    void providers_classPath_hasIt() {
        assertTrue(CudaDrivers.providers().stream().map(CudaDriverProvider::name).toList().contains("cuda"));
    }

    @Test
    void probe_libraryBesideThePath_isFoundByName() throws Exception {
        Path library = CudaStub.build(folder);
        assertEquals(List.of("found: cuda 13000, 2 devices", "threads: 100",
                "parameter: Optional[ParameterInfo[offset=0, byteSize=4]]"),
                probe(Map.of("LD_LIBRARY_PATH", library.getParent().toString())));
    }

    @Test
    void probe_libraryNamedByProperty_isFound() throws Exception {
        assertEquals("found: cuda 13000, 2 devices", probe(Map.of(), property(CudaStub.build(folder))).getFirst());
    }

    @Test
    void probe_noLibrary_saysWhatToInstall() throws Exception {
        List<String> lines = probe(Map.of());
        assumeFalse(lines.getFirst().startsWith("found: ") || lines.getFirst().startsWith("absent: cuInit"),
                "there is a driver here");
        assertEquals(List.of("absent: libcuda.so.1 was not found: install NVIDIA's driver, 525 or newer,"
                + " or name the library with -Dgatun.cuda.library=FILE"), lines);
    }

    @Test
    void probe_propertyNamesNoFile_saysWhichFile() throws Exception {
        Path missing = folder.resolve("missing.so");
        String line = probe(Map.of(), property(missing)).getFirst();
        assertTrue(line.startsWith("absent: the library that gatun.cuda.library names cannot be loaded: ")
                && line.contains(missing.toString()), line);
    }

    @Test
    void probe_propertyNamesAnotherLibrary_saysSo() throws Exception {
        Path other = Path.of(System.getProperty("java.home"), "lib", "libjsig.so");
        assumeTrue(Files.exists(other), "this JDK has no libjsig.so");
        assertEquals(List.of("absent: " + other + " is no CUDA driver: it has no cuInit"), probe(Map.of(), property(other)));
    }

    @Test
    void probe_initialisationFails_namesTheError() throws Exception {
        Path library = CudaStub.build(folder);
        assertEquals(List.of("absent: cuInit: CUDA_ERROR_NO_DEVICE (100): no CUDA-capable device is detected"),
                probe(Map.of("CUDA_STUB_INIT", "100"), property(library)));
        assertEquals(List.of("absent: cuInit: CUDA_ERROR_12345 (12345): the driver does not describe it"),
                probe(Map.of("CUDA_STUB_INIT", "12345"), property(library)));
    }

    @Test
    void probe_noDevice_saysSo() throws Exception {
        assertEquals(List.of("absent: the driver, for CUDA 13.0, sees no device"),
                probe(Map.of("CUDA_STUB_DEVICES", "0"), property(CudaStub.build(folder))));
    }

    @Test
    void probe_driverTooOld_saysWhichIsNeeded() throws Exception {
        assertEquals(List.of("absent: the driver supports CUDA 11.4, but 12.0 is needed:"
                + " install NVIDIA's driver, 525 or newer"),
                probe(Map.of("CUDA_STUB_VERSION", "11040"), property(CudaStub.build(folder))));
    }

    @Test
    void probe_nativeAccessDenied_namesTheOption() throws Exception {
        assertEquals(List.of("absent: calling native code is not allowed: run with --enable-native-access=org.gatun.cuda,"
                + " or =ALL-UNNAMED on the class path"),
                ChildProcess.run(ProbeProcess.class, Map.of(), _ -> true,
                        List.of("--illegal-native-access=deny", property(CudaStub.build(folder)))).lines());
    }

    @Test
    void functionParameter_driverLacksTheCall_isUnsupported() throws Exception {
        assertEquals(List.of("found: cuda 12020, 2 devices", "threads: 100",
                "unsupported: cuFuncGetParamInfo: the driver, for CUDA 12.2, does not have it"),
                probe(Map.of("CUDA_STUB_VERSION", "12020"), property(CudaStub.build(folder, "-DOLD_DRIVER"))));
    }
}
