/// Choosing tokens from logits: [org.gatun.decoding.Sampling] says how, [org.gatun.decoding.Sampler] does it. Knows
/// nothing of backends or of where logits come from.
package org.gatun.decoding;
