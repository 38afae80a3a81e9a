package org.gatun.cuda.panama;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Path;
import org.gatun.cuda.CudaDriverProvider;
import org.gatun.cuda.CudaException;

/// Finds the NVIDIA driver. The library is `libcuda.so.1`, where the system's loader finds it, or the file that the system
/// property `gatun.cuda.library` names.
public final class PanamaDriverProvider implements CudaDriverProvider {
    private static final String LIBRARY = "libcuda.so.1";
    private static final String PROPERTY = "gatun.cuda.library";

    /// CUDA 12.0: the first with every call but one ([PanamaDriver#functionParameter]).
    private static final int OLDEST_VERSION = 12_000;

    @Override
    public String name() {
        return "cuda";
    }

    @Override
    public Probe probe() {
        if (Linker.nativeLinker().canonicalLayouts().get("long").byteSize() != Long.BYTES) {
            return new Probe.Absent("the bindings are for systems whose C long has 64 bits, such as Linux");
        }
        String given = System.getProperty(PROPERTY);
        try {
            if (given == null) {
                loadFromSystem();
            } else {
                System.load(Path.of(given).toAbsolutePath().toString());
            }
            if (SymbolLookup.loaderLookup().find("cuInit").isEmpty()) {
                return new Probe.Absent(given + " is no CUDA driver: it has no cuInit");
            }
            return initialise();
        } catch (CudaException e) {
            return new Probe.Absent(e.getMessage());
        } catch (IllegalCallerException e) {
            return new Probe.Absent("calling native code is not allowed: run with --enable-native-access=org.gatun.cuda,"
                    + " or =ALL-UNNAMED on the class path");
        } catch (IllegalArgumentException | UnsatisfiedLinkError e) {
            return new Probe.Absent(given == null
                    ? LIBRARY + " was not found: install NVIDIA's driver, 525 or newer, or name the library with -D" + PROPERTY
                            + "=FILE"
                    : "the library that " + PROPERTY + " names cannot be loaded: " + e.getMessage());
        }
    }

    /// The bindings see what System.load loaded, which takes no name but a file. So the system's loader is asked by name first,
    /// and then which file that was.
    private static void loadFromSystem() {
        try (Arena arena = Arena.ofConfined()) {
            System.load(LoadedFile.of(SymbolLookup.libraryLookup(LIBRARY, arena).findOrThrow("cuInit")));
        }
    }

    private static Probe initialise() {
        PanamaDriver driver = new PanamaDriver();
        if (driver.version() < OLDEST_VERSION) {
            return new Probe.Absent("the driver supports CUDA " + PanamaDriver.versionName(driver.version()) + ", but "
                    + PanamaDriver.versionName(OLDEST_VERSION) + " is needed: install NVIDIA's driver, 525 or newer");
        }
        driver.initialise();
        return driver.deviceCount() > 0 ? new Probe.Found(driver)
                : new Probe.Absent("the driver, for CUDA " + PanamaDriver.versionName(driver.version()) + ", sees no device");
    }
}
