package org.gatun.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.gatun.format.FormatException;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// The prompts of a benchmark.
final class BenchPrompts {
    /// Beginnings of stories, for the embedded models.
    static final List<Prompt> STORIES = Stream.of(
            "Once upon a time, there was a little girl named Lily.",
            "One day, a boy named Tim went to the park with his mom.",
            "The big dog was very hungry.",
            "It was a cold winter morning, and the snow",
            "Tom and Sue were best friends. They liked to play",
            "There was a small bird who could not fly.",
            "Mom said, \"Please do not touch the hot stove.\"",
            "In the forest there lived an old bear",
            "Anna found a shiny red ball under the tree.",
            "The little train went up the hill.").map(text -> new Prompt("", text)).toList();

    private BenchPrompts() {}

    /// A prompt and what kind of text it asks for.
    ///
    /// @param category empty if none was given
    record Prompt(String category, String text) {}

    /// Reads prompts, one JSON object a line: the first of its `turns` (the form of Spec-Bench), or its `prompt`; with a `category`
    /// or without.
    ///
    /// @param text of the file
    /// @param file for messages
    /// @throws FormatException if a line is something else, or there is none
    static List<Prompt> parse(String text, Path file) throws IOException {
        List<Prompt> prompts = new ArrayList<>();
        JsonMapper mapper = new JsonMapper();
        int number = 0;
        for (String line : text.lines().toList()) {
            number++;
            if (!line.isBlank()) {
                prompts.add(prompt(mapper, line, file, number));
            }
        }
        if (prompts.isEmpty()) {
            throw new FormatException(file, -1, "found no line: expected one JSON object a line");
        }
        return prompts;
    }

    private static Prompt prompt(JsonMapper mapper, String line, Path file, int number) throws FormatException {
        JsonNode object;
        JsonNode prompt;
        try {
            object = mapper.readTree(line);
            prompt = object.path("turns").path(0).asOptional().orElseGet(() -> object.path("prompt"));
        } catch (JacksonException e) {
            throw new FormatException(file, -1, "line " + number + " is no JSON: expected {\"prompt\": \"...\"} on a line of its own", e);
        }
        if (!prompt.isString()) {
            throw new FormatException(file, -1, "line " + number + " has neither \"turns\": [\"...\"] nor \"prompt\": \"...\"");
        }
        return new Prompt(object.path("category").asStringOpt().orElse(""), prompt.stringValue());
    }
}
