/// Text that is valid by construction: which tokens may follow, so that what is written is JSON, a match of a regular expression, or one of some
/// choices. Read [org.gatun.constraint.Constraint], then `Parser`. Knows tokens, and nothing of models.
package org.gatun.constraint;
