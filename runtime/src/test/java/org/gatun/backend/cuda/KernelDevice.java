package org.gatun.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.function.Consumer;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.kernels.KernelLibrary;

/// A device with the kernels, shared by many tests: PTX of megabytes takes longer to load than most tests to run.
final class KernelDevice {
    private final CudaDriver driver;
    private CudaContext context;
    private KernelLibrary library;

    KernelDevice(CudaDriver driver) {
        this.driver = driver;
        open();
    }

    private void open() {
        context = CudaContext.open(driver, 0);
        library = new KernelLibrary(context);
    }

    boolean has(String kernel) {
        return library.has(kernel);
    }

    /// Runs a test on a bench of its own. After one that failed the device is opened anew: a fault may have ended the context.
    void run(Consumer<KernelBench> test) {
        try (KernelBench bench = new KernelBench(context, library)) {
            test.accept(bench);
        } catch (Throwable e) {
            context.close();
            open();
            throw e;
        }
    }

    /// Whatever tests allocated has been given back.
    void close() {
        library.close();
        int left = context.openResources();
        context.close();
        assertEquals(0, left, "buffers, streams and the like that tests left open");
    }
}
