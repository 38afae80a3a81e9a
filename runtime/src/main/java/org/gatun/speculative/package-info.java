/// Drafting and verification: a [org.gatun.speculative.Drafter] proposes a [org.gatun.speculative.TokenTree], one target
/// pass checks it, the [org.gatun.speculative.SpeculativeDecoder] is the loop. Knows nothing of backends' insides or files.
/// Read `SpeculativeDecoder` first; the drafters are in the packages below, and registered in `method.SpeculationMethod`.
package org.gatun.speculative;
