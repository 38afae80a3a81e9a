package org.gatun.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;
import org.gatun.backend.Backend;
import org.gatun.backend.Batch;
import org.gatun.backend.Executable;
import org.gatun.backend.PageTable;
import org.gatun.backend.Segment;
import org.gatun.backend.cpu.CpuBackend;
import org.gatun.backend.cpu.CpuOptions;
import org.gatun.backend.cuda.CudaBackend;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.cuda.TestDriver;
import org.gatun.plan.LayerProgram;
import org.gatun.plan.Op;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Passes in two halves, given hidden states, and what is kept of them.
class LayerProgramTest {
    private static final int LAYERS = 3;
    private static final int[] TEXT = {1, 5, 7, 2, 9, 4, 3, 8};

    @TempDir
    private Path directory;

    static Stream<Backend> backends() {
        Stream<Backend> host = Stream.concat(Stream.of(new ReferenceBackend()), CpuBackend.instructionSets().stream()
                .map(set -> CpuBackend.open(new CpuOptions(2, Optional.of(set)))));
        return Stream.concat(host, Stream.of(CudaBackend.open(TestDriver.open(), 0)));
    }

    private Model model(Backend backend) throws IOException {
        RandomModel shape = RandomModel.tiny(3).withLayers(LAYERS).withDtype(DType.F16);
        return Model.load(shape.write(directory.resolve("m.gguf")), backend, ModelOptions.STANDARD);
    }

    /// Passes over a text: a prompt, a token and a tree, through executables that are run one after the other.
    private static final class Passes implements AutoCloseable {
        private final Arena arena = Arena.ofConfined();
        private final Model model;
        private final List<Executable> executables;
        private final PageTable pages;
        private final Segment segment;

        Passes(Model model, LayerProgram... programs) {
            this.model = model;
            executables = Stream.of(programs).map(model::compile).toList();
            pages = PageTable.openAlone(model.backend(), model.kvLayout(), 64);
            segment = new Segment(arena, executables.getFirst().limits());
        }

        /// Logits of all that was asked for.
        List<float[]> run() {
            List<float[]> logits = new ArrayList<>();
            segment.beginCausal(0);
            for (int token : TEXT) {
                segment.addRow(token);
            }
            logits.add(run(segment));
            segment.beginCausal(TEXT.length).addRow(11);
            logits.add(run(segment));
            segment.beginTree(TEXT.length + 1);
            segment.addRow(3, TEXT.length + 1, new long[] {1}, 0, 1);
            segment.addRow(4, TEXT.length + 2, new long[] {3}, 0, 1);
            segment.addRow(5, TEXT.length + 2, new long[] {5}, 0, 1);
            logits.add(run(segment));
            return logits;
        }

        private float[] run(Segment filled) {
            for (int row = 0; row < filled.rows(); row++) {
                filled.select(row);
            }
            executables.forEach(executable -> executable.run(Batch.of(filled, pages)));
            return floats(executables.getLast().logits(), filled.rows() * model.config().vocabulary());
        }

        @Override
        public void close() {
            executables.forEach(Executable::close);
            pages.close();
            arena.close();
        }
    }

    private static float[] floats(MemorySegment memory, int count) {
        return memory.asSlice(0, 4L * count).toArray(ValueLayout.JAVA_FLOAT);
    }

