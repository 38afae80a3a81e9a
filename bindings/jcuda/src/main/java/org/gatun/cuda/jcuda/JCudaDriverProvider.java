package org.gatun.cuda.jcuda;

import java.io.PrintWriter;
import java.io.StringWriter;
import jcuda.JCudaVersion;
import org.gatun.cuda.CudaDriverProvider;
import org.gatun.cuda.CudaException;

/// Finds the NVIDIA driver through JCuda. The library is `libcuda.so.1`, where the system's loader finds it.
public final class JCudaDriverProvider implements CudaDriverProvider {
    static final String NAME = "jcuda";

    /// As for the driver `cuda`. From there on the library has every call that is made here: JCuda binds each at its first use,
    /// and the process ends if it is not there.
    private static final int OLDEST_VERSION = 12_000;

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Probe probe() {
        try {
            return initialise();
        } catch (CudaException e) {
            return new Probe.Absent(e.getMessage());
        } catch (LinkageError e) {
            return new Probe.Absent(reason(e));
        }
    }

    private static Probe initialise() {
        JCudaDriver driver = new JCudaDriver();
        if (driver.version() < OLDEST_VERSION) {
            return new Probe.Absent("the driver supports CUDA " + JCudaDriver.versionName(driver.version()) + ", but "
                    + JCudaDriver.versionName(OLDEST_VERSION) + " is needed: install NVIDIA's driver, 525 or newer");
        }
        driver.initialise();
        return driver.deviceCount() > 0 ? new Probe.Found(driver)
                : new Probe.Absent("the driver, for CUDA " + JCudaDriver.versionName(driver.version()) + ", sees no device");
    }

    /// JCuda loads its native library as its class is initialised, and writes all that went wrong, stack traces included, into
    /// one message.
    private static String reason(LinkageError error) {
        StringWriter all = new StringWriter();
        error.printStackTrace(new PrintWriter(all));
        String text = all.toString();
        if (text.contains("IllegalCallerException")) {
            return "calling native code is not allowed: run with --enable-native-access=jcuda,"
                    + " or =ALL-UNNAMED on the class path";
        }
        if (text.contains("libcuda.so.1: cannot open shared object file")) {
            return "libcuda.so.1 was not found: install NVIDIA's driver, 525 or newer";
        }
        if (text.contains("No resource found with name")) {
            return "JCuda's native library for %s on %s was not found: put org.jcuda:jcuda-natives:%s for it on the class path"
                    .formatted(System.getProperty("os.name"), System.getProperty("os.arch"), JCudaVersion.get())
                    + ", or into JCuda's module with --patch-module jcuda=FILE";
        }
        return "JCuda's native library cannot be loaded: " + text.lines()
                .filter(line -> line.contains("Error: ") || line.contains("Exception: "))
                .reduce((_, last) -> last).orElseGet(error::toString);
    }
}
