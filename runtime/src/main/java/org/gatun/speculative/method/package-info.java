/// The registered methods of speculation: [org.gatun.speculative.method.SpeculationMethod] lists them,
/// [org.gatun.speculative.method.Speculation] is one with its options set.
package org.gatun.speculative.method;
