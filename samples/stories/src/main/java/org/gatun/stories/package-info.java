/// A pair of small trained models. Read [org.gatun.stories.StoryModels].
package org.gatun.stories;
