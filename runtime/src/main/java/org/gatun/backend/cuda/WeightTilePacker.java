package org.gatun.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.gatun.cuda.kernels.WeightType;
import org.gatun.quantize.SixBitScales;
import org.gatun.tensor.DType;
import org.gatun.tensor.Tensor;

/// Arranges blocks of a file as the weight tiles of `matmul_quantized.cu`, `matmul_float4.cu`, `matmul_sparse.cu` and `matmul_n_m.cu`:
/// the same codes and scales in the order in which lanes of a warp read them.
final class WeightTilePacker {
    private static final int OUTPUTS = WeightType.TILE_OUTPUTS;
    private static final int INPUTS = WeightType.TILE_INPUTS;
    private static final int SUPER_BLOCK_TILES = 256 / INPUTS;
    private static final int LANES = 32;
    private static final int LANE_CODES = OUTPUTS * INPUTS / LANES;
    private static final int STEP_INPUTS = 16;
    private static final int[] LANE_INPUTS = {0, 1, 8, 9}; // of 16, from twice the lane's number modulo 4 on
    private static final int[][] FLOAT_BITS = {{6, 7, 8, 15}, {3, 4, 5, 12}, {0, 1, 2, 9}, {13, 10, 11, 14}}; // of pairs, from the lowest
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt WORD = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;

    private final Tensor tensor;
    private final WeightType type;
    private final MemorySegment data;
    private final int rowBytes;
    private final int blockBytes;
    private final int[] largest = new int[OUTPUTS]; // scale of MXFP4 of each row
    private final byte[] codes = new byte[OUTPUTS * INPUTS]; // of a weight tile, one an input

    private WeightTilePacker(Tensor tensor, WeightType type) {
        this.tensor = tensor;
        this.type = type;
        data = tensor.data();
        rowBytes = Math.toIntExact(tensor.dtype().rowBytes(tensor.columns()));
        blockBytes = tensor.dtype().blockBytes();
    }

    /// Bytes of the weight tiles of 8 outputs.
    static long groupBytes(WeightType type, int inputs) {
        return type.byteSize(OUTPUTS, inputs);
    }

    /// Writes the weight tiles of eight rows of a tensor.
    ///
    /// @param tensor of the type in a file that is kept as `type`
    /// @param firstRow a multiple of 8; the seven behind it are there
    static void write(Tensor tensor, WeightType type, int firstRow, MemorySegment target, long offset) {
        WeightTilePacker packer = new WeightTilePacker(tensor, type);
        for (int row = 0; row < OUTPUTS && type == WeightType.MXFP4; row++) {
            packer.largest[row] = packer.largestScale((long) (firstRow + row) * packer.rowBytes);
        }
        for (int tile = 0; tile < Math.ceilDiv(tensor.columns(), INPUTS); tile++) {
            long at = offset + (long) tile * type.tileBytes();
            target.asSlice(at, type.tileBytes()).fill((byte) 0);
            Arrays.fill(packer.codes, (byte) 0);
            for (int row = 0; row < OUTPUTS; row++) {
                long scales = at + (long) OUTPUTS * INPUTS * type.codeBits() / Byte.SIZE + (long) row * type.scaleBytes();
                packer.read((long) (firstRow + row) * packer.rowBytes, tile, row, target, scales);
            }
            if (type == WeightType.SPARSE_2_4 || type == WeightType.SPARSE_2_4_INT8) {
                packer.writeValues(target, at, type == WeightType.SPARSE_2_4 ? Short.BYTES : 1);
            } else if (type.isFloat4()) {
                packer.writeFloats(target, at);
            } else if (!type.isSparse()) {
                packer.writeCodes(target, at);
            }
        }
        if (type.outputScaleBytes() > 0) {
            long scales = offset + groupBytes(type, tensor.columns()) - (long) OUTPUTS * Float.BYTES;
            for (int row = 0; row < OUTPUTS; row++) {
                target.set(FLOAT, scales + (long) row * Float.BYTES, switch (type) {
                    case MXFP4 -> Math.scalb(1f, packer.largest[row] - 127 + 6);
                    case NVFP4 -> Math.scalb(packer.data.get(FLOAT, (long) (firstRow + row) * packer.rowBytes), 20);
                    default -> packer.data.get(FLOAT, (long) (firstRow + row) * packer.rowBytes);
                });
            }
        }
    }

