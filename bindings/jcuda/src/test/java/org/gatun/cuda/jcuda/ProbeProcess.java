package org.gatun.cuda.jcuda;

import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.CudaDriverProvider.Probe;

/// What [JCudaDriverProviderTest] runs.
final class ProbeProcess {
    private ProbeProcess() {}

    /// Prints twice what the probe found: the JVM tells a class that cannot be initialised differently the second time.
    public static void main(String[] arguments) {
        for (int i = 0; i < 2; i++) {
            System.out.println(switch (new JCudaDriverProvider().probe()) {
                case Probe.Absent(String reason) -> "absent: " + reason;
                case Probe.Found(CudaDriver driver) -> "found: %s %d, %d devices".formatted(driver.name(), driver.version(),
                        driver.deviceCount());
            });
        }
    }
}
