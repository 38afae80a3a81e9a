/// The CUDA driver, called through Panama, and a safe layer above it.
module org.gatun.cuda {
    exports org.gatun.cuda;

    uses org.gatun.cuda.CudaDriverProvider;

    provides org.gatun.cuda.CudaDriverProvider with org.gatun.cuda.panama.PanamaDriverProvider;
}
