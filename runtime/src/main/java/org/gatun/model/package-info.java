/// Models: a [org.gatun.model.Model] is what users load, a [org.gatun.model.Session] one text being continued. Below it, `architecture` has
/// the kinds of models, `checkpoint` reads them, `convert` writes them anew. Knows nothing of how tokens are chosen. Read `Session` for
/// what decoding methods see.
package org.gatun.model;
