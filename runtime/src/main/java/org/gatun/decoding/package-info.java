/// What all ways of decoding share: the [org.gatun.decoding.TokenText] that they continue. Knows nothing of backends.
package org.gatun.decoding;
