/// Runs plans on CUDA devices, or on the simulator of one: fusion, memory plan, launches, graphs.
package org.gatun.backend.cuda;
