/// The CUDA driver over JCuda, and handles shared with it.
package org.gatun.cuda.jcuda;
