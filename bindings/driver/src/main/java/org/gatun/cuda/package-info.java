/// The CUDA driver in Java: [org.gatun.cuda.CudaDriver] is the calls themselves, over Panama, JCuda or the simulator;
/// [org.gatun.cuda.CudaContext] and what it makes are the safe layer above, which does not know which driver it has.
///
/// Knows nothing of models or kernels. Read [org.gatun.cuda.CudaContext] first.
package org.gatun.cuda;
