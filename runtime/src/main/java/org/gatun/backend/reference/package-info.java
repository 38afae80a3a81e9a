/// The definition of every op in plain Java. Read `ReferenceRunner`: one method an op.
package org.gatun.backend.reference;
