/// Drafters that propose what they have seen: in the text itself, in other texts, in what the target computed before. They need no
/// model beside the target, and what they propose is deterministic, not sampled.
package org.gatun.speculative.retrieval;
