/// Drafting and verification: a [org.gatun.speculative.Drafter] proposes a [org.gatun.speculative.TokenTree], one target
/// pass checks it, the [org.gatun.speculative.SpeculativeDecoder] is the loop. Knows nothing of backends' insides or files.
/// Read `SpeculativeDecoder` first; methods are registered in `SpeculationMethod`.
package org.gatun.speculative;
