/// Runs plans on CUDA devices, or on the simulator of one: fusion, memory plan, launches, graphs. Read `PassLaunches` for what a pass runs,
/// `CudaExecutable` for what waits for what.
package org.gatun.backend.cuda;
