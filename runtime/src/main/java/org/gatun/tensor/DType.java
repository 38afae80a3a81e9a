package org.gatun.tensor;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/// How the elements of a tensor are stored: [Plain], each by itself; [Block], coded in blocks or rows that share scales; [Sparse], some of
/// every few left out. The layouts of blocks are those of GGUF, and Gatun's own for types that it does not have (`org.gatun.quantize`
/// decodes them). A `switch` names the constants of all three, or the kind, and has no `default`: a new type does not compile until every
/// place has decided.
public sealed interface DType {
    // No method here is a default one: a class's initialisation would then initialise this interface first, whose constants are that
    // class's.

    /// As [Plain#F64].
    DType F64 = Plain.F64;
    /// As [Plain#F32].
    DType F32 = Plain.F32;
    /// As [Plain#F16].
    DType F16 = Plain.F16;
    /// As [Plain#BF16].
    DType BF16 = Plain.BF16;
    /// As [Plain#I64].
    DType I64 = Plain.I64;
    /// As [Plain#I32].
    DType I32 = Plain.I32;
    /// As [Plain#I16].
    DType I16 = Plain.I16;
    /// As [Plain#I8].
    DType I8 = Plain.I8;
    /// As [Plain#U8].
    DType U8 = Plain.U8;
    /// As [Plain#BOOL].
    DType BOOL = Plain.BOOL;
    /// As [Plain#F8_E4M3].
    DType F8_E4M3 = Plain.F8_E4M3;
    /// As [Block#Q4_0].
    DType Q4_0 = Block.Q4_0;
    /// As [Block#Q4_1].
    DType Q4_1 = Block.Q4_1;
    /// As [Block#Q5_0].
    DType Q5_0 = Block.Q5_0;
    /// As [Block#Q5_1].
    DType Q5_1 = Block.Q5_1;
    /// As [Block#Q8_0].
    DType Q8_0 = Block.Q8_0;
    /// As [Block#Q4_K].
    DType Q4_K = Block.Q4_K;
    /// As [Block#Q5_K].
    DType Q5_K = Block.Q5_K;
    /// As [Block#Q6_K].
    DType Q6_K = Block.Q6_K;
    /// As [Block#NF4].
    DType NF4 = Block.NF4;
    /// As [Block#FP4].
    DType FP4 = Block.FP4;
    /// As [Block#MXFP4].
    DType MXFP4 = Block.MXFP4;
    /// As [Block#NVFP4].
    DType NVFP4 = Block.NVFP4;
    /// As [Block#NVFP4_BLOCKS].
    DType NVFP4_BLOCKS = Block.NVFP4_BLOCKS;
    /// As [Block#INT8].
    DType INT8 = Block.INT8;
    /// As [Sparse#SPARSE_2_4_F16].
    DType SPARSE_2_4_F16 = Sparse.SPARSE_2_4_F16;
    /// As [Sparse#SPARSE_2_4_INT8].
    DType SPARSE_2_4_INT8 = Sparse.SPARSE_2_4_INT8;
    /// As [Sparse#SPARSE_2_4_NF4].
    DType SPARSE_2_4_NF4 = Sparse.SPARSE_2_4_NF4;
    /// As [Sparse#SPARSE_1_4_F16].
    DType SPARSE_1_4_F16 = Sparse.SPARSE_1_4_F16;
    /// As [Sparse#SPARSE_2_8_F16].
    DType SPARSE_2_8_F16 = Sparse.SPARSE_2_8_F16;
    /// As [Sparse#SPARSE_4_8_F16].
    DType SPARSE_4_8_F16 = Sparse.SPARSE_4_8_F16;
    /// As [Sparse#SPARSE_1_16_F16].
    DType SPARSE_1_16_F16 = Sparse.SPARSE_1_16_F16;
    /// As [Sparse#SPARSE_2_16_F16].
    DType SPARSE_2_16_F16 = Sparse.SPARSE_2_16_F16;

    /// Elements that stand by themselves.
    enum Plain implements DType {
        F64(8),
        F32(4),
        F16(2),
        BF16(2),
        I64(8),
        I32(4),
        I16(2),
        I8(1),
        U8(1),
        /// One byte, 0 or 1.
        BOOL(1),
        /// A sign, 4 bits of exponent and 3 of fraction: up to 448, without infinities.
        F8_E4M3(1);

