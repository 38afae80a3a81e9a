/// The contract between plans and whatever executes them: [org.gatun.backend.Backend] compiles a plan into an
/// [org.gatun.backend.Executable] and replays it on a [org.gatun.backend.Batch] and a the pages of its sequences, [org.gatun.backend.KvPool].
/// Implementations live below: `reference` defines each op, `cpu` and `cuda` must agree with it. Knows nothing of models.
package org.gatun.backend;
