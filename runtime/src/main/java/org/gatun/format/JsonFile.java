package org.gatun.format;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.core.JacksonException;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.exc.UnexpectedEndOfInputException;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/// JSON that comes with a model. What is wrong with it is said by line and column, and in words for whoever has the file open in an
/// editor, whatever parser found it.
public final class JsonFile {
    /// Python writes NaN and Infinity, which JSON has not.
    private static final JsonMapper JSON = JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();
    private static final int MAX_QUOTED = 20;
    /// How the parser says that a key stands twice, which has no exception of its own.
    private static final String DUPLICATE = "Duplicate Object property ";

    private JsonFile() {}

    /// Reads a file that holds one object.
    ///
    /// @throws FormatException if it is no regular file, too large, no JSON, or another value than an object
    /// @throws IOException if it cannot be read
    public static ObjectNode readObject(Path file) throws IOException {
        return readObject(file, JSON);
    }

    /// The same with a parser of one's own.
    static ObjectNode readObject(Path file, JsonMapper parser) throws IOException {
        MappedFile.require(file, "a JSON object");
        if (Files.size(file) > HeaderReader.MAX_BYTES) {
            throw new FormatException(file, -1, "found " + Files.size(file) + " bytes: expected a JSON object of at most "
                    + HeaderReader.MAX_BYTES);
        }
        byte[] text = Files.readAllBytes(file);
        JsonNode root;
        try {
            root = parser.readTree(text);
        } catch (JacksonException failure) {
            throw damaged(file, text, failure);
        }
        if (!(root instanceof ObjectNode object)) {
            throw new FormatException(file, -1, "found " + (root.isMissingNode() ? "nothing" : root.isArray() ? "a list" : "a single value")
                    + ": expected a JSON object, { ... }");
        }
        return object;
    }

    /// A file that a parser refused.
    ///
    /// @param text of the file
    public static FormatException damaged(Path file, byte[] text, JacksonException failure) {
        return new FormatException(file, -1, problem(text, failure) + "; correct it there, or get the file again", failure);
    }

    /// What is wrong with a text that a parser refused: the place, what was found there, and what was expected.
    ///
    /// @param text in UTF-8
    public static String problem(byte[] text, JacksonException failure) {
        TokenStreamLocation at = failure.getLocation();
        String place = at == null || at.getLineNr() < 1 ? "" : "line " + at.getLineNr() + ", column " + at.getColumnNr() + ": ";
        String parser = String.valueOf(failure.getOriginalMessage());
        if (failure instanceof UnexpectedEndOfInputException) {
            return place + "the text ends in the middle of a value: expected the rest of it";
        }
        if (failure instanceof StreamConstraintsException) {
            return place + "found values too deep in each other, or a name or number too long: expected JSON as models have it";
        }
        if (parser.startsWith(DUPLICATE)) {
            return place + "found the key " + parser.substring(DUPLICATE.length()) + " twice in one object: expected it once";
        }
        return place + "found text that is not JSON" + quoted(text, at) + ": expected JSON";
    }

    /// What stands at a place, up to the end of its line.
    private static String quoted(byte[] text, TokenStreamLocation at) {
        long from = at == null ? -1 : at.getByteOffset();
        if (from < 0 || from >= text.length) {
            return "";
        }
        String rest = new String(text, (int) from, (int) Math.min(4L * MAX_QUOTED, text.length - from), StandardCharsets.UTF_8);
        String line = rest.lines().findFirst().orElse("");
        return line.isBlank() ? "" : ", '" + line.substring(0, line.offsetByCodePoints(0, Math.min(MAX_QUOTED,
                line.codePointCount(0, line.length())))) + "'";
    }
}
