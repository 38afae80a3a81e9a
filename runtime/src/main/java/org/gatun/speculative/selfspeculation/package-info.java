/// Drafters that need no second model: the target drafts for itself with some of its layers left out.
package org.gatun.speculative.selfspeculation;
