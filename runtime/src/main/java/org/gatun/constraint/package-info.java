/// Text that is valid by construction: which tokens may follow, so that what is written is JSON, JSON that a schema allows, a match of a regular
/// expression, or one of some choices. Read [org.gatun.constraint.Constraint], then `Parser`; for schemas `Schema`, then `SchemaCompiler`. Knows
/// tokens, and nothing of models.
package org.gatun.constraint;
