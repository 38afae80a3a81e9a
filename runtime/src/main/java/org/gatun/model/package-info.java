/// Models: a [org.gatun.model.Checkpoint] gives sizes and weights, the architecture records its ops, a
/// [org.gatun.model.Model] is what users load and a [org.gatun.model.Session] one text being continued. Knows nothing of
/// how tokens are chosen. Read `Transformer` for the architecture, `Session` for what decoding methods see.
package org.gatun.model;
