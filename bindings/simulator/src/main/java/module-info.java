/// A CUDA driver in plain Java that runs and checks PTX.
module org.gatun.cuda.simulator {
    requires transitive org.gatun.cuda;

    exports org.gatun.cuda.simulator;

    provides org.gatun.cuda.CudaDriverProvider with org.gatun.cuda.simulator.SimulatorProvider;
}
