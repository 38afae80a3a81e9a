/// Runs plans on the host's processor: a plan becomes a buffer of commands that the C kernels of `native/` execute in one call
/// a pass. Read `CpuProgram` for how a plan is compiled, `native/gatun.h` for what the commands mean.
package org.gatun.backend.cpu;
