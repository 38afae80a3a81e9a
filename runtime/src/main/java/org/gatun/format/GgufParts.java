package org.gatun.format;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gatun.tensor.Tensor;

/// A model in several GGUF files, named `NAME-00001-of-00003.gguf` and so on, as `gguf-split` writes them: each says its number
/// (`split.no`, from 0 on) and how many there are (`split.count`). The first has the metadata; the tensors of all together are those of
/// the model. Whichever part is opened, all are read.
final class GgufParts {
    private static final String COUNT = "split.count";
    private static final String NUMBER = "split.no";
    private static final String TENSORS = "split.tensors.count";
    private static final Pattern NAME = Pattern.compile("(.*)-(\\d{5})-of-(\\d{5})\\.gguf");

    private GgufParts() {}

    /// Whether a key tells parts from each other.
    static boolean isKey(String key) {
        return key.equals(COUNT) || key.equals(NUMBER) || key.equals(TENSORS);
    }

    /// Parts that the model of this file has, 1 if it is not split.
    static int count(GgufFile file) throws FormatException {
        int count = file.metadata().integer(COUNT).orElse(1);
        if (count < 0 || count > 99_999) {
            throw new FormatException(file.path(), -1, COUNT + " is " + count + ": expected 1 to 99999");
        }
        return Math.max(1, count);
    }

    /// All parts in order, `named` among them; the caller closes them. If it fails, the others are closed, `named` stays open.
    static List<GgufFile> open(GgufFile named, FileAccess access) throws IOException {
        int count = count(named);
        if (count == 1) {
            requireAgreement(List.of(named), count);
            return List.of(named);
        }
        Path path = named.path();
        Matcher name = NAME.matcher(String.valueOf(path.getFileName()));
        int number = named.metadata().integer(NUMBER).orElse(-1);
        if (!name.matches() || Integer.parseInt(name.group(2)) != number + 1 || Integer.parseInt(name.group(3)) != count) {
            throw new FormatException(path, -1, "found part " + (number + 1) + " of " + count + " (" + NUMBER + ", " + COUNT
                    + ") under this name: expected it to end in -%05d-of-%05d.gguf, and the other parts beside it".formatted(number + 1,
                            count));
        }
        List<Path> paths = new ArrayList<>();
        for (int i = 1; i <= count; i++) {
            Path part = i == number + 1 ? path : path.resolveSibling("%s-%05d-of-%05d.gguf".formatted(name.group(1), i, count));
            if (!Files.exists(part)) {
                throw new FormatException(path, -1, "part " + i + " of " + count + " is missing: expected " + part.getFileName()
                        + " beside it");
            }
            paths.add(part);
        }
        List<GgufFile> parts = new ArrayList<>();
        try {
            for (Path part : paths) {
                parts.add(part.equals(path) ? named : GgufFile.openPart(part, access));
            }
            requireAgreement(parts, count);
        } catch (Throwable failure) {
            parts.stream().filter(part -> part != named).forEach(GgufFile::close);
            throw failure;
        }
        return List.copyOf(parts);
    }

    /// Compares what the parts say of each other with what they are; a model that is whole says nothing, or that it is the only part.
    static void requireAgreement(List<GgufFile> parts, int count) throws FormatException {
        Metadata first = parts.getFirst().metadata();
        long tensors = 0;
        for (int i = 0; i < count; i++) {
            GgufFile part = parts.get(i);
            int number = part.metadata().integer(NUMBER).orElse(count == 1 ? 0 : -1);
            if (number != i || count(part) != count) {
                throw new FormatException(part.path(), -1, "says that it is part " + (number + 1) + " of " + count(part) + " (" + NUMBER
                        + ", " + COUNT + "): expected part " + (i + 1) + " of " + count);
            }
            for (Map.Entry<String, Object> entry : part.metadata().values().entrySet()) {
                Object other = first.values().get(entry.getKey());
                if (!entry.getKey().equals(NUMBER) && other != null && isScalar(other) && !other.equals(entry.getValue())) {
                    throw new FormatException(part.path(), -1, entry.getKey() + " is " + Metadata.text(entry.getValue())
                            + ", in the first part " + other + ": the parts are not of one model");
                }
            }
            tensors += part.tensors().size() + part.unreadable().size();
        }
        int said = first.integer(TENSORS).orElse(Math.toIntExact(tensors));
        if (said != tensors) {
            throw new FormatException(first.source(), -1, "found " + tensors + " tensors in " + (count == 1 ? "the file" : count + " parts")
                    + ": expected " + said + " (" + TENSORS + ")");
        }
    }

    private static boolean isScalar(Object value) {
        return value instanceof Number || value instanceof Boolean || value instanceof String;
    }

    /// The tensors of all parts.
    ///
    /// @throws FormatException if two parts have a tensor of the same name
    static Map<String, Tensor> merge(List<GgufFile> parts) throws FormatException {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (GgufFile part : parts) {
            for (Tensor tensor : part.tensors().values()) {
                if (tensors.putIfAbsent(tensor.name(), tensor) != null) {
                    throw new FormatException(part.path(), -1, "found tensor " + tensor.name()
                            + ", which another part of the model has too: expected it once");
                }
            }
        }
        return Collections.unmodifiableMap(tensors);
    }
}
