package org.gatun.serving;

import java.time.Duration;
import org.gatun.speculative.SpeculationStatistics;

/// What a request took.
///
/// @param promptTokens tokens of the prompt
/// @param cachedTokens those of them that were not read, as an earlier text began with them
/// @param generatedTokens tokens of the text
/// @param speculation passes that gave tokens, proposals and what became of them
/// @param preemptions how often it had to give its pages to others, and was read again
/// @param queued from [Engine#submit] until it began to run; all the time if it never did
/// @param firstToken from then until the first token; all the time if there was none
/// @param total from then until the end
public record Usage(int promptTokens, int cachedTokens, int generatedTokens, SpeculationStatistics speculation, int preemptions,
        Duration queued, Duration firstToken, Duration total) {}
