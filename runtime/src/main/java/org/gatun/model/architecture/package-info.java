/// Kinds of models: names, sizes, weights, and the ops of a pass. Knows nothing of files, but for what stands in them. Read
/// [org.gatun.model.architecture.Architecture], then `PreNormDecoder`, which the first ones share.
package org.gatun.model.architecture;
