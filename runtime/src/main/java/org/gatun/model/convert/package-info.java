/// Models written anew, in other types and as either format, and what measures which weights matter. Read
/// [org.gatun.model.convert.ModelQuantizer].
package org.gatun.model.convert;