    /// Reads the codes of 64 inputs of a row, and copies their scales.
    private void read(long row, int tile, int output, MemorySegment target, long scales) {
        int start = output * INPUTS;
        switch (type) {
            case Q8_0, Q4_0 -> {
                for (int half = 0; half < 2 && (2 * tile + half) * tensor.dtype().blockElements() < tensor.columns(); half++) {
                    long block = row + (long) (2 * tile + half) * blockBytes;
                    target.set(SHORT, scales + 2L * half, data.get(SHORT, block));
                    readBlock(block + 2, start + half * INPUTS / 2);
                }
            }
            case Q4_K -> readQ4K(row, tile, output, target, scales);
            case Q6_K -> readQ6K(row, tile, output, target, scales);
            case NF4, FP4 -> {
                long block = row + (long) tile * blockBytes;
                MemorySegment.copy(data, block, target, scales, Float.BYTES);
                for (int i = 0; i < INPUTS; i++) {
                    codes[start + i] = (byte) (data.get(BYTE, block + Float.BYTES + i / 2) >> (1 - i % 2) * 4 & 15);
                }
            }
            case MXFP4 -> {
                for (int half = 0; half < 2 && (2 * tile + half) * 32 < tensor.columns(); half++) {
                    long block = row + (long) (2 * tile + half) * blockBytes;
                    int exponent = Math.max(0, Byte.toUnsignedInt(data.get(BYTE, block)) - largest[output] + 120 + 127);
                    target.set(BYTE, scales + half, (byte) (exponent >> 1 | exponent << 7));
                    readNibbles(block + 1, start + half * 32, 16);
                }
            }
            case NVFP4 -> readNvfp4(row, tile, output, target, scales);
            case INT8 -> MemorySegment.copy(data, BYTE, row + Float.BYTES + (long) tile * INPUTS, codes, start,
                    Math.min(INPUTS, tensor.columns() - tile * INPUTS));
            case SPARSE_2_4 -> {
                long block = row + (long) tile * blockBytes;
                MemorySegment.copy(data, BYTE, block, codes, start, INPUTS);
                MemorySegment.copy(data, block + INPUTS, target, scales, INPUTS / Byte.SIZE);
            }
            case SPARSE_2_4_INT8 -> {
                long block = row + Float.BYTES + (long) tile * blockBytes;
                for (int i = 0; i < INPUTS / 2; i++) {
                    codes[start + i] = (byte) (data.get(BYTE, block + i) + 128);
                }
                MemorySegment.copy(data, block + INPUTS / 2, target, scales, INPUTS / Byte.SIZE);
            }
            case SPARSE_1_4, SPARSE_2_8, SPARSE_4_8, SPARSE_1_16, SPARSE_2_16 -> readSparse(row, tile, output, target, scales);
            default -> throw new IllegalArgumentException(type + " is not kept in weight tiles");
        }
    }

    private void readQ4K(long row, int tile, int output, MemorySegment target, long scales) {
        int start = output * INPUTS;
        long block = row + (long) (tile / SUPER_BLOCK_TILES) * blockBytes;
        int sub = tile % SUPER_BLOCK_TILES * 2;
        target.set(SHORT, scales, data.get(SHORT, block));
        target.set(SHORT, scales + 2, data.get(SHORT, block + 2));
        for (int half = 0; half < 2; half++) {
            target.set(BYTE, scales + 4 + 2L * half, (byte) SixBitScales.scale(data, block + 4, sub + half));
            target.set(BYTE, scales + 5 + 2L * half, (byte) SixBitScales.minimum(data, block + 4, sub + half));
        }
        readNibbles(block + 16 + 16L * sub, start, INPUTS / 2);
    }

    private void readQ6K(long row, int tile, int output, MemorySegment target, long scales) {
        int start = output * INPUTS;
        long block = row + (long) (tile / SUPER_BLOCK_TILES) * blockBytes;
        int first = tile % SUPER_BLOCK_TILES * INPUTS;
        for (int i = 0; i < INPUTS; i++) {
            int half = (first + i) / 128;
            int run = (first + i) / 32 % 4;
            int low = data.get(BYTE, block + 64 * half + 32 * (run % 2) + i % 32) >> 4 * (run / 2) & 15;
            int high = data.get(BYTE, block + 128 + 32 * half + i % 32) >> 2 * run & 3;
            codes[start + i] = (byte) (low | high << 4);
        }
        for (int i = 0; i < INPUTS / 16; i++) {
            target.set(BYTE, scales + i, (byte) (data.get(BYTE, block + 192 + first / 16 + i) + 128));
        }
        target.set(SHORT, scales + INPUTS / 16, data.get(SHORT, block + 208));
    }

    private void readNvfp4(long row, int tile, int output, MemorySegment target, long scales) {
        int start = output * INPUTS;
        for (int i = 0; i < 4 && tile * INPUTS + i * 16 < tensor.columns(); i++) {
            long block = row + Float.BYTES + (long) (4 * tile + i) * blockBytes;
            int scale = data.get(BYTE, block);
            if (scale != 0) {
                int bits = normal(scale);
                target.set(BYTE, scales + i, (byte) (bits >> 4 | bits << 4));
                readNibbles(block + 1, start + i * 16, 8);
            }
        }
    }

    private void readSparse(long row, int tile, int output, MemorySegment target, long scales) {
        DType.Sparse sparsity = (DType.Sparse) tensor.dtype();
        long block = row + (long) tile * blockBytes;
        long places = scales - (long) output * type.scaleBytes(); // of the weight tile
        MemorySegment.copy(data, block, target, places - (long) (OUTPUTS - output) * sparsity.valueBytes(), sparsity.valueBytes());
        for (int part = 0; part < INPUTS / 16; part++) {
            writePlaces(block + sparsity.valueBytes(), part, type.scaleBytes() * Byte.SIZE / 4, target, places,
                    output * 4 + part);
        }
    }

