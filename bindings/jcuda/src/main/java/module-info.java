/// The CUDA driver over JCuda, and handles shared with it.
module org.gatun.cuda.jcuda {
    requires transitive jcuda;
    requires transitive org.gatun.cuda;

    exports org.gatun.cuda.jcuda;

    provides org.gatun.cuda.CudaDriverProvider with org.gatun.cuda.jcuda.JCudaDriverProvider;
}
