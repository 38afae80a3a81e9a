/// Hand-written CUDA kernels, as PTX.
module org.gatun.cuda.kernels {
    requires transitive org.gatun.cuda;

    exports org.gatun.cuda.kernels;
}