        private final Storage storage;

        Plain(int bytes) {
            storage = new Storage(1, bytes, 0);
        }

        @Override
        public int blockElements() {
            return storage.blockElements();
        }

        @Override
        public int blockBytes() {
            return storage.blockBytes();
        }

        @Override
        public int headerBytes() {
            return storage.headerBytes();
        }

        @Override
        public boolean isQuantized() {
            return storage.isQuantized();
        }

        @Override
        public long rowBytes(long columns) {
            return storage.rowBytes(this, columns);
        }

        @Override
        public long byteSize(Shape shape) {
            return storage.byteSize(this, shape);
        }
    }

    /// Elements coded in blocks of a row, or in rows, with shared scales.
    enum Block implements DType {
        /// 32 elements: f16 scale, 16 bytes of 4-bit codes; value = scale · (code − 8).
        Q4_0(32, 18),
        /// 32 elements: f16 scale, f16 minimum, 16 bytes of 4-bit codes; value = scale · code + minimum.
        Q4_1(32, 20),
        /// 32 elements: f16 scale, 4 bytes of fifth bits, 16 bytes of 4-bit codes; value = scale · (code − 16).
        Q5_0(32, 22),
        /// 32 elements: f16 scale, f16 minimum, 4 bytes of fifth bits, 16 bytes of codes; value = scale · code + minimum.
        Q5_1(32, 24),
        /// 32 elements: f16 scale, 32 signed bytes; value = scale · code.
        Q8_0(32, 34),
        /// 256 elements in eight sub-blocks with 6-bit scales and minimums over f16 super-scales.
        Q4_K(256, 144),
        /// As [#Q4_K], with a fifth bit a code.
        Q5_K(256, 176),
        /// 256 elements of 6 bits in sixteen sub-blocks with 8-bit scales over one f16 super-scale.
        Q6_K(256, 210),
        /// 64 elements: f32 scale, 32 bytes of 4-bit codes of quantiles of a normal distribution; `value = scale · codebook[code]`.
        NF4(64, 36),
        /// As [#NF4], with codes of a sign and three bits.
        FP4(64, 36),
        /// 32 elements: a power of two in a byte, 16 bytes of codes of a sign and three bits, each a small floating-point number.
        MXFP4(32, 17),
        /// A row is an f32 scale, the same for all of a tensor, and blocks of 16 elements: a scale of [Plain#F8_E4M3], not negative, and 8 bytes of
        /// codes as in [#MXFP4]; value = scale · scale of the block · number of the code.
        NVFP4(16, 9, Float.BYTES),
        /// 64 elements of [#NVFP4] as GGUF has them: 4 scales of blocks, then their codes; the scale of the tensor is elsewhere.
        NVFP4_BLOCKS(64, 36),
        /// A row is an f32 scale and a signed byte an element; value = scale · code.
        INT8(1, 1, Float.BYTES);

        private final Storage storage;

        Block(int blockElements, int blockBytes) {
            this(blockElements, blockBytes, 0);
        }

        Block(int blockElements, int blockBytes, int headerBytes) {
            storage = new Storage(blockElements, blockBytes, headerBytes);
        }

        @Override
        public int blockElements() {
            return storage.blockElements();
        }

        @Override
        public int blockBytes() {
            return storage.blockBytes();
        }

        @Override
        public int headerBytes() {
            return storage.headerBytes();
        }

        @Override
        public boolean isQuantized() {
            return storage.isQuantized();
        }

        @Override
        public long rowBytes(long columns) {
            return storage.rowBytes(this, columns);
        }

        @Override
        public long byteSize(Shape shape) {
            return storage.byteSize(this, shape);
        }
    }

