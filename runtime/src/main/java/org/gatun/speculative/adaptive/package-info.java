/// What chooses among drafters as the text goes, by what passes cost and what proposals give. Read
/// [org.gatun.speculative.adaptive.AutoDrafter], then `MethodChoice`.
package org.gatun.speculative.adaptive;
