package org.gatun.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.gatun.backend.MarkovBackend;
import org.gatun.sampling.Sampling;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class SessionTest {
    private static final int[] TEXT = {1, 2, 3};

    @TempDir
    private Path directory;

    private Model model() throws IOException {
        RandomModel shape = new RandomModel("llama", DType.F32, 6, 32, 1, 1, 1, 32, 128, 1, 1);
        return Model.load(shape.write(directory.resolve("m.gguf")), new MarkovBackend(6, 1, 1, null).with(2, 3, 4), ModelOptions.STANDARD);
    }

    private static void fill(Session session) {
        session.rewind(0);
        session.prefill(TEXT, 0, 2);
        session.segment().beginCausal(2).addRow(3);
    }

    @Test
    void launch_thenAwait_isVerify() throws IOException {
        try (Model model = model(); Session session = model.openSession()) {
            fill(session);
            assertEquals(4, session.verify(Sampling.GREEDY).token(0));

            fill(session);
            session.launch(Sampling.GREEDY);
            assertEquals(2, session.length(), "nothing is kept before the result");
            assertEquals(4, session.await().token(0));
            assertEquals(3, session.length());
        }
    }

    @Test
    void launch_beforeTheResult_refusesAllElse() throws IOException {
        try (Model model = model(); Session session = model.openSession()) {
            fill(session);
            session.launch(Sampling.GREEDY);

            List<Executable> others = List.of(session::segment, session::run, session::logits, () -> session.rewind(0),
                    () -> session.prefill(TEXT, 2, 3), () -> session.launch(Sampling.GREEDY), () -> session.decode(3, Sampling.GREEDY));
            for (Executable other : others) {
                String message = assertThrows(IllegalStateException.class, other).getMessage();
                assertEquals("session of " + model.name() + " verifies a pass: expected await() first", message);
            }
            assertEquals(4, session.await().token(0), "and is not disturbed");
        }
    }

    @Test
    void await_nothingLaunched_isRefused() throws IOException {
        try (Model model = model(); Session session = model.openSession()) {
            fill(session);
            session.verify(Sampling.GREEDY);

            String message = assertThrows(IllegalStateException.class, session::await).getMessage();
            assertEquals("session of " + model.name() + " has launched nothing: expected launch() before await()", message);
        }
    }

    @Test
    void close_beforeTheResult_closes() throws IOException {
        try (Model model = model()) {
            Session session = model.openSession();
            fill(session);
            session.launch(Sampling.GREEDY);
            session.close();

            assertThrows(IllegalStateException.class, session::await);
            try (Session next = model.openSession()) {
                fill(next);
                assertEquals(4, next.verify(Sampling.GREEDY).token(0), "what the model lent is fit for another");
            }
        }
    }
}
