package org.gatun.model;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.gatun.backend.Backend;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport;
import org.gatun.sampling.Sampling;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;

/// What comes of loading a small model: logits after a few tokens, or a refusal in one line.
public final class LoadedModel {
    private LoadedModel() {}

    public static float[] logits(Path file) throws IOException {
        return logits(file, new FormatReport());
    }

    public static float[] logits(Path file, FormatReport report) throws IOException {
        try (Backend backend = new ReferenceBackend();
                Model model = Model.load(file, backend, ModelOptions.STANDARD, report);
                Session session = model.openSession()) {
            int[] text = {1, 5, 9, 30, 4, 4, 17};
            session.prefill(text, 0, text.length - 1);
            session.decode(text[text.length - 1], Sampling.GREEDY);
            return session.logits().asSlice(0, 4L * session.vocabularySize()).toArray(ValueLayout.JAVA_FLOAT);
        }
    }

    /// Why it is refused.
    public static String refusal(Path file) {
        String message = assertThrows(FormatException.class, () -> logits(file)).getMessage();
        assertTrue(message.startsWith(file.getParent().toString()), message);
        assertFalse(message.contains("\n"), message);
        return message;
    }

    /// A tensor of zeros.
    public static Tensor tensor(String name, DType type, long... shape) {
        return new Tensor(name, type, Shape.of(shape), MemorySegment.ofArray(new byte[(int) type.byteSize(Shape.of(shape))]));
    }
}
