/// The CUDA driver over JCuda.
module org.gatun.cuda.jcuda {
    requires transitive org.gatun.cuda;

    exports org.gatun.cuda.jcuda;
}
