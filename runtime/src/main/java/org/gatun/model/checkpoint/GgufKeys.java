package org.gatun.model.checkpoint;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport;
import org.gatun.format.Metadata;

/// The header of a GGUF file, of which each key that is asked for is noted as read, and the others as [UnreadKeys] has them. Names are
/// those under the prefix of the architecture.
final class GgufKeys {
    private static final String TOKENIZER = "tokenizer.";
    private static final String CHAT_TEMPLATE = "tokenizer.chat_template"; // there may be more, with names behind

    private final Metadata metadata;
    private final String architecture;
    private final String file;
    private final FormatReport report;
    private final Set<String> read = new HashSet<>();

    /// @throws FormatException if the file does not say its architecture
    GgufKeys(Metadata metadata, FormatReport report) throws FormatException {
        this.metadata = metadata;
        this.report = report;
        file = String.valueOf(metadata.source().getFileName());
        noteRead("general.architecture");
        architecture = metadata.string("general.architecture").orElseThrow(
                () -> new FormatException(metadata.source(), -1, "general.architecture is missing"));
    }

    String architecture() {
        return architecture;
    }

    /// Name of the file, for notes.
    String file() {
        return file;
    }

    /// Notes a key, with its prefix, as read.
    void noteRead(String key) {
        if (metadata.has(key) && read.add(key)) {
            report.read(file, key);
        }
    }

    /// @throws FormatException if it is missing, no whole number, or the layers differ
    int integer(String key) throws FormatException {
        requirePresent(key);
        return integer(key, 0);
    }

    private void requirePresent(String key) throws FormatException {
        if (!metadata.has(prefixed(key))) {
            throw new FormatException(metadata.source(), -1, prefixed(key) + " is missing: is this a model, or a vocabulary only?");
        }
    }

    int integer(String key, int standard) throws FormatException {
        double number = number(key, standard);
        if (number != (int) number) {
            throw failure(key, metadata.values().get(prefixed(key)), "an integer of 32 bits");
        }
        return (int) number;
    }

    /// An array of whole numbers, which must be there.
    int[] integers(String key) throws FormatException {
        noteRead(prefixed(key));
        return metadata.integers(prefixed(key)).orElseThrow();
    }

    /// A number, which may be written once for each layer if it is the same for all.
    ///
    /// @throws FormatException if it is none, or the layers differ
    double number(String key, double standard) throws FormatException {
        Optional<Object> value = find(key);
        if (value.isEmpty()) {
            return standard;
        }
        Object single = value.get().getClass().isArray() ? ofLayers(key, Metadata.elements(value.get())) : value.get();
        if (single instanceof Number number && Double.isFinite(number.doubleValue())) {
            return number.doubleValue();
        }
        throw failure(key, single, "a number");
    }

    private Object ofLayers(String key, List<Object> elements) throws FormatException {
        int layers = key.equals("block_count") ? 1 : integer("block_count");
        if (elements.size() != layers) {
            throw new FormatException(metadata.source(), -1, prefixed(key) + " has " + elements.size()
                    + (elements.size() == 1 ? " element" : " elements") + ": expected a number, or one for each of the " + layers + " layers");
        }
        if (elements.stream().distinct().count() != 1) {
            throw failure(key, elements.stream().map(Object::toString).collect(Collectors.joining(", ")),
                    "the same for each layer: layers that differ are not supported");
        }
        return elements.getFirst();
    }

    private FormatException failure(String key, Object found, String expected) {
        return new FormatException(metadata.source(), -1, prefixed(key) + " is " + Metadata.text(found) + ": expected " + expected);
    }

    Optional<String> text(String key) throws FormatException {
        noteRead(prefixed(key));
        return metadata.string(prefixed(key));
    }

    /// The value of a key, whatever its type.
    Optional<Object> find(String key) {
        noteRead(prefixed(key));
        return Optional.ofNullable(metadata.values().get(prefixed(key)));
    }

    /// Notes what is not done.
    void refuse(String key, String reason) {
        report.refuse(file, prefixed(key), reason);
    }

    /// The key with the prefix of the architecture.
    String prefixed(String key) {
        return architecture + "." + key;
    }

    /// Notes what becomes of the keys that nobody asked for; those of the tokenizer are its own affair.
    void finish() {
        String prefix = architecture + ".";
        for (Map.Entry<String, Object> entry : metadata.values().entrySet()) {
            String key = entry.getKey();
            if (key.startsWith(CHAT_TEMPLATE)) {
                noteRead(key);
            }
            if (read.contains(key) || key.startsWith(TOKENIZER)) {
                continue;
            }
            if (key.startsWith(prefix)) {
                UnreadKeys.OF_ARCHITECTURE.note(report, file, prefix, key.substring(prefix.length()), entry.getValue());
            } else {
                UnreadKeys.OF_GGUF.note(report, file, "", key, entry.getValue());
            }
        }
    }
}
