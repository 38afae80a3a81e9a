package org.gatun.tokenizer;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gatun.format.Metadata;

/// Reads the metadata of well-formed GGUF files, for tests of tokenizers only.
final class GgufHeader {
    private final ByteBuffer in;

    private GgufHeader(ByteBuffer in) {
        this.in = in;
    }

    static Metadata read(Path file) throws IOException {
        ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN).position(16);
        GgufHeader header = new GgufHeader(in);
        Map<String, Object> values = new LinkedHashMap<>();
        for (long count = in.getLong(); count > 0; count--) {
            values.put(header.string(), header.value(in.getInt()));
        }
        return new Metadata(file, values);
    }

    private Object value(int type) {
        return switch (type) {
            case 0, 1 -> (long) in.get();
            case 2, 3 -> (long) in.getShort();
            case 4, 5 -> (long) in.getInt();
            case 6 -> (double) in.getFloat();
            case 7 -> in.get() != 0;
            case 8 -> string();
            case 9 -> array(in.getInt(), Math.toIntExact(in.getLong()));
            case 10, 11 -> in.getLong();
            case 12 -> in.getDouble();
            default -> throw new IllegalArgumentException("type " + type);
        };
    }

    private Object array(int type, int length) {
        if (type == 6) {
            float[] floats = new float[length];
            for (int i = 0; i < length; i++) {
                floats[i] = in.getFloat();
            }
            return floats;
        }
        List<Object> values = new ArrayList<>();
        for (int i = 0; i < length; i++) {
            values.add(value(type));
        }
        return type == 8 ? values : values.stream().mapToInt(v -> ((Long) v).intValue()).toArray();
    }

    private String string() {
        byte[] bytes = new byte[Math.toIntExact(in.getLong())];
        in.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