    private int largestScale(long row) {
        int max = 0;
        for (int block = 0; block < rowBytes / blockBytes; block++) {
            max = Math.max(max, Byte.toUnsignedInt(data.get(BYTE, row + (long) block * blockBytes)));
        }
        return max;
    }

    /// An 8-bit floating-point number, not 0, with an exponent of 5 bits, of which 0 is 2^-9, and a first bit of 1 that is left out.
    private static int normal(int bits) {
        if (bits >= 8) {
            return bits + (2 << 3);
        }
        int exponent = Integer.SIZE - 1 - Integer.numberOfLeadingZeros(bits);
        return exponent << 3 | bits << 3 - exponent & 7;
    }

    private void readBlock(long source, int start) {
        if (type == WeightType.Q8_0) {
            MemorySegment.copy(data, BYTE, source, codes, start, INPUTS / 2);
        } else {
            readNibbles(source, start, INPUTS / 4);
        }
    }

    /// Writes the places of a lane: 16 bits, 8 and 4 in planes of their own, as far as there are so many.
    ///
    /// @param source of the places of 64 inputs
    /// @param part of the four
    /// @param count bits of a lane
    private void writePlaces(long source, int part, int count, MemorySegment target, long plane, int lane) {
        int done = 0;
        for (int width = Short.SIZE; width >= 4; width /= 2) {
            if ((count & width) != 0) {
                for (int i = 0; i < width; i++) {
                    int bit = part * count + done + i;
                    or(target, plane + (long) done * LANES / Byte.SIZE, lane * width + i, data.get(BYTE, source + bit / 8) >> bit % 8 & 1);
                }
                done += width;
            }
        }
    }

    /// Low nibbles first, then the high ones.
    private void readNibbles(long source, int start, int bytes) {
        for (int i = 0; i < bytes; i++) {
            byte pair = data.get(BYTE, source + i);
            codes[start + i] = (byte) (pair & 15);
            codes[start + bytes + i] = (byte) (pair >> 4 & 15);
        }
    }

    /// Pairs of codes so that a mask finds both at the same place of the halves of a word; of a type with a table in a byte.
    private void writeCodes(MemorySegment target, long at) {
        int bits = type.codeBits() == Byte.SIZE ? Byte.SIZE : 4;
        for (int lane = 0; lane < LANES; lane++) {
            for (int i = 0; i < LANE_CODES; i++) {
                int code = codes[input(lane, i)] & 0xff;
                int place = type.hasTable() ? i : place(i, Integer.SIZE / bits);
                or(target, at, (lane * LANE_CODES + place) * bits, code & (1 << bits) - 1);
                if (type.codeBits() > bits) {
                    int highBits = type.codeBits() - bits;
                    or(target, at + OUTPUTS * INPUTS * bits / Byte.SIZE, (lane * LANE_CODES + place(i, LANE_CODES)) * highBits,
                            code >> bits);
                }
            }
        }
    }

    /// Floating-point numbers of 4 bits, so that shifts and masks find pairs of them in the halves of a word.
    private void writeFloats(MemorySegment target, long at) {
        for (int lane = 0; lane < LANES; lane++) {
            for (int word = 0; word < 2; word++) {
                int bits = 0;
                for (int i = 0; i < 8; i++) {
                    int code = codes[input(lane, word * 8 + i)];
                    for (int bit = 0; bit < 4; bit++) {
                        bits |= (code >> bit & 1) << FLOAT_BITS[i / 2][bit] + i % 2 * 16;
                    }
                }
                target.set(WORD, at + lane * 8L + word * 4L, bits);
            }
        }
    }

    /// Which code of a weight tile is a number of a lane.
    private static int input(int lane, int number) {
        return lane / 4 * INPUTS + number / 4 * STEP_INPUTS + lane % 4 * 2 + LANE_INPUTS[number % 4];
    }

    /// Values of some bytes, half as many as inputs.
    private void writeValues(MemorySegment target, long at, int bytes) {
        for (int lane = 0; lane < LANES; lane++) {
            for (int i = 0; i < LANE_CODES / 2; i++) {
                int value = i / 4 * STEP_INPUTS + lane % 4 * 2 + LANE_INPUTS[i % 4];
                MemorySegment.copy(codes, lane / 4 * INPUTS + bytes * value, target, BYTE, at + (long) bytes * (lane * LANE_CODES / 2 + i),
                        bytes);
            }
        }
    }

    /// Where a code is among those of its lane: the first of each pair in the low half of a word, the second in the high half.
    private static int place(int number, int wordCodes) {
        return number / wordCodes * wordCodes + number % wordCodes / 2 + number % 2 * wordCodes / 2;
    }

    /// @param bit number of the lowest bit, not across bytes
    private static void or(MemorySegment target, long at, int bit, int bits) {
        long place = at + bit / Byte.SIZE;
        target.set(BYTE, place, (byte) (target.get(BYTE, place) | bits << bit % Byte.SIZE));
    }
}