    private static void assertSame(List<float[]> expected, List<float[]> found) {
        for (int i = 0; i < expected.size(); i++) {
            assertArrayEquals(expected.get(i), found.get(i), "pass " + i);
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void run_twoHalves_giveTheBitsOfTheWhole(Backend backend) throws IOException {
        try (backend; Model model = model(backend); Passes whole = new Passes(model, LayerProgram.full(LAYERS))) {
            List<float[]> expected = whole.run();
            for (int layer = 0; layer <= LAYERS; layer++) {
                try (Passes halves = new Passes(model, LayerProgram.until(layer, "hidden"), LayerProgram.from("hidden", layer, LAYERS))) {
                    halves.executables.getLast().connect("hidden", halves.executables.getFirst(), "hidden");
                    Executable upper = halves.executables.getLast();
                    halves.segment.beginCausal(0).addRow(1);
                    assertEquals("a pass of 1 rows: the executable that its input is taken from has left 0",
                            assertThrows(IllegalArgumentException.class, () -> upper.run(Batch.of(halves.segment, halves.pages))).getMessage());
                    assertSame(expected, halves.run());
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void run_rowsThatAreGiven_areTakenInPlaceOfTokens(Backend backend) throws IOException {
        LayerProgram embeddings = new LayerProgram(List.of(new LayerProgram.Embed(), new LayerProgram.Tap("embeddings")));
        List<LayerProgram.Step> steps = new ArrayList<>(LayerProgram.full(LAYERS).steps());
        steps.set(0, new LayerProgram.EmbedOrInput("given"));
        try (backend; Model model = model(backend); Passes whole = new Passes(model, LayerProgram.full(LAYERS));
                Passes looked = new Passes(model, embeddings); Passes mixed = new Passes(model, new LayerProgram(steps))) {
            float[] expected = whole.run().getFirst();
            looked.segment.beginCausal(0);
            mixed.segment.beginCausal(0);
            for (int row = 0; row < TEXT.length; row++) {
                looked.segment.addRow(TEXT[row]);
                mixed.segment.addRow(row % 3 == 1 ? Op.Embed.GIVEN : TEXT[row]);
            }
            Executable table = looked.executables.getFirst();
            table.run(Batch.of(looked.segment, looked.pages));
            int elements = TEXT.length * model.config().hidden();
            MemorySegment.copy(MemorySegment.ofArray(floats(table.output("embeddings"), elements)), 0,
                    mixed.executables.getFirst().input("given"), 0, 4L * elements);
            assertArrayEquals(expected, mixed.run(mixed.segment));
            whole.segment.beginCausal(0).addRow(Op.Embed.GIVEN);
            assertThrows(IllegalArgumentException.class, () -> whole.run(whole.segment), "no rows are given there");
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void hidden_tapsAnywhere_areThoseOfTheirPlaces(Backend backend) throws IOException {
        List<LayerProgram.Step> steps = new ArrayList<>(LayerProgram.full(LAYERS).steps());
        steps.add(steps.size() - 1, new LayerProgram.Tap("normed"));
        steps.add(3, new LayerProgram.Tap("behind layer 0"));
        try (backend; Model model = model(backend); Session session = model.openSession(new LayerProgram(steps));
                Passes first = new Passes(model, LayerProgram.until(1, "hidden"))) {
            session.segment().beginCausal(0).addRow(TEXT[0]);
            session.segment().addRow(TEXT[1]);
            session.segment().select(1);
            session.run();
            first.segment.beginCausal(0).addRow(TEXT[0]);
            first.segment.addRow(TEXT[1]);
            first.executables.getFirst().run(Batch.of(first.segment, first.pages));
            int width = model.config().hidden();
            float[] behind = floats(first.executables.getFirst().output("hidden"), 2 * width);
            assertArrayEquals(Arrays.copyOfRange(behind, width, 2 * width), floats(session.hidden("behind layer 0", 1), width));
            double squares = 0;
            for (float element : floats(session.hidden("normed", 0), width)) {
                squares += element * element;
            }
            assertEquals(1, Math.sqrt(squares / width), 0.2, "behind a norm with gains of about 1");
            assertEquals("no output nothing: the plan has [behind layer 0, logits, normed]",
                    assertThrows(IllegalArgumentException.class, () -> session.hidden("nothing", 0)).getMessage());
            assertThrows(IndexOutOfBoundsException.class, () -> session.hidden("normed", 1));
        }
    }

    @Test
    void of_programsThatCannotRun_areRefused() {
        LayerProgram.Step embed = new LayerProgram.Embed();
        LayerProgram.Step layer = new LayerProgram.RunAttention(0);
        Function<List<LayerProgram.Step>, String> refusal = steps ->
                assertThrows(IllegalArgumentException.class, () -> new LayerProgram(steps)).getMessage();
        assertEquals("a program that ends with nothing: expected the head or a tap", refusal.apply(List.of()));
        assertEquals("a program that ends with RunAttention[layer=0]: expected the head or a tap", refusal.apply(List.of(embed, layer)));
        refusal.apply(List.of(layer, new LayerProgram.Tap("a")));
        refusal.apply(List.of(embed, embed, new LayerProgram.Tap("a")));
        refusal.apply(List.of(embed, new LayerProgram.Head()));
        refusal.apply(List.of(embed, new LayerProgram.FinalNorm(), layer, new LayerProgram.Head()));
    }
}
