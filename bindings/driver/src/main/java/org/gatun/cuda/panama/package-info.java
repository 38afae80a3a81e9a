/// The NVIDIA driver itself, called through Panama: [org.gatun.cuda.panama.PanamaDriverProvider] finds it,
/// `PanamaDriver` makes each call of [org.gatun.cuda.CudaDriver] by its generated binding.
package org.gatun.cuda.panama;
