/// What all ways of decoding share: the [org.gatun.decoding.TokenSequence] that they continue, and the two halves of a step, a
/// [org.gatun.decoding.Decoder]. Knows nothing of models.
package org.gatun.decoding;
