/// Many texts at once: requests come from any thread, and one pass is a step of all that run. Read [org.gatun.serving.Engine]. Knows nothing
/// of networks and protocols.
package org.gatun.serving;
