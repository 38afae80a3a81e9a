package org.gatun.tokenizer;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.gatun.format.FormatException;
import org.gatun.tokenizer.Vocabulary.Kind;
import org.gatun.tokenizer.Vocabulary.Spelling;

/// Reads sentencepiece's `.model` files, of types BPE and unigram.
final class SentencePieceFile {
    /* The file is a protobuf message, `ModelProto` of sentencepiece_model.proto; the field numbers below are those of
     * that file. Everything but the fields named here is skipped. */

    private static final int UNIGRAM = 1;
    private static final int BPE = 2;

    private final Path file;
    private final List<String> pieces = new ArrayList<>();
    private final List<Kind> kinds = new ArrayList<>();
    private final List<Float> scores = new ArrayList<>();
    private int type = UNIGRAM;
    private boolean spaceLast;
    private int unknown;
    private int begin = 1;
    private int end = 2;
    private Optional<CharacterMap> characters = Optional.empty();
    private boolean addSpace = true;
    private boolean collapseSpaces = true;
    private boolean escapeSpaces = true;

    private SentencePieceFile(Path file) {
        this.file = file;
    }

    static Tokenizer read(Path file) throws IOException {
        return new SentencePieceFile(file).tokenizer();
    }

    private Tokenizer tokenizer() throws IOException {
        Fields model = new Fields(ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN));
        while (model.next()) {
            switch (model.field) {
                case 1 -> readPiece(model.message());
                case 2 -> readTrainer(model.message());
                case 3 -> readNormalizer(model.message());
                default -> { }
            }
        }
        if (pieces.isEmpty()) {
            throw new FormatException(file, -1, "no pieces: expected a sentencepiece model");
        }
        if (spaceLast || !escapeSpaces) {
            throw new FormatException(file, -1, (spaceLast ? "treat_whitespace_as_suffix is set"
                    : "escape_whitespaces is off") + ": Gatun reads models that write a space before a word only");
        }
        float[] scoreArray = new float[pieces.size()];
        for (int id = 0; id < scoreArray.length; id++) {
            scoreArray[id] = scores.get(id);
        }
        Vocabulary vocabulary = new Vocabulary(pieces.toArray(String[]::new), kinds.toArray(Kind[]::new), scoreArray,
                Spelling.TEXT);
        SentencePieceNormalizer normalizer = new SentencePieceNormalizer(characters, addSpace, collapseSpaces);
        int unknownId = known(unknown);
        return switch (type) {
            case BPE -> new VocabularyTokenizer(vocabulary, new ScoredPairs(vocabulary, normalizer, unknownId),
                    frame(vocabulary, added(begin), new int[0]));
            case UNIGRAM -> new VocabularyTokenizer(vocabulary, new Unigram(vocabulary, normalizer, unknownId),
                    frame(vocabulary, new int[0], added(end)));
            default -> throw new FormatException(file, -1, "model type is " + type
                    + ": expected 1 (unigram) or 2 (BPE)");
        };
    }

    private VocabularyTokenizer.Frame frame(Vocabulary vocabulary, int[] before, int[] after) {
        var ends = GgufTokenizer.endNames(vocabulary);
        if (known(end) >= 0) {
            ends.set(end);
        }
        return new VocabularyTokenizer.Frame(before, after,
                known(begin) >= 0 ? OptionalInt.of(begin) : OptionalInt.empty(), ends, addSpace);
    }

    private int known(int id) {
        return id >= 0 && id < pieces.size() ? id : Vocabulary.NONE;
    }

    private int[] added(int id) {
        return known(id) >= 0 ? new int[] {id} : new int[0];
    }

    private void readPiece(Fields in) throws FormatException {
        String piece = "";
        float score = 0;
        int kind = 1;
        while (in.next()) {
            switch (in.field) {
                case 1 -> piece = in.string();
                case 2 -> score = in.floating();
                case 3 -> kind = in.integer();
                default -> { }
            }
        }
        if (kind < 1 || kind > Kind.values().length) {
            throw new FormatException(file, in.offset(), "piece '" + piece + "' is of type " + kind
                    + ": expected 1 to " + Kind.values().length);
        }
        if (!Float.isFinite(score)) {
            throw new FormatException(file, in.offset(), "piece '" + piece + "' has the score " + score + ": expected a finite number");
        }
        Kind known = Kind.values()[kind - 1];
        pieces.add(known == Kind.USER_DEFINED ? piece.replace(Vocabulary.SPACE, ' ') : piece);
        scores.add(score);
        kinds.add(known);
    }

    private void readTrainer(Fields in) throws FormatException {
        while (in.next()) {
            switch (in.field) {
                case 3 -> type = in.integer();
                case 24 -> spaceLast = in.integer() != 0;
                case 40 -> unknown = in.integer();
                case 41 -> begin = in.integer();
                case 42 -> end = in.integer();
                default -> { }
            }
        }
    }

    private void readNormalizer(Fields in) throws FormatException {
        while (in.next()) {
            switch (in.field) {
                case 2 -> {
                    byte[] map = in.bytes();
                    try {
                        characters = map.length == 0 ? Optional.empty() : Optional.of(new CharacterMap(map));
                    } catch (IllegalArgumentException e) {
                        throw new FormatException(file, in.offset(), e.getMessage(), e);
                    }
                }
                case 3 -> addSpace = in.integer() != 0;
                case 4 -> collapseSpaces = in.integer() != 0;
                case 5 -> escapeSpaces = in.integer() != 0;
                default -> { }
            }
        }
    }

    /// The fields of a protobuf message, one after the other.
    private final class Fields {
        private static final int VARINT = 0;
        private static final int FIXED64 = 1;
        private static final int LENGTH = 2;
        private static final int FIXED32 = 5;

        private final ByteBuffer in;
        int field;
        private int wire;
        private long number;
        private ByteBuffer content;

        Fields(ByteBuffer in) {
            this.in = in;
        }

        /// Goes to the next field, whose number is then in [#field].
        boolean next() throws FormatException {
            if (!in.hasRemaining()) {
                return false;
            }
            long tag = varint();
            field = (int) (tag >>> 3);
            wire = (int) tag & 7;
            switch (wire) {
                case VARINT -> number = varint();
                case FIXED32 -> number = take(4).getInt();
                case FIXED64 -> number = take(8).getLong();
                case LENGTH -> content = take(varint());
                default -> throw new FormatException(file, offset(), "field " + field + " has wire type " + wire
                        + ": expected a protobuf message");
            }
            return true;
        }

        int integer() throws FormatException {
            expect(VARINT);
            return (int) number;
        }

        float floating() throws FormatException {
            expect(FIXED32);
            return Float.intBitsToFloat((int) number);
        }

        byte[] bytes() throws FormatException {
            expect(LENGTH);
            byte[] bytes = new byte[content.remaining()];
            content.duplicate().get(bytes);
            return bytes;
        }

        String string() throws FormatException {
            return new String(bytes(), StandardCharsets.UTF_8);
        }

        Fields message() throws FormatException {
            expect(LENGTH);
            return new Fields(content);
        }

        /// Where in the file reading stands.
        long offset() {
            return in.position();
        }

        private void expect(int expected) throws FormatException {
            if (wire != expected) {
                throw new FormatException(file, offset(), "field " + field + " has wire type " + wire + ": expected "
                        + expected);
            }
        }

        private long varint() throws FormatException {
            long value = 0;
            for (int shift = 0; shift < 64; shift += 7) {
                if (!in.hasRemaining()) {
                    throw new FormatException(file, offset(), "the file ends within a number");
                }
                byte b = in.get();
                value |= (long) (b & 0x7F) << shift;
                if (b >= 0) {
                    return value;
                }
            }
            throw new FormatException(file, offset(), "number of more than 10 bytes");
        }

        private ByteBuffer take(long length) throws FormatException {
            if (length < 0 || length > in.remaining()) {
                throw new FormatException(file, offset(), length + " bytes expected, " + in.remaining() + " left");
            }
            int end = in.position() + (int) length;
            ByteBuffer taken = in.duplicate().order(ByteOrder.LITTLE_ENDIAN).limit(end);
            in.position(end);
            return taken;
        }
    }
}
