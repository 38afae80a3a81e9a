/// Typed views of memory: [org.gatun.tensor.DType], [org.gatun.tensor.Shape], [org.gatun.tensor.Tensor].
/// Knows nothing of models, files or backends. Read `Tensor` first.
package org.gatun.tensor;
