/// Sampling tokens from logits: [org.gatun.sampling.Sampling] says how, [org.gatun.sampling.Sampler] does it, and defines what
/// every backend samples. Knows nothing of backends or of where logits come from.
package org.gatun.sampling;
