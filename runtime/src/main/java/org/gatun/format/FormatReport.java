package org.gatun.format;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/// What becomes of everything that the files of a model say: each key, part and tensor is read, ignored because it changes nothing,
/// or unsupported. Whoever reads a file notes what it does; what nobody noted is unsupported.
///
/// Filled while a model is opened, by one thread.
public final class FormatReport {

    /// What becomes of something that a file says.
    public enum Use {
        /// It is done.
        READ,
        /// It changes nothing, for the reason given.
        IGNORED,
        /// It would change the text, and is not done.
        UNSUPPORTED
    }

    /// One thing that a file says.
    ///
    /// @param file name of the file, without its folder: `config.json`
    /// @param name of the key, part or tensor: `rope_scaling.type`, `normalizer Strip`, `blk.0.attn_q.bias`
    /// @param use what becomes of it
    /// @param reason why it is ignored or unsupported; empty if it is read
    public record Entry(String file, String name, Use use, String reason) {
    }

    private static final int MAX_NAMED = 5;

    private final Set<Entry> entries = new LinkedHashSet<>();
    private final Set<String> warnings = new LinkedHashSet<>();

    /// Notes that something is done.
    public void read(String file, String name) {
        entries.add(new Entry(file, name, Use.READ, ""));
    }

    /// Notes that something changes nothing.
    public void ignore(String file, String name, String reason) {
        entries.add(new Entry(file, name, Use.IGNORED, reason));
    }

    /// Notes that something is not done.
    public void refuse(String file, String name, String reason) {
        entries.add(new Entry(file, name, Use.UNSUPPORTED, reason));
    }

    /// Notes what a user should hear once, though the model runs. Names that come from a file lose their control characters.
    public void warn(String message) {
        warnings.add(FormatException.oneLine(message));
    }

    /// What has this use, in the order of the files.
    public List<Entry> entries(Use use) {
        return entries.stream().filter(entry -> entry.use() == use).toList();
    }

    /// What a user should hear once.
    public List<String> warnings() {
        return List.copyOf(warnings);
    }

    /// @param source file or folder of the model, for the message
    /// @throws FormatException that names what is unsupported, if anything is
    public void requireSupported(Path source) throws FormatException {
        Map<String, List<Entry>> byReason = entries(Use.UNSUPPORTED).stream()
                .collect(Collectors.groupingBy(entry -> inFile(source, entry) + "\n" + entry.reason(), LinkedHashMap::new, Collectors.toList()));
        if (!byReason.isEmpty()) {
            throw new FormatException(source, -1, byReason.values().stream().map(entries -> inFile(source, entries.getFirst())
                    + names(entries) + ": " + entries.getFirst().reason()).collect(Collectors.joining("; ")));
        }
    }

    private static String inFile(Path source, Entry entry) {
        return source.endsWith(entry.file()) ? "" : entry.file() + ": ";
    }

    private static String names(List<Entry> entries) {
        String named = entries.stream().limit(MAX_NAMED).map(Entry::name).collect(Collectors.joining(", "));
        return entries.size() <= MAX_NAMED ? named : named + " and " + (entries.size() - MAX_NAMED) + " more";
    }

    /// Everything noted, in the order of the files.
    public List<Entry> entries() {
        return new ArrayList<>(entries);
    }
}
