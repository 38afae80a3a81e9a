/// How what owns memory outside the heap is used and closed by several threads: read [org.gatun.lifetime.Lifetime]. Knows nothing of what
/// is owned.
package org.gatun.lifetime;
