package org.gatun.format;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/// Tensors of a safetensors model: one file, or several ("shards") under an index. Tensors are views of mapped files.
///
/// Immutable, shared by threads. The tensors live until [#close]; the files must not be changed meanwhile. Opening
/// reads headers only, and checks what the format asks for: a header of at most 100 MB, tensors that follow each other
/// without gap or overlap, sizes that agree with type and shape, nothing after the last.
///
/// Source: `safetensors/README.md` of huggingface/safetensors.
public final class SafetensorsFile implements AutoCloseable {
    static final String INDEX_NAME = "model.safetensors.index.json";
    static final String METADATA_KEY = "__metadata__";

    private static final String EXPECTED = "a safetensors file";
    private static final List<DType> SUPPORTED = List.of(DType.F64, DType.F32, DType.F16, DType.BF16, DType.I64,
            DType.I32, DType.I16, DType.I8, DType.U8, DType.BOOL, DType.F8_E4M3);
    private static final JsonMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(64).maxNumberLength(40).maxNameLength(10_000).build())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build())
            // Python writes NaN and Infinity
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .build();
    private static final Pattern SHARD_NAME = Pattern.compile(".*-\\d{5}-of-\\d{5}\\.safetensors");

    private final Path path;
    private final List<MappedFile> shards = new ArrayList<>();
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private final Map<String, String> unreadable = new LinkedHashMap<>();
    private final Metadata metadata;
    private final Optional<ObjectNode> index;
    private volatile boolean closed;

    private SafetensorsFile(Path path, FileAccess access) throws IOException {
        Path model = Files.isDirectory(path) ? inDirectory(path) : ofShard(path);
        this.path = model;
        Map<String, Object> texts = new LinkedHashMap<>();
        try {
            if (model.toString().endsWith(".json")) {
                index = Optional.of(readJson(model));
                openIndexed(index.get(), texts, access);
            } else {
                index = Optional.empty();
                tensors.putAll(openShard(model, texts, access));
            }
            requireUnchanged();
        } catch (InternalError fault) {
            shards.forEach(MappedFile::close);
            throw FormatException.ofFault(model, fault);
        } catch (Throwable failure) {
            shards.forEach(MappedFile::close);
            throw failure;
        }
        metadata = new Metadata(model, texts);
    }

    /// Maps a model; the caller closes it.
    ///
    /// @param path a `.safetensors` file, an index (`.json`) beside its shards, a shard beside its index, or a directory that holds
    ///        `model.safetensors.index.json`, `model.safetensors` or a single file of any other name
    /// @throws FormatException if a file is missing, damaged, or holds types that Gatun does not read
    /// @throws IOException if a file cannot be read
    public static SafetensorsFile open(Path path) throws IOException {
        return open(path, FileAccess.MAPPED);
    }

    /// As the other, with a choice how the files are read.
    public static SafetensorsFile open(Path path, FileAccess access) throws IOException {
        return new SafetensorsFile(path, access);
    }

    /// Checks that nobody wrote to a file of the model since it was opened.
    ///
    /// @throws FormatException if somebody did
    public void requireUnchanged() throws FormatException {
        for (MappedFile shard : shards) {
            shard.requireUnchanged();
        }
    }

    /// The file or index, for messages.
    public Path path() {
        return path;
    }

    /// The texts under `__metadata__`, of all shards together.
    public Metadata metadata() {
        return metadata;
    }

    /// The types of the tensors that are of none that Gatun reads, by name.
    public Map<String, String> unreadable() {
        return Collections.unmodifiableMap(unreadable);
    }

    /// The tensors of types that Gatun reads, by name, shard by shard, in the order of their data.
    ///
    /// @throws IllegalStateException if the file is closed
    public Map<String, Tensor> tensors() {
        if (closed) {
            throw new IllegalStateException("safetensors file " + path + " is closed");
        }
        return Collections.unmodifiableMap(tensors);
    }

    /// The index, if there is one.
    public Optional<ObjectNode> index() {
        return index;
    }

    /// A JSON object beside the model, such as `config.json`; empty if there is no such file.
    ///
    /// @param fileName a plain file name
    /// @throws IllegalArgumentException if it is no plain file name
    /// @throws FormatException if the file is no JSON object
    public Optional<ObjectNode> json(String fileName) throws IOException {
        Path file = sibling(fileName);
        return Files.exists(file) ? Optional.of(readJson(file)) : Optional.empty();
    }

    /// Unmaps the files, after which their tensors must not be used. Closing twice is harmless.
    @Override
    public void close() {
        closed = true;
        shards.forEach(MappedFile::close);
    }

    private static Path inDirectory(Path directory) throws IOException {
        for (String name : List.of(INDEX_NAME, "model.safetensors")) {
            if (Files.exists(directory.resolve(name))) {
                return directory.resolve(name);
            }
        }
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, "*.safetensors")) {
            files.forEach(found::add);
        }
        if (found.size() != 1) {
            throw new FormatException(directory, -1, "found " + found.size() + " files *.safetensors and neither "
                    + INDEX_NAME + " nor model.safetensors: expected one of these");
        }
        return found.getFirst();
    }

    /// The index that a shard belongs to, or the file itself.
    private static Path ofShard(Path file) {
        Path index = file.resolveSibling(INDEX_NAME);
        return SHARD_NAME.matcher(String.valueOf(file.getFileName())).matches() && Files.exists(index) ? index : file;
    }

    private static ObjectNode readJson(Path file) throws IOException {
        return JsonFile.readObject(file, JSON);
    }

    /// @param offset of the header in the file, which begins with a brace
    private static JsonNode parseHeader(Path file, long offset, byte[] json) throws FormatException {
        try {
            return JSON.readTree(json);
        } catch (JacksonException failure) {
            long at = Math.max(0, failure.getLocation() == null ? 0 : failure.getLocation().getByteOffset());
            throw new FormatException(file, offset + at, "the header is damaged: " + JsonFile.problem(json, failure), failure);
        }
    }

    /// The file of a name that cannot lead out of the model's folder.
    private Path sibling(String name) {
        if (name.isEmpty() || name.equals(".") || name.equals("..") || name.matches("(?s).*[/\\\\:].*")) {
            throw new IllegalArgumentException("\"" + name + "\" is not a plain file name");
        }
        return path.resolveSibling(name);
    }

    private void openIndexed(ObjectNode index, Map<String, Object> texts, FileAccess access) throws IOException {
        if (!(index.get("weight_map") instanceof ObjectNode weightMap)) {
            throw new FormatException(path, -1, "found no object weight_map: expected the index of a sharded model");
        }
        Map<Path, List<String>> namesByShard = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> entry : weightMap.properties()) {
            String shard = entry.getValue().isString() ? entry.getValue().stringValue() : "";
            try {
                namesByShard.computeIfAbsent(sibling(shard), _ -> new ArrayList<>()).add(entry.getKey());
            } catch (IllegalArgumentException failure) {
                throw new FormatException(path, -1, "tensor " + entry.getKey() + " is said to be in "
                        + entry.getValue() + ": expected the name of a file beside the index", failure);
            }
        }
        for (Map.Entry<Path, List<String>> entry : namesByShard.entrySet()) {
            Map<String, Tensor> found = openShard(entry.getKey(), texts, access);
            for (String name : entry.getValue()) {
                if (!found.containsKey(name) && !unreadable.containsKey(name)) {
                    throw new FormatException(entry.getKey(), -1, "found no tensor " + name + ", which the index "
                            + path.getFileName() + " says is here");
                }
            }
            // a tensor that the index does not name is one of the model all the same, unless it names another shard for it
            found.keySet().removeIf(name -> weightMap.has(name) && !entry.getValue().contains(name));
            tensors.putAll(found);
        }
    }

    private Map<String, Tensor> openShard(Path file, Map<String, Object> texts, FileAccess access) throws IOException {
        MappedFile mapping = MappedFile.open(file, EXPECTED, access);
        shards.add(mapping);
        MemorySegment bytes = mapping.bytes();
        HeaderReader in = new HeaderReader(file, bytes);
        long headerBytes = in.longValue("header length");
        if (headerBytes < 0 || headerBytes > in.remaining()) {
            throw in.failure(0, "found a header length of " + Long.toUnsignedString(headerBytes) + " in a file of "
                    + bytes.byteSize() + " bytes: expected " + EXPECTED);
        }
        int start = in.position();
        byte[] header = in.bytes(headerBytes, "header");
        if (header.length == 0 || header[0] != '{') {
            throw in.failure(start, "found no JSON object: expected the header of " + EXPECTED);
        }
        MemorySegment data = bytes.asSlice(in.position());
        List<Entry> entries = new ArrayList<>();
        for (Map.Entry<String, JsonNode> property : parseHeader(file, start, header).properties()) {
            if (property.getKey().equals(METADATA_KEY)) {
                readTexts(property.getValue(), texts);
            } else {
                entries.add(readEntry(file, property.getKey(), property.getValue()));
            }
        }
        entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        Map<String, Tensor> found = LinkedHashMap.newLinkedHashMap(entries.size());
        long position = 0;
        for (Entry entry : entries) {
            if (entry.begin != position || entry.end > data.byteSize()) {
                throw new FormatException(file, -1, "tensor " + entry.name + " takes bytes " + entry.begin + " to "
                        + entry.end + ": expected it to begin at " + position + " and to end within "
                        + data.byteSize());
            }
            if (entry.dtype.isPresent()) {
                found.put(entry.name, new Tensor(entry.name, entry.dtype.get(), entry.shape,
                        data.asSlice(entry.begin, entry.end - entry.begin)));
            } else {
                unreadable.put(entry.name, entry.type);
            }
            position = entry.end;
        }
        if (position != data.byteSize()) {
            throw new FormatException(file, -1, "found " + data.byteSize() + " bytes of data: expected " + position
                    + ", where the last tensor ends");
        }
        return found;
    }

    /// @param type as the file says
    /// @param dtype empty if it is not read: the tensor may be one that nobody needs
    private record Entry(String name, String type, Optional<DType> dtype, Shape shape, long begin, long end) {}

    /// Remarks of whoever wrote the file; the format asks for strings, and other writers leave `null` or numbers there.
    private static void readTexts(JsonNode node, Map<String, Object> texts) {
        node.properties().forEach(entry -> texts.putIfAbsent(entry.getKey(),
                entry.getValue().isString() ? entry.getValue().stringValue() : entry.getValue().toString()));
    }

    private static Entry readEntry(Path file, String name, JsonNode node) throws FormatException {
        JsonNode type = node.path("dtype");
        if (!type.isString()) {
            throw new FormatException(file, -1, "tensor " + name + " has type " + (type.isMissingNode() ? "none" : type)
                    + ": expected one of " + supported());
        }
        Optional<DType> dtype = SUPPORTED.stream().filter(candidate -> candidate.name().equals(type.stringValue())).findFirst();
        long[] dimensions = readLongs(file, name, node.path("shape"));
        long[] offsets = readLongs(file, name, node.path("data_offsets"));
        Shape shape;
        long byteSize;
        try {
            shape = Shape.of(dimensions);
            byteSize = dtype.isPresent() ? dtype.get().byteSize(shape) : -1;
        } catch (ArithmeticException overflow) {
            throw new FormatException(file, -1, "tensor " + name + " has the shape " + Arrays.toString(dimensions)
                    + " of more than 2^63 bytes", overflow);
        }
        if (offsets.length != 2 || offsets[1] < offsets[0] || byteSize >= 0 && offsets[1] - offsets[0] != byteSize) {
            throw new FormatException(file, -1, "tensor " + name + " " + shape + " " + type.stringValue()
                    + " has data_offsets " + Arrays.toString(offsets) + ": expected begin and end"
                    + (byteSize >= 0 ? " of " + byteSize + " bytes" : ""));
        }
        return new Entry(name, type.stringValue(), dtype, shape, offsets[0], offsets[1]);
    }

    /// The types that are read, for messages.
    public static String supported() {
        return SUPPORTED.stream().map(DType::name).collect(Collectors.joining(", "));
    }

    private static long[] readLongs(Path file, String name, JsonNode node) throws FormatException {
        boolean longs = node.isArray() && node.valueStream()
                .allMatch(element -> element.isIntegralNumber() && element.canConvertToLong() && element.longValue() >= 0);
        if (!longs) {
            throw new FormatException(file, -1, "tensor " + name
                    + ": expected shape and data_offsets to be arrays of integers, none negative; found " + node);
        }
        return node.valueStream().mapToLong(JsonNode::longValue).toArray();
    }
}
