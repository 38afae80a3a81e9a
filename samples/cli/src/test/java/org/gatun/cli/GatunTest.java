package org.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.StringWriter;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gatun.backend.cpu.CpuBackend;
import org.gatun.cuda.kernels.KernelVariant;
import org.gatun.format.GgufFile;
import org.gatun.format.GgufWriter;
import org.gatun.format.TensorData;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class GatunTest {

    @TempDir
    Path directory;

    @Test
    void generate_embeddedPair_tellsAStoryAndSumsUpOnTheLastLine() {
        CommandRun run = CommandRun.of("generate", "--prompt", "Once upon a time", "--max-tokens", "60");

        assertEquals(0, run.exitCode());
        assertTrue(run.out().strip().split(" ").length > 20, run.out());
        String last = run.err().strip().lines().toList().getLast();
        assertTrue(last.matches("60 tokens, [0-9.]+ tokens/s, draft, [0-9.]+ tokens a pass \\(\\w+\\)"
                + "; prompt of 5 tokens, [0-9.]+ tokens/s"), last);
    }

    @Test
    void generate_json_printsOneObjectWithEveryField() {
        CommandRun run = CommandRun.of("generate", "--prompt", "The dog", "--max-tokens", "20", "--speculate", "lookup", "--json");

        assertEquals(Set.of("text", "tokens", "prompt_tokens", "generated_tokens", "load_seconds", "prompt_seconds",
                "first_token_seconds", "seconds", "tokens_per_second", "backend",
                "method", "target_passes", "mean_accepted_length", "acceptance_rate", "draft_seconds", "verify_seconds",
                "draft_ahead_seconds"),
                new TreeSet<>(run.json().propertyNames()));
        assertEquals(20, run.json().get("tokens").size());
        assertEquals("lookup", run.json().get("method").stringValue());
        double prompt = run.json().get("prompt_seconds").doubleValue();
        double first = run.json().get("first_token_seconds").doubleValue();
        assertTrue(run.json().get("load_seconds").doubleValue() > 0, run.out());
        assertTrue(0 < prompt && prompt < first && first <= prompt + run.json().get("seconds").doubleValue(), run.out());
    }

    @Test
    void generate_everyMethod_givesTheSameText() {
        Set<String> texts = new TreeSet<>();
        List<String> methods = new ArrayList<>(List.of("draft:first=1:max=3", "rasd:inner=recycling"));
        SpeculationMethod.ALL.stream().filter(method -> !method.samplesProposals()).forEach(method -> methods.add(method.name()));
        for (String method : methods) {
            texts.add(CommandRun.of("generate", "--prompt", "One day", "--temperature", "0.9", "--seed", "5", "--max-tokens", "50",
                    "--speculate", method, "--json").json().get("text").stringValue());
        }

        assertEquals(1, texts.size(), texts::toString);
    }

    @Test
    void generate_stories260K_givesThePublishedText() throws IOException {
        Path folder = data("stories260K");
        CommandRun run = CommandRun.of("generate", "--model", folder.resolve("stories260K-f32.gguf").toString(), "--temperature",
                "0", "--max-tokens", "200", "--prompt", "", "--json");

        assertEquals(Files.readString(folder.resolve("golden_greedy_200.txt")), run.json().get("text").stringValue());
    }

    @Test
    void generate_stopString_endsBeforeIt() {
        CommandRun run = CommandRun.of("generate", "--prompt", "Once upon a time", "--stop", ".", "--json");

        assertFalse(run.json().get("text").stringValue().contains("."));
    }

    @ParameterizedTest
    @CsvSource({"--max-tokens, -1, 0 or more", "--temperature, nan, expected a number", "--temperature, -1, 0 or more",
        "--top-p, 0, more than 0", "--top-k, -3, 0 (all) or more", "--threads, 0, 1 or more", "--kv-type, q4_0, q8_0",
        "--backend, abacus, auto", "--speculate, magic, none", "--speculate, draft:max=99, from 1 to 63", "--context, -5, 1 or more",
        "--bogus, 1, Unknown option", "--seed, x, a whole number"})
    void generate_badOption_isOneLineAndExitCode2(String option, String value, String expected) {
        assertRefused(CommandRun.of("generate", "--prompt", "x", option, value), option, expected);
    }

    @Test
    void generate_badCorpus_isOneLineAndExitCode2() throws IOException {
        Path empty = Files.createFile(directory.resolve("empty.txt"));
        for (String method : List.of("rest", "aded", "rasd")) {
            for (Path file : List.of(empty, directory.resolve("absent.txt"))) {
                assertRefused(CommandRun.of("generate", "--prompt", "x", "--speculate", method + ":corpus=" + file), file.toString(),
                        "expected");
            }
        }
        assertRefused(CommandRun.of("generate", "--prompt", "x", "--speculate", "rasd:inner=magic"), "magic", "recycling");
    }

    @Test
    void generate_promptBeyondContext_isOneLineAndExitCode2() {
        assertRefused(CommandRun.of("generate", "--prompt", "word ".repeat(100_000)), "100", "--context");
    }

    @Test
    void generate_badModelFiles_areOneLineAndExitCode2() throws IOException {
        Path text = Files.writeString(directory.resolve("text.gguf"), "no model\n");
        Path empty = Files.createFile(directory.resolve("empty.gguf"));
        List<Path> files = new ArrayList<>(List.of(text, empty, directory, directory.resolve("absent.gguf")));
        if (Files.exists(Path.of("/dev/null"))) {
            files.add(Path.of("/dev/null"));
        }
        for (Path file : files) {
            assertRefused(CommandRun.of("generate", "--model", file.toString(), "--prompt", "x"), file.toString(), "expected");
        }
    }

    @Test
    void generate_truncatedModel_isOneLineAndExitCode2() throws IOException {
        byte[] whole = Files.readAllBytes(data("stories260K").resolve("stories260K-f32.gguf"));
        for (int length : new int[] {4, 100, 5000, 20_000, whole.length / 2, whole.length - 1}) {
            Path file = Files.write(directory.resolve("part.gguf"), Arrays.copyOf(whole, length));
            assertRefused(CommandRun.of("generate", "--model", file.toString(), "--prompt", "x"), "part.gguf", ":");
        }
    }

    private static final String TARGET = "../stories/src/main/resources/org/gatun/stories/target.gguf";

    @Test
    void quantize_json_saysSizesAndErrorsOfEachWeightAndTheModelRuns() {
        Path out = directory.resolve("out");
        CommandRun run = CommandRun.of("quantize", TARGET, out.toString(), "--type", "int8", "--json");

        assertEquals(0, run.exitCode(), run.err());
        assertTrue(run.json().get("weights").size() > 10);
        JsonNode weight = run.json().get("weights").valueStream()
                .filter(one -> one.get("name").stringValue().equals("blk.0.ffn_up.weight")).findFirst().orElseThrow();
        assertEquals("INT8", weight.get("to").stringValue());
        double error = weight.get("relative_rms_error").doubleValue();
        assertTrue(error > 0.001 && error < 0.02, "8 bits a weight: " + error);
        assertEquals(run.json().get("bytes_after").longValue(),
                run.json().get("weights").valueStream().mapToLong(one -> one.get("bytes_after").longValue()).sum());
        assertEquals(0, CommandRun.of("generate", "--model", out.toString(), "--prompt", "One day", "--max-tokens", "3").exitCode());
    }

    @Test
    void quantize_whatIsThere_isReplacedOnlyByForce() throws IOException {
        Path out = Files.writeString(directory.resolve("out.gguf"), "mine");
        assertRefused(CommandRun.of("quantize", TARGET, out.toString(), "--type", "q4_0"), out.toString(), "--force");
        assertEquals("mine", Files.readString(out));

        CommandRun run = CommandRun.of("quantize", TARGET, out.toString(), "--type", "q4_0", "--force");
        assertEquals(0, run.exitCode(), run.err());
        assertTrue(run.out().contains("blk.0.ffn_up.weight"));
        assertTrue(Files.size(out) > 1_000_000);
    }

    @Test
    void quantize_badInput_isOneLineAndExitCode2() throws IOException {
        String out = directory.resolve("out").toString();
        Path rules = Files.writeString(directory.resolve("rules.txt"), "\nblk.* q4_0\n");
        Path unknown = Files.writeString(directory.resolve("unknown.txt"), "blk.* = q3\n");
        Path empty = Files.createFile(directory.resolve("empty.txt"));
        assertRefused(CommandRun.of("quantize", TARGET, out, "--type", "q9"), "--type", "expected one of");
        assertRefused(CommandRun.of("quantize", TARGET, out, "--type", "q4_0"), "Q4_0", "FILE.gguf");
        assertRefused(CommandRun.of("quantize", TARGET, out + ".gguf", "--type", "nf4"), "NF4", "directory");
        assertRefused(CommandRun.of("quantize", TARGET, out, "--type", "nf4", "--layers", rules.toString()), "line 2", "pattern = type");
        assertRefused(CommandRun.of("quantize", TARGET, out, "--type", "int8", "--double-quantize"), "--double-quantize", "nf4 or fp4");
        assertRefused(CommandRun.of("quantize", TARGET, out, "--type", "nf4", "--layers", unknown.toString()), "line 1",
                "expected one of");
        assertRefused(CommandRun.of("quantize", TARGET, directory.resolve("no/where").toString(), "--type", "nf4"), "no folder", "create");
        assertRefused(CommandRun.of("quantize", "absent.gguf", out, "--type", "nf4"), "absent.gguf", "no such file");
        assertRefused(CommandRun.of("quantize", TARGET, out, "--type", "sparse_2_4_f16", "--calibrate", empty.toString()), "--calibrate");
    }

    @Test
    void bench_formats_compareWithTheModelAsStored() throws IOException {
        Path report = directory.resolve("formats.html");
        Path text = Files.writeString(directory.resolve("story.txt"), "Once upon a time there was a little girl named Lily.");
        CommandRun run = CommandRun.of("bench", "--formats", "f32,sparse_1_16_f16,int8/int8-outliers", "--text", text.toString(),
                "--max-tokens", "4",
                "--report", report.toString(), "--json");

        assertEquals(0, run.exitCode(), run.err());
        JsonNode rows = run.json();
        assertEquals(4, rows.size());
        JsonNode stored = rows.get(0);
        assertEquals("as stored", stored.get("type").stringValue());
        assertEquals(0, stored.get("kl_divergence").get("1.0").doubleValue());
        assertEquals(1, stored.get("same_token").doubleValue());
        assertEquals(1, stored.get("same_sample").get("0.7").doubleValue());
        assertEquals(4, stored.get("same_text_tokens").doubleValue());
        JsonNode sparse = rows.get(2);
        assertTrue(sparse.get("bytes").longValue() < stored.get("bytes").longValue(), sparse.toString());
        assertTrue(sparse.get("perplexity").doubleValue() > 2 * stored.get("perplexity").doubleValue(), "one weight of 16: " + sparse);
        for (JsonNode divergence : sparse.get("kl_divergence")) {
            assertTrue(divergence.doubleValue() > rows.get(1).get("kl_divergence").get("1.0").doubleValue(), rows.toString());
        }
        assertTrue(sparse.get("same_sample").get("0.1").doubleValue() < 1, sparse.toString());
        assertTrue(Files.readString(report).contains("sparse_1_16_f16"));
        JsonNode eight = rows.get(3);
        assertEquals("int8/int8-outliers", eight.get("type").stringValue());
        assertEquals(stored.get("perplexity").doubleValue(), eight.get("perplexity").doubleValue(),
                0.05 * stored.get("perplexity").doubleValue(), eight.toString());
        assertRefused(CommandRun.of("bench", "--formats", "f32,q9"), "--formats q9", "expected one of");
        assertRefused(CommandRun.of("bench", "--formats", "int8/int9"), "--formats int8/int9", "expected one of none, int8");
        assertRefused(CommandRun.of("bench", "--formats", "nf4/int8"), "--formats nf4/int8", "for weights of int8");
    }

    @Test
    void generate_activationsInEightBits_needWeightsOfInt8() {
        CommandRun run = CommandRun.of("generate", "--prompt", "Once", "--max-tokens", "4", "--quantize", "int8",
                "--activations", "int8");

        assertEquals(0, run.exitCode(), run.err());
        assertRefused(CommandRun.of("generate", "--prompt", "a", "--quantize", "int8", "--activations", "int4"), "--activations",
                "'int4'", "none, int8, int8-outliers");
        assertRefused(CommandRun.of("generate", "--prompt", "a", "--activations", "int8"), "activations int8", "--quantize int8");
    }

    @Test
    void divergence_byHand_isThatOfTheFormula() {
        double[] p = {Math.log(0.5), Math.log(0.25), Math.log(0.25)};
        double[] q = {Math.log(0.25), Math.log(0.5), Math.log(0.25)};
        assertEquals(0.25 * Math.log(2), FormatsBench.divergence(p, q, 1), 1e-12);
        // at half the temperature probabilities are as their squares: 4, 1, 1 of 6
        assertEquals(0.5 * Math.log(4), FormatsBench.divergence(p, q, 0.5), 1e-12);
    }

    @Test
    void generate_promptFileThatIsADirectory_isOneLineAndExitCode2() {
        assertRefused(CommandRun.of("generate", "--prompt-file", directory.toString()), directory.toString(), "expected a file");
    }

    @Test
    void run_emptyFileName_isRefusedByOption() {
        for (String option : List.of("--model", "--draft", "--prompt-file")) {
            assertRefused(CommandRun.of("generate", "--prompt", "x", option, ""), option, "found nothing, expected the name of a file");
        }
        assertRefused(CommandRun.of("quantize", "", "out.gguf"), "IN", "found nothing, expected the name of a file");
    }

    @Test
    void generate_folderThatIsNoModel_saysWhatWasExpected(@TempDir Path folder) {
        assertRefused(CommandRun.of("generate", "--prompt", "x", "--model", folder.toString()),
                folder + ": found a folder without config.json: expected a GGUF file, or a folder with config.json and safetensors");
        assertRefused(CommandRun.of("tokenize", "--model", folder.toString(), "x"),
                folder + ": found a folder: expected a GGUF file, a tokenizer.json or a sentencepiece model");
    }

    @Test
    void generate_contextBeyondMemory_isOneLineAndExitCode2() {
        long total = HostMemory.read().map(HostMemory::totalBytes).orElse(Long.MAX_VALUE);
        assumeTrue(total < 100L << 30, "a machine with less than 100 GiB, and Linux: its memory is " + total);
        assertRefused(CommandRun.of("generate", "--prompt", "x", "--context", "16777216", "--kv-type", "f32"), "do not fit", "--context");
    }

    @Test
    void generate_contextBeyondWhatCanBeCounted_isOneLineAndExitCode2() {
        for (String context : List.of("2147483647", "2000000000", "16777217")) {
            assertRefused(CommandRun.of("generate", "--prompt", "x", "--context", context), "--context " + context, "up to 16777216");
        }
        assertRefused(CommandRun.of("generate", "--prompt", "x", "--context", "99999999999"), "--context", "a whole number");
    }

    @Test
    void generate_moreThreadsThanProcessors_warns() {
        int processors = Runtime.getRuntime().availableProcessors();
        CommandRun run = CommandRun.of("generate", "--prompt", "Once", "--max-tokens", "2", "--threads", Integer.toString(processors + 1));
        assertEquals(0, run.exitCode(), run.err());
        assertTrue(run.err().startsWith("gatun: warning: --threads " + (processors + 1) + ": this process may use " + processors), run.err());
        assertRefused(CommandRun.of("generate", "--prompt", "x", "--threads", "257"), "--threads 257", "up to 256");
    }

    @Test
    void generate_everyInstructionSet_isTakenAndListed() {
        String listed = CommandRun.of("devices").out();
        for (String name : CpuBackend.instructionSets()) {
            assertTrue(listed.contains(name), listed);
            CommandRun run = CommandRun.of("generate", "--prompt", "Once", "--max-tokens", "2", "--instruction-set", name, "--backend", "cpu");
            assertEquals(0, run.exitCode(), run.err());
        }
        assertRefused(CommandRun.of("generate", "--prompt", "x", "--instruction-set", "avx1024"), "--instruction-set avx1024", "portable");
        assertRefused(CommandRun.of("generate", "--prompt", "x", "--instruction-set", "neon,avx2"), "neon,avx2", "portable");
        assertRefused(CommandRun.of("generate", "--prompt", "x", "--instruction-set", "portable", "--backend", "reference"),
                "--instruction-set portable", "--backend cpu");
    }

    @Test
    void generate_draftingWithoutDraftModel_namesTheMissingOption() {
        String model = Path.of("../stories/src/main/resources/org/gatun/stories/target.gguf").toString();
        assertRefused(CommandRun.of("generate", "--model", model, "--prompt", "x", "--speculate", "draft"), "--speculate", "--draft");
    }

    @Test
    void generate_misspelledOption_suggestsTheNearest() {
        assertRefused(CommandRun.of("generate", "--promt", "x"), "--promt", "did you mean --prompt?");
    }

    @Test
    void generate_readerGone_endsQuietly() {
        CommandRun run = CommandRun.withoutOutput("Broken pipe", "generate", "--prompt", "Once", "--ignore-eos");

        assertEquals(0, run.exitCode());
        assertEquals("", run.err());
    }

    @Test
    void generate_processToldToEnd_printsTheFiguresFirst() throws Exception {
        Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"), "org.gatun.cli.Gatun",
                "generate", "--prompt", "Once", "--ignore-eos", "--context", "400000", "--max-tokens", "390000").start();
        try (InputStream out = process.getInputStream()) {
            assertTrue(out.read() >= 0);
            process.toHandle().destroy(); // as Process.destroy, but keeps the streams open
            out.readAllBytes();
        }

        assertEquals(128 + 15, process.waitFor());
        String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(err.matches("(?s).*[0-9]+ tokens, [^\n]+\n"), err);
    }

    @Test
    void help_everyCommand_hasExamplesWithKnownMethods() {
        for (String command : List.of("generate", "chat", "bench", "inspect", "devices", "kernels", "tokenize", "template", "perplexity", "quantize")) {
            CommandRun run = CommandRun.of(command, "--help");
            assertEquals(0, run.exitCode());
            assertTrue(run.out().contains("  gatun " + command), run.out());
            Matcher methods = Pattern.compile("--speculate ([a-z][^ \\n]*)").matcher(run.out());
            while (methods.find()) {
                Stream.of(methods.group(1).split(",")).forEach(SpeculationMethod::parse);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"generate --prompt Once --max-tokens 4", "generate --prompt Once --max-tokens 4 --json",
        "tokenize hello", "tokenize --json hello", "inspect " + TARGET, "inspect --json " + TARGET, "devices", "devices --json", "kernels",
        "kernels --json", "generate --help", "--version", "bench --speculate none --rounds 1 --max-tokens 1 --json"})
    void run_outputThatNobodyCouldTake_isOneLineAndExitCode2(String command) {
        CommandRun full = CommandRun.withoutOutput("No space left on device", command.split(" "));
        assertEquals(2, full.exitCode(), full.err());
        assertEquals("gatun: standard output: No space left on device", withoutProgress(full.err()));

        CommandRun gone = CommandRun.withoutOutput("Broken pipe", command.split(" "));
        assertEquals(0, gone.exitCode(), gone.err());
        assertEquals("", withoutProgress(gone.err()));
    }

    /// Without the lines that a slow machine gets.
    private static String withoutProgress(String err) {
        return err.lines().filter(line -> !line.matches("gatun: (preparing|measuring|reading) .*")).collect(Collectors.joining("\n"));
    }

    @Test
    void chat_outputThatNobodyCouldTake_endsAfterTheFirstAnswer() {
        CommandRun run = CommandRun.withoutOutput("No space left on device", "Once\n/what\n", new String[] {"chat"});
        assertEquals(2, run.exitCode(), run.err());
        assertTrue(run.err().endsWith("gatun: standard output: No space left on device\n"), run.err());
        assertFalse(run.err().contains("unknown command"), "nothing more is read: " + run.err());
    }

    /// Runs the program itself by a line of the shell, in which `$GATUN` is how to start it.
    private CommandRun process(String line, String locale) throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/bin/sh")) && Files.exists(Path.of("/proc/self/cmdline")), "no /bin/sh or no /proc");
        Path out = directory.resolve("out");
        Path err = directory.resolve("err");
        ProcessBuilder builder = new ProcessBuilder("/bin/sh", "-c", line).redirectOutput(out.toFile()).redirectError(err.toFile());
        builder.environment().keySet().removeIf(name -> name.equals("LANG") || name.startsWith("LC_"));
        builder.environment().put("LC_ALL", locale);
        builder.environment().put("CLASSPATH", System.getProperty("java.class.path"));
        builder.environment().put("GATUN", Path.of(System.getProperty("java.home"), "bin", "java")
                + " -XX:+UseSerialGC --enable-native-access=ALL-UNNAMED org.gatun.cli.Gatun");
        Process process = builder.start();
        assertTrue(process.waitFor(120, TimeUnit.SECONDS), "still runs after two minutes");
        return new CommandRun(process.exitValue(), Files.readString(out), Files.readString(err));
    }

    @Test
    void main_inALocaleWithoutUtf8_readsLettersAndWritesThem() throws Exception {
        String expected = CommandRun.of("tokenize", "caf\u00e9").out();
        for (String locale : List.of("C", "xx_YY.UTF-8")) {
            CommandRun run = process("$GATUN tokenize \"$(printf 'caf\\303\\251')\"", locale);
            assertEquals(expected, run.out(), run.err());
        }
        CommandRun latin = process("$GATUN tokenize \"$(printf 'caf\\351')\"", "C");
        assertEquals(2, latin.exitCode());
        assertTrue(latin.err().startsWith("gatun: argument 2 at byte 3: found 0xe9"), latin.err());
    }

    @Test
    void main_streamsClosedOrFull_areSaidInOneLine() throws Exception {
        CommandRun closed = process("$GATUN tokenize --text-file - <&-", "C");
        assertEquals(2, closed.exitCode());
        assertEquals("gatun tokenize: standard input is closed\n", closed.err());
        assumeTrue(Files.exists(Path.of("/dev/full")), "no /dev/full");
        CommandRun full = process("$GATUN tokenize hello >/dev/full", "C");
        assertEquals(2, full.exitCode());
        assertEquals("gatun: standard output: No space left on device\n", full.err());
        CommandRun gone = process("{ $GATUN tokenize hello; echo $? >&2; } | true", "C");
        assertEquals("0\n", gone.err());
    }

    @Test
    void progress_ofAFileWithControlCharacters_writesThemOut() throws Exception {
        StringWriter err = new StringWriter();
        try (Progress _ = new Progress(new Console(InputStream.nullInputStream(), new StringWriter(), err, true, true), "reading \u001b]0;x")) {
            Thread.sleep(1500);
        }
        assertTrue(err.toString().contains("reading \\x1b]0;x"), err.toString());
    }

    @Test
    void generate_promptFile_losesItsByteOrderMarkAndNothingElse() throws IOException {
        Path plain = Files.writeString(directory.resolve("plain.txt"), "Once upon a time");
        Path marked = Files.writeString(directory.resolve("marked.txt"), "\ufeffOnce upon a time");
        for (Path file : List.of(plain, marked)) {
            JsonNode json = CommandRun.of("generate", "--prompt-file", file.toString(), "--max-tokens", "4", "--json").json();
            assertEquals(5, json.get("prompt_tokens").intValue());
        }
        JsonNode piped = CommandRun.withInput("\ufeffOnce upon a time", "generate", "--prompt-file", "-", "--max-tokens", "4", "--json").json();
        assertEquals(5, piped.get("prompt_tokens").intValue());
        JsonNode within = CommandRun.withInput("Once\ufeff", "tokenize", "--text-file", "-", "--json").json();
        assertTrue(within.get("tokens").size() > 3, "a mark elsewhere is text: " + within);
    }

    @Test
    void generate_promptThatIsNotUtf8_isOneLineAndExitCode2() throws IOException {
        byte[] latin = "caf\u00e9".getBytes(StandardCharsets.ISO_8859_1);
        Path file = Files.write(directory.resolve("latin.txt"), latin);
        assertRefused(CommandRun.of("generate", "--prompt-file", file.toString()), "latin.txt at byte 3", "0xe9", "UTF-8");
        assertRefused(CommandRun.of(latin, false, "generate", "--prompt-file", "-"), "standard input at byte 3", "0xe9");
        assertRefused(CommandRun.of("\u00e9".getBytes(StandardCharsets.UTF_16), false, "generate", "--prompt-file", "-"),
                "standard input at byte 0", "UTF-8");
        CommandRun chat = CommandRun.of(latin, false, "chat");
        assertEquals(2, chat.exitCode());
        assertTrue(chat.err().contains("standard input at byte 3"), chat.err());
    }

    @Test
    void arguments_ofALocaleWithoutUtf8_areReadAgainFromTheirBytes() {
        String[] decoded = {"tokenize", "caf\ufffd\ufffd?", ""};
        byte[] words = "java\0-jar\0gatun.jar\0tokenize\0caf\u00e9?\0\0".getBytes(StandardCharsets.UTF_8);

        assertEquals(List.of("tokenize", "caf\u00e9?", ""), List.of(Arguments.restore(decoded, words).orElseThrow()));
        assertTrue(Arguments.restore(decoded, "java\0other\0words\0here\0".getBytes(StandardCharsets.UTF_8)).isEmpty());
        assertTrue(Arguments.restore(decoded, new byte[0]).isEmpty());
        byte[] latin = "tokenize\0caf\u00e9?\0\0".getBytes(StandardCharsets.ISO_8859_1);
        assertTrue(assertThrows(IllegalArgumentException.class, () -> Arguments.restore(decoded, latin)).getMessage()
                .startsWith("argument 2 at byte 3"));
    }

    @Test
    void tokenize_onATerminal_writesControlCharactersOut() throws IOException {
        Path file = Files.writeString(directory.resolve("text.txt"), "a\u001b[31m\u009b2J\r\tb");
        CommandRun run = CommandRun.onTerminal("tokenize", "--text-file", file.toString());
        assertTrue(run.out().chars().noneMatch(c -> Character.isISOControl(c) && c != '\n' && c != '\t'), run.out());

        CommandRun refused = CommandRun.onTerminal("inspect", "no\u001b]0;title\u0007file");
        assertEquals(2, refused.exitCode());
        assertTrue(refused.err().contains("no\\x1b]0;title\\x07file"), refused.err());
        assertTrue(CommandRun.of("inspect", "no\u001bfile").err().contains("no\u001bfile"), "a pipe gets what there is");
    }

    @Test
    void chat_unknownCommand_listsTheKnownOnesAndEveryEndEnds() {
        CommandRun run = CommandRun.withInput("/what\n/bye\n", "chat");
        assertEquals(0, run.exitCode(), run.err());
        assertTrue(run.err().contains("unknown command /what") && run.err().contains("/reset") && run.err().contains("/stats"), run.err());
        for (String end : List.of("/quit", "/bye", "/exit", " /quit ")) {
            CommandRun ended = CommandRun.withInput(end + "\n/what\n", "chat");
            assertEquals(0, ended.exitCode());
            assertFalse(ended.err().contains("unknown"), end);
        }
    }

    @Test
    void generateAndPerplexity_weightsThatAreNoNumbers_sayItInOneLineAndFail() throws IOException {
        Path spoiled = directory.resolve("spoiled.gguf");
        try (GgufFile file = GgufFile.open(Path.of(TARGET))) {
            GgufWriter writer = new GgufWriter().putAll(file);
            for (Tensor tensor : file.tensors().values()) {
                byte[] bytes = tensor.data().toArray(ValueLayout.JAVA_BYTE);
                if (tensor.name().equals("output_norm.weight")) {
                    Arrays.fill(bytes, (byte) 0xff); // NaN in F32
                }
                writer.tensor(new Tensor(tensor.name(), tensor.dtype(), tensor.shape(), MemorySegment.ofArray(bytes)));
            }
            writer.write(spoiled);
        }
        Path text = Files.writeString(directory.resolve("text.txt"), "Once upon a time there was a little girl.");
        for (CommandRun run : List.of(CommandRun.of("generate", "--model", spoiled.toString(), "--prompt", "Once", "--max-tokens", "3"),
                CommandRun.of("perplexity", "--model", spoiled.toString(), "--text", text.toString()))) {
            assertEquals(1, run.exitCode(), run.err());
            assertEquals("", run.out());
            assertTrue(run.err().strip().lines().toList().getLast().contains("are not numbers: the weights of " + spoiled), run.err());
        }
    }

    private static void assertRefused(CommandRun run, String... mentioned) {
        assertEquals(2, run.exitCode(), run.err());
        assertEquals("", run.out());
        assertEquals(1, withoutProgress(run.err()).lines().count(), run.err());
        for (String text : mentioned) {
            assertTrue(run.err().contains(text), run.err() + " does not mention " + text);
        }
    }

    @Test
    void bench_schemas_countWhatIsRefusedAndWhatIsWrong() throws IOException {
        Path schemas = Files.writeString(directory.resolve("schemas.jsonl"), """
                {"schema": {"type": "integer"}, "tests": [{"data": 12, "valid": true}, {"data": "a", "valid": false}, {"data": [1], "valid": true}]}
                {"schema": {"type": "array", "uniqueItems": true}, "tests": []}
                """);
        JsonNode json = CommandRun.of("bench", "--schemas", schemas.toString(), "--json").json();

        assertEquals(2, json.get("schemas").intValue());
        assertEquals(1, json.get("compiled").intValue());
        assertEquals(0, json.get("passed").intValue());
        assertEquals(0, json.get("wrong_accepts").intValue());
        assertEquals(1, json.get("wrong_refusals").intValue(), "the list that is said to be an integer");
        assertEquals(1, json.get("refused").get("uniqueItems").intValue());
        assertTrue(json.get("mask_us").get("median").doubleValue() > 0, json.toString());
        assertEquals(2, CommandRun.of("bench", "--schemas", schemas.toString(), "--one-in", "0").exitCode());
    }

    @Test
    void bench_severalMethods_areIdenticalAtTemperatureZero() {
        JsonNode json = CommandRun.of("bench", "--speculate", "none,draft,lookup,auto", "--max-tokens", "24", "--rounds", "2", "--json")
                .json();

        assertEquals(Set.of("subject", "rounds", "synthetic_acceptance", "pass_seconds_by_rows", "methods", "categories"),
                new TreeSet<>(json.propertyNames()));
        assertEquals(2, json.get("rounds").intValue());
        assertTrue(json.get("synthetic_acceptance").isNull(), json.toString());
        assertTrue(json.get("pass_seconds_by_rows").get("64").doubleValue() > json.get("pass_seconds_by_rows").get("1").doubleValue());
        assertEquals(0, json.get("categories").size(), "prompts without a category");
        assertEquals(4, json.get("methods").size());
        for (JsonNode row : json.get("methods")) {
            assertEquals(Set.of("method", "prompts", "tokens", "seconds", "draft_seconds", "verify_seconds", "draft_ahead_seconds",
                    "host_seconds",
                    "tokens_per_second", "tokens_per_second_spread", "speedup", "speedup_spread", "predicted_speedup",
                    "mean_accepted_length", "mean_rows", "acceptance_by_depth", "identical_to_none"), new TreeSet<>(row.propertyNames()));
            assertTrue(row.get("identical_to_none").booleanValue(), row.toString());
            assertEquals(2 * 10 * 24, row.get("tokens").intValue());
            JsonNode spread = row.get("tokens_per_second_spread");
            assertTrue(spread.get(0).doubleValue() <= spread.get(1).doubleValue()
                    && spread.get(1).doubleValue() <= spread.get(2).doubleValue(), row.toString());
            assertEquals(row.get("seconds").doubleValue(), row.get("draft_seconds").doubleValue()
                    + row.get("verify_seconds").doubleValue() + row.get("host_seconds").doubleValue(), 1e-6);
        }
        assertEquals(1, json.get("methods").get(0).get("mean_accepted_length").doubleValue());
        assertEquals(0, json.get("methods").get(0).get("acceptance_by_depth").size());
        assertTrue(json.get("methods").get(1).get("acceptance_by_depth").get(0).doubleValue() > 0.3, json.toString());
    }

    @Test
    void bench_promptsWithCategories_areAlsoCountedByCategory() throws IOException {
        Path prompts = Files.writeString(directory.resolve("prompts.jsonl"), """
                {"question_id": 1, "category": "writing", "turns": ["Once upon a time", "And then?"]}
                {"question_id": 2, "category": "qa", "turns": ["The dog"]}
                {"question_id": 3, "category": "writing", "turns": ["One day"]}
                """);
        String[] command = {"bench", "--speculate", "none,lookup", "--prompts", prompts.toString(), "--max-tokens", "8", "--rounds", "1"};

        CommandRun table = CommandRun.of(command);
        assertTrue(table.out().contains("\nwriting ") && table.out().contains("\nqa "), table.out());
        String[] asJson = Stream.concat(Stream.of(command), Stream.of("--json")).toArray(String[]::new);
        JsonNode categories = CommandRun.of(asJson).json().get("categories");
        assertEquals(Set.of("writing", "qa"), new TreeSet<>(categories.propertyNames()));
        assertEquals(2, categories.get("writing").get(1).get("prompts").intValue());
        assertEquals(8, categories.get("qa").get(0).get("tokens").intValue());
    }

    @Test
    void bench_syntheticAcceptance_isReachedAndSaidEverywhere() throws IOException {
        Path report = directory.resolve("report.html");
        String[] command = {"bench", "--speculate", "none,draft:margin=0", "--acceptance", "1", "--max-tokens", "32", "--rounds", "1"};

        JsonNode json = CommandRun.of(Stream.concat(Stream.of(command), Stream.of("--json")).toArray(String[]::new)).json();
        assertEquals(1, json.get("synthetic_acceptance").doubleValue());
        JsonNode draft = json.get("methods").get(1);
        draft.get("acceptance_by_depth").forEach(rate -> assertEquals(1, rate.doubleValue(), draft.toString()));
        assertTrue(draft.get("identical_to_none").booleanValue());
        assertTrue(draft.get("draft_seconds").doubleValue() > 0, "the draft model runs all the same");

        CommandRun table = CommandRun.of(
                Stream.concat(Stream.of(command), Stream.of("--report", report.toString())).toArray(String[]::new));
        assertTrue(table.out().startsWith("SYNTHETIC ACCEPTANCE 1.0"), table.out());
        assertTrue(Files.readString(report).contains("SYNTHETIC ACCEPTANCE 1.0"));
    }

    @Test
    void bench_badInput_isRefusedInOneLine() {
        assertRefused(CommandRun.of("bench", "--acceptance", "1.5"), "--acceptance 1.5", "0 to 1");
        assertRefused(CommandRun.of("bench", "--rounds", "0"), "--rounds 0", "1 or more");
        assertRefused(CommandRun.of("bench", "--random", "7b:q8_0"), "--random 7b:q8_0", "170m:TYPE");
        assertRefused(CommandRun.of("bench", "--random", "170m:q9"), "--random 170m:q9", "q8_0");
        assertRefused(CommandRun.of("bench", "--random", "170m:q8_0", "--model", "x.gguf"), "--random", "--model");
        assertRefused(CommandRun.of("generate", "--prompt", "x", "--speculate", "auto:methods=magic"), "magic", "expected one of none");
    }

    @Test
    void bench_report_loadsNothingFromOutside() throws IOException {
        Path report = directory.resolve("report.html");
        CommandRun run = CommandRun.of("bench", "--speculate", "none,lookup", "--max-tokens", "8", "--rounds", "1", "--report",
                report.toString());

        assertEquals(0, run.exitCode(), run.err());
        String page = Files.readString(report).replace("http://www.w3.org/2000/svg", "");
        assertTrue(page.contains("<svg"), page);
        assertFalse(page.matches("(?s).*(src=|href=|https?://|@import).*"), page);
        assertFalse(page.contains("NaN"), page);
        for (String explained : List.of("drafting", "verifying: passes of the target", "host: all the rest", "% of the time", "tokens/s",
                "depth: which token of the proposal", "rows of the pass", "time, in passes of one row", "the slowest and the fastest round",
                "prefers-color-scheme: dark")) {
            assertTrue(page.contains(explained), explained);
        }
    }

    @Test
    void ticks_anyRange_areFewRoundAndWithin() {
        assertEquals(List.of(0.0, 20.0, 40.0, 60.0, 80.0, 100.0), HtmlPage.ticks(100));
        assertEquals(List.of(0.0), HtmlPage.ticks(0));
        for (double max = 1e-4; max < 1e6; max *= 1.37) {
            List<Double> ticks = HtmlPage.ticks(max);
            assertTrue(ticks.size() >= 3 && ticks.size() <= 7 && ticks.getLast() <= max * 1.001, max + ": " + ticks);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt-2", "llama-spm", "deepseek-coder", "falcon", "phi-3", "starcoder", "bert-bge"})
    void tokenize_publishedVocabulary_givesPublishedIds(String name) throws IOException {
        Path vocabulary = data("ggml-vocab").resolve("ggml-vocab-" + name + ".gguf");
        List<String> texts = List.of(Files.readString(Path.of(vocabulary + ".inp")).split("\n__ggml_vocab_test__\n", -1));
        List<String> ids = Files.readAllLines(Path.of(vocabulary + ".out"));
        for (int i : new int[] {0, 3, ids.size() / 2, ids.size() - 1}) {
            Path file = Files.writeString(directory.resolve("text.txt"), texts.get(i));
            JsonNode tokens = CommandRun.of("tokenize", "--model", vocabulary.toString(), "--text-file", file.toString(), "--json")
                    .json().get("tokens");
            List<String> found = new ArrayList<>();
            tokens.forEach(token -> found.add(token.toString()));
            assertEquals(ids.get(i).strip(), String.join(" ", found), name + ", text " + i);
        }
    }

    @Test
    void perplexity_embeddedTarget_isThatOfAStoryModel() throws IOException {
        Path text = Files.writeString(directory.resolve("story.txt"), "Once upon a time there was a little girl named Lily. "
                + "She loved to play in the park with her dog. One day, they saw a big red ball. Lily was very happy.");

        JsonNode json = CommandRun.of("perplexity", "--text", text.toString(), "--json").json();

        assertTrue(json.get("perplexity").doubleValue() > 1 && json.get("perplexity").doubleValue() < 12, json.toString());
        assertTrue(json.get("tokens").intValue() > 20);
    }

    @Test
    void perplexity_contextOfOneToken_isRefused() throws IOException {
        Path text = Files.writeString(directory.resolve("story.txt"), "Once upon a time");
        assertRefused(CommandRun.of("perplexity", "--text", text.toString(), "--context", "1"), "--context 1", "2 or more");
    }

    @Test
    void inspect_storiesModel_listsTensors() {
        CommandRun run = CommandRun.of("inspect", data("stories260K").resolve("stories260K-f32.gguf").toString());

        assertEquals(0, run.exitCode(), run.err());
        assertTrue(run.out().contains("blk.4.ffn_down.weight"), run.out());
    }

    @Test
    void inspect_modelThatSaysMoreThanIsDone_listsWhatBecomesOfIt() throws IOException {
        Path file = directory.resolve("unsupported.gguf");
        new GgufWriter().putString("general.architecture", "llama").putString("general.name", "a name")
                .putUint32("llama.block_count", 1).putUint32("llama.embedding_length", 32).putUint32("llama.feed_forward_length", 32)
                .putUint32("llama.attention.head_count", 2).putUint32("llama.vocab_size", 8).putUint32("llama.expert_count", 4)
                .tensor("extra", DType.F32, Shape.of(1), TensorData.of(MemorySegment.ofArray(new byte[4]))).write(file);
        CommandRun run = CommandRun.of("inspect", file.toString());
        JsonNode json = CommandRun.of("inspect", file.toString(), "--json").json();

        assertEquals(0, run.exitCode(), run.err());
        assertTrue(run.out().matches("(?s).*\\nread\\n.*llama\\.block_count.*\\nchanges nothing\\n.*general\\.name +describes.*"
                + "\\nnot supported\\n.*llama\\.expert_count +experts are not supported.*\\nwarning: unsupported.gguf: tensors extra.*"
                + "cannot be run.*"), run.out());
        assertEquals("llama.expert_count", json.at("/report/not_supported/0/name").stringValue());
        assertEquals("general.architecture", json.at("/report/read/0/name").stringValue());
        assertEquals("general.name", json.at("/report/changes_nothing/0/name").stringValue());
        assertEquals(1, json.at("/report/warnings").size());
        assertTrue(json.get("unsupported").isString());
    }

    @Test
    void devices_json_namesEveryBackendWithReasons() {
        JsonNode devices = CommandRun.of("devices", "--json").json();

        List<String> names = new ArrayList<>();
        for (JsonNode device : devices) {
            names.add(device.get("name").stringValue());
            assertTrue(device.get("available").booleanValue() == device.get("reason").isNull(), device.toString());
        }
        assertEquals(List.of("cuda", "cpu", "reference", "simulator"), names.stream().distinct().toList());
        assertTrue(devices.get(devices.size() - 1).get("available").booleanValue());
    }

    @Test
    void generate_simulator_tellsTheStoryOfTheCpu() {
        String[] common = {"generate", "--prompt", "Once upon a time", "--max-tokens", "12", "--speculate", "lookup"};
        String[] simulated = Stream.concat(Stream.of(common), Stream.of("--backend", "simulator")).toArray(String[]::new);

        assertEquals(CommandRun.of(common).out(), CommandRun.of(simulated).out());
    }

    @Test
    void kernels_run_countsWhatShippedKernelsDid() {
        List<String> all = KernelVariant.all().stream().map(KernelVariant::kernel).distinct().toList();
        // the guide's test launches all of them, too
        List<String> some = IntStream.range(0, all.size()).filter(i -> TestScale.takesOneIn(12, i)).mapToObj(all::get).toList();
        JsonNode launches = CommandRun.of(Stream.concat(Stream.of("kernels", "--run", "--rows", "2", "--width", "64", "--json"),
                some.stream()).toArray(String[]::new)).json();

        assertEquals(some.size(), launches.size());
        for (JsonNode launch : launches) {
            assertTrue(launch.get("thread_instructions").longValue() > 0, launch.toString());
            assertTrue(launch.get("global_bytes_written").longValue() > 0, launch.toString());
        }
        assertEquals(1 + KernelVariant.all().size(), CommandRun.of("kernels").out().lines().count(), "a head and a line each");
    }

    @Test
    void kernels_model_saysModelledTimeFloorAndLimit() {
        JsonNode launches = CommandRun.of("kernels", "--run", "--model", "a100", "--rows", "1", "--width", "256", "--outputs", "4096", "--json",
                "norm_rms_bf16", "matmul_bf16_16x32").json();

        assertEquals(2, launches.size());
        for (JsonNode launch : launches) {
            assertTrue(launch.get("modelled_us").doubleValue() > launch.get("floor_us").doubleValue(), launch.toString());
            assertEquals("a100", launch.get("model").stringValue());
            assertFalse(launch.get("limit").stringValue().isBlank(), launch.toString());
        }
        assertEquals("matmul_bf16_16x32", launches.get(1).get("kernel").stringValue());
        assertEquals(128, launches.get(1).get("blocks").intValue(), "blocks of 32 outputs");
    }

    @Test
    void kernels_badInput_isRefusedInOneLine() {
        assertRefused(CommandRun.of("kernels", "--run", "--model", "h300", "norm_rms_f32"), "unknown device 'h300'", "h200");
        assertRefused(CommandRun.of("kernels", "--model", "h200"), "--model", "--run");
        assertRefused(CommandRun.of("kernels", "norm_rms"), "unknown kernel 'norm_rms'", "norm_rms_bf16");
        assertRefused(CommandRun.of("kernels", "--run", "--driver", "metal"), "unknown driver 'metal'", "simulator");
        assertRefused(CommandRun.of("kernels", "--run", "--width", "100", "--json"), "--width 100", "multiple of 64");
        assertRefused(CommandRun.of("kernels", "--run", "--rows", "1000000", "--width", "4096", "--json", "norm_rms_f32"),
                "CUDA_ERROR_OUT_OF_MEMORY", "16384000000 bytes");
    }

    @Test
    void importLlama2c_storiesCheckpoint_runs() {
        Path folder = data("stories260K");
        Path out = directory.resolve("stories.gguf");
        CommandRun imported = CommandRun.of("import", "llama2c", "--weights", folder.resolve("stories260K.bin").toString(),
                "--tokenizer", folder.resolve("tok512.bin").toString(), "--out", out.toString());
        assertEquals(0, imported.exitCode(), imported.err());

        CommandRun run = CommandRun.of("generate", "--model", out.toString(), "--prompt", "", "--max-tokens", "8");
        assertEquals("Once upon a time, there was a", run.out().strip());
    }

    @Test
    void chat_pipedLines_answersEachAndObeysCommands() {
        CommandRun run = CommandRun.withInput("Once there was a cat\n/stats\n/reset\nA dog\n/exit\n", "chat", "--max-tokens", "12");

        assertEquals(0, run.exitCode(), run.err());
        assertEquals(2, run.out().strip().lines().filter(line -> !line.isBlank()).count(), run.out());
        assertTrue(run.err().contains("tokens/s"), run.err());
    }

    @Test
    void chat_pipedLineThatTheTemplateRefuses_isExitCode2() throws IOException {
        CommandRun run = talk(modelWithTemplate("refusing", "{{ raise_exception('no such thing') }}"), "hi");

        assertEquals(2, run.exitCode(), run.err());
        assertTrue(run.err().contains("chat template: no such thing"), run.err());
    }

    @Test
    void chat_templateArguments_reachTheTemplate() throws IOException {
        Path model = modelWithTemplate("arguments", "{{ opening }}{{ messages[-1].content }}{{ names | join(' and ') }}");

        CommandRun said = talk(model, "Once upon a time, there were Tom and Lily");
        CommandRun given = talk(model, "there were ", "--template-arg", "opening=\"Once upon a time, \"", "--template-arg",
                "names=[\"Tom\", \"Lily\"]");

        assertEquals(0, given.exitCode(), given.err());
        assertEquals(said.out(), given.out());
        assertNotEquals(said.out(), talk(model, "there were ").out());
        for (String bad : List.of("messages=[]", "add_generation_prompt=false", "names", "names=[")) {
            CommandRun refused = talk(model, "hi", "--template-arg", bad);
            assertEquals(2, refused.exitCode(), refused.err());
            assertEquals(1, refused.err().lines().count(), refused.err());
        }
    }

    @Test
    void chat_templateThatBeginsTheText_itIsBegunOnce() throws IOException {
        List<String> contexts = new ArrayList<>();
        for (String template : List.of("{{ messages[-1].content }}", "{{ bos_token }}{{ messages[-1].content }}",
                "{{ bos_token }}{{ bos_token }}{{ messages[-1].content }}")) {
            CommandRun run = talk(modelWithTemplate("begun" + contexts.size(), template), "Once upon a time\n/stats");
            Matcher context = Pattern.compile("(\\d+) of \\d+ tokens of context").matcher(run.err());
            assertTrue(context.find(), run.err());
            contexts.add(context.group(1) + run.out());
        }
        assertEquals(contexts.get(0), contexts.get(1));
        assertNotEquals(contexts.get(0), contexts.get(2), "a second one is a token more");
    }

    private Path modelWithTemplate(String name, String template) throws IOException {
        Path folder = directory.resolve(name);
        assertEquals(0, CommandRun.of("quantize", TARGET, folder.toString(), "--type", "int8").exitCode());
        Files.writeString(folder.resolve("chat_template.jinja"), template);
        return folder;
    }

    private static CommandRun talk(Path model, String said, String... more) {
        List<String> arguments = new ArrayList<>(List.of("chat", "--model", model.toString(), "--max-tokens", "8", "--temperature", "0"));
        arguments.addAll(List.of(more));
        return CommandRun.withInput(said + "\n", arguments.toArray(String[]::new));
    }

    private static Path data(String name) {
        Path folder = Path.of(System.getProperty("gatun.data", "absent"), name);
        assumeTrue(Files.isDirectory(folder), "no " + name + " under -Dgatun.data: " + folder);
        return folder;
    }
}
