package org.gatun.format;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;

/// A GGUF file (versions 2 and 3, little-endian): metadata, and tensors that are views of the mapped file. A model that is split into
/// several files is read whole, whichever of them is named; see [GgufParts].
///
/// Immutable, shared by threads. The tensors live until [#close]; the file must not be changed meanwhile. Opening
/// reads the header only. Whatever the file holds, opening either succeeds or fails with an [IOException]; nothing is
/// allocated for a count before the file is seen to be long enough for it.
///
/// Malformed UTF-8 in names and values is replaced by U+FFFD.
///
/// Source: the GGUF specification (`docs/gguf.md` of ggml-org/ggml).
public final class GgufFile implements AutoCloseable {
    static final int MAGIC = 'G' | 'G' << 8 | 'U' << 16 | 'F' << 24;
    static final long DEFAULT_ALIGNMENT_BYTES = 32;
    static final int MAX_DIMENSIONS = 4;
    static final String ALIGNMENT_KEY = "general.alignment";

    private static final String EXPECTED = "a GGUF file";
    private static final int MAX_NAME_BYTES = 65_535;
    private static final int MIN_ENTRY_BYTES = 8 + 4 + 1;
    private static final int MIN_TENSOR_BYTES = 8 + 4 + 4 + 8;

    private final Path path;
    private final Optional<MappedFile> mapping;
    private final MemorySegment bytes;
    private final int version;
    private final Metadata metadata;
    private final Map<String, MemorySegment> encodedValues;
    private final Map<String, Tensor> tensors;
    private final Map<String, String> unreadable = new LinkedHashMap<>();
    private final List<GgufFile> parts;
    private volatile boolean closed;

    private GgufFile(Path path, Optional<MappedFile> mapping, MemorySegment bytes) throws FormatException {
        this.path = path;
        this.mapping = mapping;
        this.bytes = bytes;
        parts = List.of();
        HeaderReader in = new HeaderReader(path, bytes);
        version = readVersion(in);
        int tensorCount = in.count(MIN_TENSOR_BYTES, "the list of tensors");
        int entryCount = in.count(MIN_ENTRY_BYTES, "the metadata");
        encodedValues = LinkedHashMap.newLinkedHashMap(entryCount);
        metadata = readMetadata(in, entryCount);
        tensors = readTensors(in, tensorCount, alignment());
    }

    /// The parts of a split model together, which are closed with it.
    private GgufFile(Path path, List<GgufFile> parts) throws FormatException {
        GgufFile first = parts.getFirst();
        this.path = path;
        this.parts = parts;
        mapping = Optional.empty();
        bytes = first.bytes;
        version = first.version;
        metadata = first.metadata;
        encodedValues = first.encodedValues;
        tensors = GgufParts.merge(parts);
        parts.forEach(part -> unreadable.putAll(part.unreadable));
    }

    /// Maps a file, and those that belong to it if the model is split; the caller closes it.
    ///
    /// @throws FormatException if it is no GGUF file, damaged, or of a kind that Gatun does not read, or a part is missing
    /// @throws IOException if it cannot be read
    public static GgufFile open(Path path) throws IOException {
        return open(path, FileAccess.MAPPED);
    }

    /// As the other, with a choice how the file is read.
    public static GgufFile open(Path path, FileAccess access) throws IOException {
        GgufFile file = openPart(path, access);
        try {
            List<GgufFile> parts = GgufParts.open(file, access);
            return parts.size() == 1 ? file : new GgufFile(path, parts);
        } catch (Throwable failure) {
            file.close();
            throw failure;
        }
    }

    /// Maps or reads one file.
    static GgufFile openPart(Path path, FileAccess access) throws IOException {
        MappedFile mapping = MappedFile.open(path, EXPECTED, access);
        try {
            GgufFile file = new GgufFile(path, Optional.of(mapping), mapping.bytes());
            mapping.requireUnchanged();
            return file;
        } catch (InternalError fault) {
            mapping.close();
            throw FormatException.ofFault(path, fault);
        } catch (Throwable failure) {
            mapping.close();
            throw failure;
        }
    }

