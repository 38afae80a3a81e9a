package org.gatun.model;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/// Writes a llama2.c checkpoint of one layer, all zeros, and a tokenizer of special and byte tokens.
public final class Llama2cOfZeros {
    private static final int VOCABULARY = 3 + 256;
    private static final int CONTEXT = 32;

    private Llama2cOfZeros() {}

    /// Writes both files.
    public static void write(Path model, Path tokenizer, int hidden, int intermediate, int heads) throws IOException {
        int floats = VOCABULARY * hidden + 4 * hidden * hidden + 3 * hidden * intermediate + 3 * hidden + CONTEXT * (hidden / heads);
        ByteBuffer weights = ByteBuffer.allocate(4 * (7 + floats)).order(ByteOrder.LITTLE_ENDIAN);
        for (int size : new int[] {hidden, intermediate, 1, heads, heads, VOCABULARY, CONTEXT}) {
            weights.putInt(size);
        }
        Files.write(model, weights.array());
        ByteBuffer tokens = ByteBuffer.allocate(4 + VOCABULARY * 14).order(ByteOrder.LITTLE_ENDIAN).putInt(6);
        for (int token = 0; token < VOCABULARY; token++) {
            String piece = token < 3 ? "<" + token + ">" : "<0x%02X>".formatted(token - 3);
            tokens.putFloat(0).putInt(piece.length()).put(piece.getBytes(StandardCharsets.US_ASCII));
        }
        Files.write(tokenizer, Arrays.copyOf(tokens.array(), tokens.position()));
    }
}
