/// How the element types of weights are coded: [org.gatun.quantize.Codec] turns stored bytes into floats and back.
/// It is the plain definition that faster kernels are tested against. Knows nothing of files, models or decoding.
package org.gatun.quantize;
