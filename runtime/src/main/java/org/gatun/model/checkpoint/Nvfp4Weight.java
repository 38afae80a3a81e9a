package org.gatun.model.checkpoint;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.gatun.format.FormatException;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;

/// Reads and arranges weights of [DType#NVFP4] as files have them. In all a weight is codes, two a byte, a scale for each 16 of them, and
/// one scale for the tensor:
///
/// | | codes | scales | of the tensor |
/// |---|---|---|---|
/// | compressed-tensors | `P.weight_packed` U8 | `P.weight_scale` F8_E4M3 | `P.weight_global_scale` F32, a divisor |
/// | ModelOpt | `P.weight` U8 | `P.weight_scale` F8_E4M3 | `P.weight_scale_2` F32, a factor |
/// | GGUF | `P.weight` NVFP4 | in its blocks | `P.scale` F32, a factor; 1 if there is none |
///
/// In safetensors the first of two codes is in the low half of a byte, in GGUF and in Gatun's rows the codes of a block's first half are.
/// Scales of inputs, which some files have beside, are for activations of 4 bits and not read.
public final class Nvfp4Weight {
    public static final int BLOCK = DType.NVFP4.blockElements();
    private static final int BLOCK_BYTES = DType.NVFP4.blockBytes();
    private static final int CODE_BYTES = BLOCK / 2;
    private static final int BLOCKS = DType.NVFP4_BLOCKS.blockElements() / BLOCK;
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;

    private Nvfp4Weight() {}

    /// The weight of a name in a safetensors file, if it is of this kind.
    ///
    /// @param path of the file, for messages
    /// @param arena of what is made
    /// @throws FormatException if its parts do not fit each other, or a scale is no number
    static Optional<Tensor> read(Path path, Map<String, Tensor> tensors, String name, Arena arena) throws FormatException {
        boolean packed = tensors.containsKey(name + "_packed");
        if (!packed && !tensors.containsKey(name + "_scale_2")) {
            return Optional.empty();
        }
        WeightParts parts = new WeightParts(path, tensors, name, DType.NVFP4);
        Tensor codes = tensors.get(packed ? name + "_packed" : name);
        parts.require(codes != null, "no codes", name + " of U8");
        long columns = codes.shape().rank() == 2 ? codes.shape().columns() * 2 : 0;
        parts.require(codes.dtype() == DType.U8 && columns > 0 && columns <= Integer.MAX_VALUE, codes.dtype() + " " + codes.shape(),
                "rows of U8");
        parts.require(columns % BLOCK == 0, "rows of " + columns + " weights", "a multiple of " + BLOCK);
        Shape shape = Shape.of(codes.shape().rows(), columns);
        MemorySegment scales = parts.part(name + "_scale", DType.F8_E4M3, shape.elements() / BLOCK);
        float stored = parts.part(name + (packed ? "_global_scale" : "_scale_2"), DType.F32, 1).get(WeightParts.FLOAT, 0);
        float scale = packed ? 1 / stored : stored;
        parts.require(scale > 0 && Float.isFinite(scale), (packed ? "a global scale of " : "a second scale of ") + stored,
                "a positive number");
        int blocks = (int) columns / BLOCK;
        return Optional.of(sound(parts, arrange(name, shape, scale, arena, (row, block, target, at) -> {
            long number = (long) row * blocks + block;
            target.set(BYTE, at, scales.get(BYTE, number));
            for (int j = 0; j < CODE_BYTES; j++) {
                target.set(BYTE, at + 1 + j, (byte) (code(codes, number, j) | code(codes, number, j + CODE_BYTES) << 4));
            }
        })));
    }

    private static int code(Tensor codes, long block, int element) {
        return codes.data().get(BYTE, block * CODE_BYTES + element / 2) >> element % 2 * 4 & 15;
    }

