/// Drafters with a smaller model.
package org.gatun.speculative.draftmodel;
