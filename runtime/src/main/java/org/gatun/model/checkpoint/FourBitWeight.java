package org.gatun.model.checkpoint;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.gatun.format.FormatException;
import org.gatun.format.JsonFile;
import org.gatun.quantize.Codebook;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Reads weights that bitsandbytes quantized to 4 bits. Beside the codes of `P.weight`, two a byte, a file has the largest magnitudes of
/// the blocks (`.absmax`), the codebook (`.quant_map`) and a JSON object (`.quant_state.bitsandbytes__nf4`, or `fp4`). The largest
/// magnitudes may themselves be codes of 8 bits with a codebook and magnitudes of their own (`.nested_…`), see [NestedMagnitudes].
///
/// (Dettmers et al. 2023, arXiv 2305.14314.)
final class FourBitWeight {
    private static final Map<String, DType> TYPES = Map.of("nf4", DType.NF4, "fp4", DType.FP4);
    private static final long MAX_STATE_BYTES = 1 << 16;

    private final WeightParts parts;
    private final String name;
    private final DType dtype;

    private FourBitWeight(WeightParts parts) {
        this.parts = parts;
        name = parts.name();
        dtype = parts.dtype();
    }

    /// The weight of a name, if it is of this kind, in blocks of its own type.
    ///
    /// @param path of the file, for messages
    /// @param arena of what is made
    /// @throws FormatException if its parts do not fit each other, or Gatun's blocks of 64
    static Optional<Tensor> read(Path path, Map<String, Tensor> tensors, String name, Arena arena) throws FormatException {
        for (Map.Entry<String, DType> type : TYPES.entrySet()) {
            Tensor state = tensors.get(name + ".quant_state.bitsandbytes__" + type.getKey());
            if (state != null) {
                return Optional.of(new FourBitWeight(new WeightParts(path, tensors, name, type.getValue())).read(state, arena));
            }
        }
        return Optional.empty();
    }

    private Tensor read(Tensor stateTensor, Arena arena) throws FormatException {
        JsonNode state = parse(stateTensor);
        long rows = state.path("shape").path(0).asLong(0);
        long columns = state.path("shape").path(1).asLong(0);
        int block = state.path("blocksize").asInt(0);
        int ours = dtype.blockElements();
        parts.require(rows > 0 && rows <= Integer.MAX_VALUE && columns > 0 && columns <= Integer.MAX_VALUE
                        && state.path("shape").size() == 2,
                "a shape of " + state.path("shape"), "two sizes");
        parts.require(block > 0 && block % ours == 0 && columns % ours == 0, "blocks of " + block + " and rows of " + columns,
                "multiples of " + ours);
        long elements = rows * columns;
        MemorySegment codes = parts.part(name, DType.U8, elements / 2);
        float[] codebook = Codebook.of(dtype);
        MemorySegment theirs = parts.part(name + ".quant_map", DType.F32, codebook.length);
        for (int i = 0; i < codebook.length; i++) {
            float entry = theirs.getAtIndex(WeightParts.FLOAT, i);
            parts.require(entry == codebook[i], "entry " + i + " of the codebook is " + entry, codebook[i]);
        }
        long blocks = Math.ceilDiv(elements, (long) block);
        Magnitudes magnitudes = magnitudes(state, blocks);
        int codeBytes = ours / 2;
        MemorySegment made = arena.allocate(dtype.rowBytes(elements), 64);
        for (long i = 0; i < elements / ours; i++) {
            long at = i * dtype.blockBytes();
            made.set(WeightParts.FLOAT, at, magnitudes.of(i * ours / block));
            MemorySegment.copy(codes, i * codeBytes, made, at + Float.BYTES, codeBytes);
        }
        return new Tensor(name, dtype, Shape.of(rows, columns), made);
    }

    /// The largest magnitude of a block.
    @FunctionalInterface
    private interface Magnitudes {
        float of(long block);
    }

    private Magnitudes magnitudes(JsonNode state, long blocks) throws FormatException {
        if (state.path("nested_blocksize").isMissingNode()) {
            MemorySegment plain = parts.part(name + ".absmax", DType.F32, blocks);
            return block -> plain.getAtIndex(WeightParts.FLOAT, block);
        }
        int nestedBlock = state.path("nested_blocksize").asInt(0);
        parts.require(nestedBlock > 0, "nested blocks of " + nestedBlock, "1 at least");
        return new NestedMagnitudes(parts.part(name + ".absmax", DType.U8, blocks),
                parts.part(name + ".nested_quant_map", DType.F32, NestedMagnitudes.ENTRIES),
                parts.part(name + ".nested_absmax", DType.F32, Math.ceilDiv(blocks, (long) nestedBlock)), nestedBlock,
                (float) state.path("nested_offset").asDouble(0))::of;
    }

    private JsonNode parse(Tensor state) throws FormatException {
        parts.require(state.dtype() == DType.U8 && state.data().byteSize() <= MAX_STATE_BYTES,
                "a state of " + state.data().byteSize() + " bytes of " + state.dtype(), "some U8");
        byte[] text = state.data().toArray(ValueLayout.JAVA_BYTE);
        try {
            return JsonMapper.shared().readTree(new String(text, StandardCharsets.UTF_8));
        } catch (JacksonException e) {
            throw new FormatException(parts.path(), -1, "tensor " + name + ": the text that says how it is quantized: "
                    + JsonFile.problem(text, e), e);
        }
    }
}
