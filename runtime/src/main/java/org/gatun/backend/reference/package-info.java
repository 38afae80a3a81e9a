/// The definition of every op in plain Java. Read `ReferenceExecutable`: one method an op.
package org.gatun.backend.reference;