    /// A weight of a GGUF file, with the scale beside it.
    ///
    /// @param stored of [DType#NVFP4_BLOCKS]
    /// @throws FormatException if the scale is of another type or size, or a scale is no number
    static Tensor ofGguf(Path path, Map<String, Tensor> tensors, Tensor stored, Arena arena) throws FormatException {
        WeightParts parts = new WeightParts(path, tensors, stored.name(), DType.NVFP4);
        String name = scaleName(stored.name());
        float scale = tensors.containsKey(name) ? parts.part(name, DType.F32, 1).get(WeightParts.FLOAT, 0) : 1;
        parts.require(scale > 0 && Float.isFinite(scale), "a scale of " + scale, "a positive number");
        int groups = stored.columns() / DType.NVFP4_BLOCKS.blockElements();
        return sound(parts, arrange(stored.name(), stored.shape(), scale, arena, (row, block, target, at) -> {
            long group = ((long) row * groups + block / BLOCKS) * DType.NVFP4_BLOCKS.blockBytes();
            MemorySegment.copy(stored.data(), group + block % BLOCKS, target, at, 1);
            MemorySegment.copy(stored.data(), group + BLOCKS + (long) block % BLOCKS * CODE_BYTES, target, at + 1, CODE_BYTES);
        }));
    }

    /// What GGUF calls the scale of a weight.
    public static String scaleName(String weight) {
        return weight.replaceFirst("weight$", "scale");
    }

    @FunctionalInterface
    private interface BlockWriter {
        void write(int row, int block, MemorySegment target, long at);
    }

    private static Tensor arrange(String name, Shape shape, float scale, Arena arena, BlockWriter writer) {
        MemorySegment made = arena.allocate(DType.NVFP4.byteSize(shape), 64);
        long rowBytes = DType.NVFP4.rowBytes(shape.columns());
        int blocks = Math.toIntExact(shape.columns() / BLOCK);
        IntStream.range(0, Math.toIntExact(shape.rows())).parallel().forEach(row -> {
            made.set(WeightParts.FLOAT, row * rowBytes, scale);
            for (int block = 0; block < blocks; block++) {
                writer.write(row, block, made, row * rowBytes + Float.BYTES + (long) block * BLOCK_BYTES);
            }
        });
        return new Tensor(name, DType.NVFP4, shape, made);
    }

    private static Tensor sound(WeightParts parts, Tensor weight) throws FormatException {
        parts.requireSound(weight);
        return weight;
    }

    /// Writes the codes of a row as safetensors have them.
    public static void writeCodes(MemorySegment row, MemorySegment target) {
        for (long block = 0; block < target.byteSize() / CODE_BYTES; block++) {
            for (int j = 0; j < CODE_BYTES; j++) {
                int shift = 2 * j / CODE_BYTES * 4;
                long at = Float.BYTES + block * BLOCK_BYTES + 1 + 2 * j % CODE_BYTES;
                int first = row.get(BYTE, at) >> shift & 15;
                int second = row.get(BYTE, at + 1) >> shift & 15;
                target.set(BYTE, block * CODE_BYTES + j, (byte) (first | second << 4));
            }
        }
    }

    /// Writes the scales of the blocks of a row.
    public static void writeScales(MemorySegment row, MemorySegment target) {
        for (long block = 0; block < target.byteSize(); block++) {
            MemorySegment.copy(row, Float.BYTES + block * BLOCK_BYTES, target, block, 1);
        }
    }

    /// Writes a row as GGUF has it.
    public static void writeGguf(MemorySegment row, MemorySegment target) {
        for (long block = 0; block < (row.byteSize() - Float.BYTES) / BLOCK_BYTES; block++) {
            long from = Float.BYTES + block * BLOCK_BYTES;
            long group = block / BLOCKS * DType.NVFP4_BLOCKS.blockBytes();
            MemorySegment.copy(row, from, target, group + block % BLOCKS, 1);
            MemorySegment.copy(row, from + 1, target, group + BLOCKS + block % BLOCKS * CODE_BYTES, CODE_BYTES);
        }
    }
}
