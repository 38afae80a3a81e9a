/// The front door: a prompt in, a stream of text out. Read [org.gatun.generation.Generation].
package org.gatun.generation;