    /// A file that is already in memory, which stays the caller's.
    ///
    /// @param bytes the whole file
    /// @param name what messages call it
    /// @throws FormatException as [#open]
    public static GgufFile of(MemorySegment bytes, Path name) throws FormatException {
        GgufFile file = new GgufFile(name, Optional.empty(), bytes);
        if (GgufParts.count(file) > 1) {
            throw new FormatException(name, -1, "found one part of " + GgufParts.count(file)
                    + " in memory: expected a whole model, or a file that has the other parts beside it");
        }
        GgufParts.requireAgreement(List.of(file), 1);
        return file;
    }

    /// The file, for messages.
    public Path path() {
        return path;
    }

    /// Version of the format: 2 or 3.
    public int version() {
        return version;
    }

    /// Keys and values, in file order. Unsigned numbers are positive; arrays of 8 and 16 bits and `int32` are
    /// `int[]`, of other integers `long[]`.
    public Metadata metadata() {
        return metadata;
    }

    /// The tensors of types that Gatun reads, by name, in file order; shapes have the outermost dimension first.
    ///
    /// @throws IllegalStateException if the file is closed
    public Map<String, Tensor> tensors() {
        requireOpen();
        return tensors;
    }

    /// The types of the other tensors, by name.
    public Map<String, String> unreadable() {
        return Collections.unmodifiableMap(unreadable);
    }

    /// Type number and value of each key, as they are in the file: copies a value without loss of its type.
    Map<String, MemorySegment> encodedValues() {
        requireOpen();
        return encodedValues;
    }

    /// Checks that nobody wrote to the file, or to a part of it, since it was opened.
    ///
    /// @throws FormatException if somebody did
    public void requireUnchanged() throws FormatException {
        if (mapping.isPresent()) {
            mapping.get().requireUnchanged();
        }
        for (GgufFile part : parts) {
            part.requireUnchanged();
        }
    }

