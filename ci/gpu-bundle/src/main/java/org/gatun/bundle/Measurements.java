package org.gatun.bundle;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.kernels.KernelLibrary;

/// Everything that is measured, the ceilings first, then peers, kernels and models, in one run on one machine.
final class Measurements {
    private Measurements() {}

    /// @param llama llama.cpp's llama-bench and a model, or nothing
    /// @return whether all was measured
    static boolean run(CudaDriver driver, RunRecord record, Deadline deadline, List<Path> llama) throws IOException, InterruptedException {
        boolean real = !driver.name().equals("simulator");
        try (CudaContext context = CudaContext.open(driver, 0); KernelLibrary library = new KernelLibrary(context)) {
            KernelMeasurements kernels = new KernelMeasurements(library, record, real);
            kernels.ceilings();
            kernels.tiles();
            if (real) {
                Peers.run(record, deadline.part(0.3), llama);
            }
            kernels.all(deadline.part(0.5));
        }
        ModelMeasurements.run(driver, record, deadline, real);
        record.save();
        if (deadline.isOver()) {
            System.out.println("bench: time ran out before the end");
        }
        return !deadline.isOver();
    }
}
