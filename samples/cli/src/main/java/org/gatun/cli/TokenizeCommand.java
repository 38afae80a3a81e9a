package org.gatun.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.format.FormatException;
import org.gatun.format.GgufFile;
import org.gatun.model.ModelOptions;
import org.gatun.stories.StoryModels;
import org.gatun.tokenizer.Tokenizer;
import org.gatun.tokenizer.Tokenizers;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.JsonNodeFactory;

/// Splits text into tokens.
@Command(name = "tokenize", description = "Splits a text into tokens, and prints their numbers and spelling.", footer = {
        "", "Examples:",
        "  gatun tokenize \"Once upon a time\"",
        "  gatun tokenize --model vocabulary.gguf --text-file story.txt --add-special --json"})
final class TokenizeCommand implements Callable<Integer> {
    private final Console console;

    @Option(names = "--model", paramLabel = "FILE", description = "GGUF file, a vocabulary is enough, or tokenizer.json, "
            + "or a sentencepiece .model file; without it the tokenizer of the embedded models is used")
    private Optional<Path> model;

    @ArgGroup(multiplicity = "1")
    private Source source;

    @Option(names = "--add-special", description = "add what the model wants around a text, such as a beginning-of-text token")
    private boolean addSpecial;

    @Option(names = "--parse-special", description = "read special tokens written out in the text, such as <|im_start|>")
    private boolean parseSpecial;

    @Option(names = "--json", description = "print one JSON object")
    private boolean json;

    /// Where the text comes from.
    private static final class Source {
        @Parameters(paramLabel = "TEXT", description = "the text")
        private String text;

        @Option(names = "--text-file", paramLabel = "FILE", description = "file with the text in UTF-8, - for standard input")
        private Path file;
    }

    TokenizeCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        String text = source.file == null ? source.text : console.read(source.file);
        Tokenizer tokenizer = tokenizer(model);
        int[] tokens = tokenizer.encode(text, new Tokenizer.Special(addSpecial, parseSpecial));
        if (json) {
            console.println(JsonNodeFactory.instance.objectNode().set("tokens", Outcome.array(tokens)).toString());
            return 0;
        }
        for (int token : tokens) {
            console.println("%7d  %s".formatted(token, tokenizer.piece(token)));
        }
        return 0;
    }

    /// The tokenizer of a file, by default that of the embedded models.
    static Tokenizer tokenizer(Optional<Path> model) throws IOException {
        return model.isPresent() ? open(model.get()) : embedded();
    }

    private static Tokenizer open(Path file) throws IOException {
        if (Files.isDirectory(file)) {
            throw new FormatException(file, -1, "found a folder: expected a GGUF file, a tokenizer.json or a sentencepiece model");
        }
        String name = file.toString();
        if (name.endsWith(".json")) {
            return Tokenizers.fromTokenizerJson(file);
        }
        if (name.endsWith(".model")) {
            return Tokenizers.fromSentencePiece(file);
        }
        try (GgufFile gguf = GgufFile.open(file)) {
            return Tokenizers.fromGguf(gguf.metadata());
        }
    }

    private static Tokenizer embedded() throws IOException {
        try (Backend backend = Backends.open("reference"); StoryModels pair = StoryModels.open(backend, ModelOptions.STANDARD)) {
            return pair.target().tokenizer();
        }
    }
}
