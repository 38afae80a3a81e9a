package org.gatun.constraint;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.zip.GZIPInputStream;
import org.gatun.tokenizer.Tokenizer;
import org.gatun.tokenizer.Tokenizers;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Time of a mask and of a token, on the vocabulary of Llama 3 (128,000 tokens) and documents of MaskBench, under any JSON: once with what earlier documents
/// taught, once with a constraint compiled anew for each. `main` takes the folder of published files, a number of documents and a seed.
final class ConstraintBenchmark {
    private static final int WARM_UP = 300;

    private final List<Long> masks = new ArrayList<>();
    private final List<Long> accepts = new ArrayList<>();
    private final List<Long> compiles = new ArrayList<>();

    private ConstraintBenchmark() {}

    public static void main(String[] args) throws IOException {
        Path data = Path.of(args[0]);
        Tokenizer tokenizer = Tokenizers.fromBpeFiles(data.resolve("llama3-tokenizer/encoder.json"),
                data.resolve("llama3-tokenizer/vocab.bpe"), "llama-bpe");
        List<int[]> documents = documents(data, tokenizer, Integer.parseInt(args[1]) + WARM_UP, Long.parseLong(args[2]));
        System.out.printf(Locale.ROOT, "seed %s, %d documents of %d tokens%n", args[2], documents.size() - WARM_UP,
                documents.stream().skip(WARM_UP).mapToInt(each -> each.length).sum());
        for (int round = 0; round < 3; round++) {
            long begun = System.nanoTime();
            TokenTrie.of(tokenizer);
            System.out.printf(Locale.ROOT, "trie: %.0f ms%n", (System.nanoTime() - begun) / 1e6);
        }
        TokenTrie trie = TokenTrie.of(tokenizer);
        for (boolean anew : new boolean[] {false, true}) {
            new ConstraintBenchmark().run(trie, documents.subList(0, WARM_UP), anew);
            ConstraintBenchmark measured = new ConstraintBenchmark();
            measured.run(trie, documents.subList(WARM_UP, documents.size()), anew);
            System.out.println(anew ? "compiled for each document" : "one constraint for all documents");
            print("compile", measured.compiles);
            print("mask", measured.masks);
            print("accept", measured.accepts);
        }
    }

    private static List<int[]> documents(Path data, Tokenizer tokenizer, int count, long seed) throws IOException {
        List<String> texts = new ArrayList<>();
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(new GZIPInputStream(
                Files.newInputStream(data.resolve("jsonschemabench/maskbench.jsonl.gz"))), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (texts.size() < 4000) { // the first: all of them would fill the heap
                    for (JsonNode test : JsonMapper.shared().readTree(line).path("tests")) {
                        texts.add(test.path("data").toString());
                    }
                }
            }
        }
        Collections.shuffle(texts, new Random(seed));
        return texts.stream().limit(count).map(text -> tokenizer.encode(text, Tokenizer.Special.NONE)).toList();
    }

    private void run(TokenTrie trie, List<int[]> documents, boolean anew) {
        int[] mask = new int[trie.words()];
        CompiledConstraint constraint = Constraint.json().compile(trie);
        for (int[] document : documents) {
            long begun = System.nanoTime();
            constraint = anew ? Constraint.json().compile(trie) : constraint;
            compiles.add(System.nanoTime() - begun);
            ConstraintMatcher matcher = constraint.matcher();
            for (int token : document) {
                long before = System.nanoTime();
                matcher.mask(mask);
                long between = System.nanoTime();
                boolean accepted = matcher.accept(token);
                accepts.add(System.nanoTime() - between);
                masks.add(between - before);
                if (!accepted || (mask[token >> 5] >>> token & 1) == 0) {
                    throw new IllegalStateException("token " + token + " of a document is refused");
                }
            }
        }
    }

    private static void print(String what, List<Long> nanos) {
        long[] sorted = nanos.stream().mapToLong(Long::longValue).sorted().toArray();
        System.out.printf(Locale.ROOT, "  %-7s median %.1f us, mean %.1f, 99 %% %.1f, max %.1f%n", what, sorted[sorted.length / 2] / 1e3,
                Arrays.stream(sorted).average().orElse(0) / 1e3, sorted[(int) (sorted.length * 0.99)] / 1e3, sorted[sorted.length - 1] / 1e3);
    }
}
