package org.gatun.cuda.simulator;

import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.gatun.cuda.CudaException;
import org.gatun.cuda.JitOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// PTX from anywhere is loaded or refused with a reason; it never crashes, hangs or takes all memory.
class PtxFuzzTest {
    private static final long SEED = 20261121;
    private static final int CASES = 2500;
    private static final Path SHIPPED = Path.of("../../cuda-kernels/src/main/resources/org/gatun/cuda/kernels");
    private static final String[] WORDS = {"{", "}", "[", "]", "(", ")", ";", ",", ".reg", ".shared", ".param", ".entry", ".b8", ".f32",
        "%r1", "%p1", "0", "-1", "4294967296", "99999999999999999999", "0x", "0f", "@", "!", "mov.u32", "bra", "ret", "bar.sync", ".align",
        "<", ">", "1e400", "\"", "/*", "//", "\0", "\u00e9", "\u0661", "\uff11", "\uff41", "\u00a0", "\u2028", "\ud835\udfd9"};

    /// Parts of shipped kernels: whole ones are long, and each case is parsed anew.
    private static List<String> seeds() throws IOException {
        List<String> seeds = new ArrayList<>(List.of(Machine.ptx(".u64 .u32", """
                .shared .align 16 .b8 tile[256];
                mov.u32 %r1, %tid.x; setp.lt.u32 %p1, %r1, 7; @%p1 bra A;
                mov.u32 %r2, tile; st.shared.u32 [%r2+4], %r1; bar.sync 0;
                A: ld.param.u64 %rd1, [p0]; ld.global.v4.u32 {%r3, %r4, %r5, %r6}, [%rd1]; shfl.sync.bfly.b32 %r7, %r3, 1, 31, -1;
                """)));
        try (Stream<Path> files = Files.list(SHIPPED)) {
            for (Path file : files.filter(path -> path.toString().endsWith(".ptx")).sorted().toList()) {
                List<String> lines = Files.readAllLines(file);
                seeds.add(String.join("\n", lines.subList(0, Math.min(lines.size(), 400))));
            }
        }
        return seeds;
    }

    @Test
    void load_mutatedPtx_isLoadedOrRefusedWithAReason() throws IOException {
        List<String> seeds = seeds();
        SplittableRandom random = new SplittableRandom(SEED);
        try (Machine machine = new Machine()) {
            for (int i = 0; i < CASES; i++) {
                load(machine, mutated(seeds.get(random.nextInt(seeds.size())), random), "seed " + SEED + ", case " + i);
            }
        }
    }

    /// A digit of another script, taken for one and then not taken, was looked at for ever.
    @Test
    void tokens_everyCharacterInEveryPlace_areCutOrRefused() {
        assertTimeoutPreemptively(Duration.ofSeconds(60), () -> {
            for (int c = 1; c < 0x10000; c++) {
                for (String around : new String[] {"%s", "1%s", "%s1", "add%s", "a::%s", "mov.u32 %%r1, %s;", "\"%s\"", "// %s\n", "/*%s*/"}) {
                    String text = around.formatted((char) c);
                    try {
                        List<PtxLexer.Token> tokens = PtxLexer.tokens(text);
                        assertTrue(tokens.size() <= text.length() + 1 && tokens.getLast().kind() == PtxLexer.Kind.END, text);
                        assertTrue(c < 128 || around.startsWith("\"") || around.startsWith("/"), () -> text + " is no PTX");
                    } catch (PtxException e) {
                        assertTrue(e.getMessage().startsWith("line 1: "), e.getMessage());
                    }
                }
            }
        });
    }

    private static void load(Machine machine, String ptx, String which) {
        try {
            machine.context.load("fuzz", ptx).close();
            long module = machine.driver.moduleLoad(ptx.getBytes(StandardCharsets.UTF_8), JitOptions.DEFAULT).handle();
            try {
                for (Ptx.Entry entry : Program.of(ptx).ptx().entries()) {
                    machine.driver.moduleFunction(module, entry.name());
                }
            } finally {
                machine.driver.moduleUnload(module);
            }
        } catch (CudaException e) {
            assertTrue(e.getMessage().contains("line ") || e.getMessage().contains("bytes"), which + ": " + e.getMessage());
        } catch (Throwable e) {
            fail(which + ":\n" + ptx.substring(0, Math.min(2000, ptx.length())), e);
        }
    }

    private static String mutated(String seed, SplittableRandom random) {
        StringBuilder text = new StringBuilder(seed);
        for (int change = random.nextInt(1, 4); change > 0 && !text.isEmpty(); change--) {
            int at = random.nextInt(text.length());
            switch (random.nextInt(6)) {
                case 0 -> text.setCharAt(at, (char) random.nextInt(1, random.nextInt(8) == 0 ? 0x10000 : 128));
                case 1 -> text.setLength(at);
                case 2 -> text.insert(at, " " + WORDS[random.nextInt(WORDS.length)] + " ");
                case 3 -> text.delete(at, Math.min(text.length(), at + random.nextInt(1, 60)));
                case 4 -> {
                    List<String> lines = new ArrayList<>(Arrays.asList(text.toString().split("\n")));
                    Collections.swap(lines, random.nextInt(lines.size()), random.nextInt(lines.size()));
                    text = new StringBuilder(String.join("\n", lines));
                }
                default -> {
                    List<String> lines = new ArrayList<>(Arrays.asList(text.toString().split("\n")));
                    lines.add(random.nextInt(lines.size()), lines.get(random.nextInt(lines.size())));
                    text = new StringBuilder(String.join("\n", lines));
                }
            }
        }
        return text.toString();
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "[", "(", "{ .reg .b32 %x<2>;", "ld.global.v4.u32 {", "@", "!", "\"", "/*", "mov.u32 %r1, (", "-", "L: "})
    void load_deepNesting_isRefused(String opening) {
        String body = opening.repeat(100_000);
        assertTimeoutPreemptively(Duration.ofSeconds(20), () -> {
            try (Machine machine = new Machine()) {
                load(machine, Machine.ptx("", body), "in a body: " + opening);
                load(machine, ".version 7.8\n.target sm_80\n.address_size 64\n" + body, "at the top: " + opening);
            }
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {".reg .b32 %%x<2147483647>;", ".reg .b32 %%x<99999999999>;", ".shared .align 4 .b8 big[2147483647];",
        ".shared .align 4 .b8 big[9223372036854775807];", ".shared .align 1073741824 .b8 big[4];", ".local .align 4 .b8 big[1073741824];",
        ".shared .align 3 .b8 big[4];", ".shared .align 0 .b8 big[4];", ".shared .align 4 .b8 big[-4];", ".maxntid 99999999999, 1, 1"})
    void load_enormousDeclarations_areRefused(String declaration) {
        try (Machine machine = new Machine()) {
            load(machine, Machine.ptx("", declaration.replace("%%", "%")), declaration);
        }
    }

    @Test
    void load_manyLabelsAndBranches_takesNoTimeToSpeakOf() {
        StringBuilder body = new StringBuilder();
        for (int i = 0; i < 20_000; i++) {
            body.append("L").append(i).append(": setp.eq.u32 %p1, 1, ").append(i).append("; @%p1 bra L").append((i * 7919) % 20_000)
                    .append(";\n");
        }
        assertTimeoutPreemptively(Duration.ofSeconds(30), () -> {
            try (Machine machine = new Machine()) {
                load(machine, Machine.ptx("", body.toString()), "labels");
            }
        });
    }
}
