/// A pass as data: [org.gatun.plan.Op]s recorded by a [org.gatun.plan.PlanBuilder] into a [org.gatun.plan.Plan].
/// Knows nothing of files or tokens, and computes nothing. Read `Op` first: it is the list of all that backends do.
package org.gatun.plan;
