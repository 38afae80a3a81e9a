/// A CUDA driver in plain Java: parses PTX, runs it warp by warp, finds what a GPU passes over in silence, and counts.
package org.gatun.cuda.simulator;
