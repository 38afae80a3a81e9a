/// The PTX of the kernels, and which variant of it a device takes.
package org.gatun.cuda.kernels;