    /// Unmaps the file, after which its tensors must not be used. Closing twice is harmless.
    @Override
    public void close() {
        closed = true;
        mapping.ifPresent(MappedFile::close);
        parts.forEach(GgufFile::close);
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("GGUF file " + path + " is closed");
        }
    }

    private static int readVersion(HeaderReader in) throws FormatException {
        if (in.remaining() < Integer.BYTES) {
            throw in.failure(0, "found " + in.remaining() + " bytes: expected " + EXPECTED);
        }
        int magic = in.intValue("magic");
        if (magic != MAGIC) {
            throw in.failure(0, "found bytes %08x: expected %s, which begins with 47475546 (\"GGUF\")".formatted(
                    Integer.reverseBytes(magic), EXPECTED));
        }
        int version = in.intValue("version");
        if (version == 1) {
            throw in.failure(4, "found GGUF version 1: expected version 2 or 3; convert the model anew");
        }
        if (Integer.reverseBytes(version) == 2 || Integer.reverseBytes(version) == 3) {
            throw in.failure(4, "found a big-endian GGUF file: expected little-endian; convert the model anew");
        }
        if (version != 2 && version != 3) {
            throw in.failure(4, "found GGUF version " + Integer.toUnsignedString(version) + ": expected 2 or 3");
        }
        return version;
    }

    private Metadata readMetadata(HeaderReader in, int entries) throws FormatException {
        Map<String, Object> values = LinkedHashMap.newLinkedHashMap(entries);
        for (int i = 0; i < entries; i++) {
            int start = in.position();
            String key = readName(in, "metadata key");
            int valueStart = in.position();
            Object value = GgufValue.read(in, key);
            if (values.putIfAbsent(key, value) != null) {
                throw in.failure(start, "found metadata key " + key + " twice: expected it once");
            }
            encodedValues.put(key, bytes.asSlice(valueStart, in.position() - valueStart));
        }
        return new Metadata(path, values);
    }

    private static String readName(HeaderReader in, String field) throws FormatException {
        long length = in.longValue(field);
        if (length < 0 || length > MAX_NAME_BYTES) {
            throw in.failure(field + " has " + Long.toUnsignedString(length) + " bytes: expected at most "
                    + MAX_NAME_BYTES);
        }
        return in.string(length, field);
    }

    private long alignment() throws FormatException {
        int alignment = metadata.integer(ALIGNMENT_KEY).orElse((int) DEFAULT_ALIGNMENT_BYTES);
        if (alignment <= 0 || Integer.bitCount(alignment) != 1) {
            throw new FormatException(path, -1, ALIGNMENT_KEY + " is " + alignment + ": expected a power of two");
        }
        return alignment;
    }

    /// A tensor as the header describes it, before it is known where the data begin.
    private record Entry(DType dtype, Shape shape, long offset, long byteSize) {}

    private Map<String, Tensor> readTensors(HeaderReader in, int count, long alignment) throws FormatException {
        Map<String, Entry> entries = LinkedHashMap.newLinkedHashMap(count);
        for (int i = 0; i < count; i++) {
            int start = in.position();
            String name = readName(in, "tensor name");
            if (entries.containsKey(name) || unreadable.containsKey(name)) {
                throw in.failure(start, "found tensor " + name + " twice: expected it once");
            }
            readEntry(in, name).ifPresent(found -> entries.put(name, found));
        }
        long dataStart = Math.ceilDiv((long) in.position(), alignment) * alignment;
        long dataBytes = bytes.byteSize() - dataStart;
        Map<String, Tensor> result = LinkedHashMap.newLinkedHashMap(count);
        for (Map.Entry<String, Entry> named : entries.entrySet()) {
            String name = named.getKey();
            Entry entry = named.getValue();
            if (entry.offset % alignment != 0) {
                throw new FormatException(path, -1, "tensor " + name + " is at offset "
                        + Long.toUnsignedString(entry.offset) + ": expected a multiple of the alignment " + alignment);
            }
            if (entry.offset < 0 || entry.byteSize > dataBytes - entry.offset) {
                throw new FormatException(path, -1, "tensor " + name + " takes " + entry.byteSize
                        + " bytes from offset " + Long.toUnsignedString(entry.offset) + ", found "
                        + Math.max(0, dataBytes) + " bytes of data: the file is damaged or was not copied whole");
            }
            MemorySegment data = bytes.asSlice(dataStart + entry.offset, entry.byteSize);
            result.put(name, new Tensor(name, entry.dtype, entry.shape, data));
        }
        return Collections.unmodifiableMap(result);
    }

    /// A tensor of a type that is not read is only noted: it may be one that nobody needs.
    private Optional<Entry> readEntry(HeaderReader in, String name) throws FormatException {
        int start = in.position();
        int rank = in.intValue(name);
        if (rank < 0 || rank > MAX_DIMENSIONS) {
            throw in.failure(start, "tensor " + name + " has " + Integer.toUnsignedString(rank)
                    + " dimensions: expected at most " + MAX_DIMENSIONS);
        }
        long[] dimensions = new long[rank];
        for (int i = rank - 1; i >= 0; i--) {
            dimensions[i] = in.longValue(name);
            if (dimensions[i] <= 0) {
                throw in.failure(start, "tensor " + name + " has a dimension of "
                        + Long.toUnsignedString(dimensions[i]) + ": expected 1 to " + Long.MAX_VALUE);
            }
        }
        int number = in.intValue(name);
        Optional<DType> known = GgufType.dtype(number);
        if (known.isEmpty()) {
            in.longValue(name); // its offset
            unreadable.put(name, GgufType.unsupportedName(number));
            return Optional.empty();
        }
        DType dtype = known.get();
        long columns = rank == 0 ? 1 : dimensions[rank - 1];
        if (columns % dtype.blockElements() != 0) {
            throw in.failure(start, "tensor " + name + " of type " + dtype + " has rows of " + columns
                    + " elements: expected a multiple of " + dtype.blockElements());
        }
        try {
            Shape shape = Shape.of(dimensions);
            long byteSize = dtype.byteSize(shape);
            return Optional.of(new Entry(dtype, shape, in.longValue(name), byteSize));
        } catch (ArithmeticException overflow) {
            throw in.failure(start, "tensor " + name + " has a shape of more than 2^63 bytes");
        }
    }
}
