/// What all ways of decoding share: the [org.gatun.decoding.TokenSequence] that they continue. Knows nothing of backends.
package org.gatun.decoding;