    /// Of every few elements of a row some are kept, the others are 0. A block of 64 elements has the values of those that are kept, in
    /// order, then their places within their groups as a stream of bits, the lowest of the first byte first. The values are f16; or
    /// signed bytes, to be multiplied by the scale of the row; or [Block#NF4], an f32 scale and the codes, the first of two in the high
    /// half.
    enum Sparse implements DType {
        /// Of each 4 elements 2 are kept, as f16; see [Sparse].
        SPARSE_2_4_F16(2, 4, Plain.F16),
        /// Of each 4 elements 2 are kept, as [Block#INT8].
        SPARSE_2_4_INT8(2, 4, Block.INT8),
        /// Of each 4 elements 2 are kept, as [Block#NF4].
        SPARSE_2_4_NF4(2, 4, Block.NF4),
        /// Of each 4 elements 1 is kept, as f16.
        SPARSE_1_4_F16(1, 4, Plain.F16),
        /// Of each 8 elements 2 are kept, as f16.
        SPARSE_2_8_F16(2, 8, Plain.F16),
        /// Of each 8 elements 4 are kept, as f16.
        SPARSE_4_8_F16(4, 8, Plain.F16),
        /// Of each 16 elements 1 is kept, as f16.
        SPARSE_1_16_F16(1, 16, Plain.F16),
        /// Of each 16 elements 2 are kept, as f16.
        SPARSE_2_16_F16(2, 16, Plain.F16);

        /// Elements of a block, for all.
        public static final int BLOCK_ELEMENTS = 64;

        private final int kept;
        private final int group;
        private final DType valueType;
        private final Storage storage;

        Sparse(int kept, int group, DType valueType) {
            this.kept = kept;
            this.group = group;
            this.valueType = valueType;
            storage = new Storage(BLOCK_ELEMENTS, valueBytes() + blockKept() * indexBits() / Byte.SIZE, valueType.headerBytes());
        }

        /// Elements of a group that are kept, even if some of them are 0.
        public int kept() {
            return kept;
        }

        /// Elements of a group, a power of two up to 16.
        public int group() {
            return group;
        }

        /// How those that are kept are stored: [Plain#F16], [Block#INT8] or [Block#NF4].
        public DType valueType() {
            return valueType;
        }

        /// Elements of a block that are kept.
        public int blockKept() {
            return BLOCK_ELEMENTS / group * kept;
        }

        /// Bits of a place.
        public int indexBits() {
            return Integer.numberOfTrailingZeros(group);
        }

        /// Bytes of the values of a block, behind which the places begin.
        public int valueBytes() {
            return valueType == Block.NF4 ? Float.BYTES + blockKept() / 2 : blockKept() * valueType.blockBytes();
        }

        @Override
        public int blockElements() {
            return storage.blockElements();
        }

        @Override
        public int blockBytes() {
            return storage.blockBytes();
        }

        @Override
        public int headerBytes() {
            return storage.headerBytes();
        }

        @Override
        public boolean isQuantized() {
            return storage.isQuantized();
        }

        @Override
        public long rowBytes(long columns) {
            return storage.rowBytes(this, columns);
        }

        @Override
        public long byteSize(Shape shape) {
            return storage.byteSize(this, shape);
        }
    }

    /// Every type, plain ones first.
    static List<DType> all() {
        return Stream.of(Plain.values(), Block.values(), Sparse.values()).<DType>flatMap(Arrays::stream).toList();
    }

    /// The type of a name.
    ///
    /// @throws IllegalArgumentException if there is none
    static DType valueOf(String name) {
        return all().stream().filter(type -> type.name().equals(name)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("type '" + name + "': expected one of " + all()));
    }

    /// Its name, as the constant's.
    String name();

    /// Elements that are stored together; 1 for plain types.
    int blockElements();

    /// Bytes of one block.
    int blockBytes();

    /// Bytes before the blocks of each row: those of its f32 scale, or 0.
    int headerBytes();

    /// Whether elements are coded in blocks or rows with shared scales, or some of them left out.
    boolean isQuantized();

    /// Bytes that a row takes. For types without a header rows follow each other as one long row would.
    ///
    /// @throws IllegalArgumentException if `columns` is negative or no multiple of the block
    /// @throws ArithmeticException if the size is beyond a `long`
    long rowBytes(long columns);

    /// Bytes that a tensor takes.
    ///
    /// @throws IllegalArgumentException if its rows are no multiple of the block
    /// @throws ArithmeticException if the size is beyond a `long`
    long byteSize(Shape shape);
}
