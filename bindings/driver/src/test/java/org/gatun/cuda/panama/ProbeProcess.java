package org.gatun.cuda.panama;

import java.nio.charset.StandardCharsets;
import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.CudaDriverProvider.Probe;
import org.gatun.cuda.FunctionAttribute;
import org.gatun.cuda.JitOptions;

/// What [PanamaDriverProviderTest] runs in processes of their own, for each knows one driver library at most.
final class ProbeProcess {
    private ProbeProcess() {}

    /// Prints what the probe found, and if that was a driver, how it answers calls that old ones lack.
    public static void main(String[] arguments) {
        switch (new PanamaDriverProvider().probe()) {
            case Probe.Absent(String reason) -> System.out.println("absent: " + reason);
            case Probe.Found(CudaDriver driver) -> {
                System.out.println("found: %s %d, %d devices".formatted(driver.name(), driver.version(), driver.deviceCount()));
                byte[] ptx = ".version 7.8 .entry k(.param .u32 a) { ret; }".getBytes(StandardCharsets.UTF_8);
                long function = driver.moduleFunction(driver.moduleLoad(ptx, JitOptions.DEFAULT).handle(), "k");
                System.out.println("threads: " + driver.functionAttribute(FunctionAttribute.MAX_THREADS_PER_BLOCK, function));
                try {
                    System.out.println("parameter: " + driver.functionParameter(function, 0));
                } catch (UnsupportedOperationException e) {
                    System.out.println("unsupported: " + e.getMessage());
                }
            }
        }
    }
}
