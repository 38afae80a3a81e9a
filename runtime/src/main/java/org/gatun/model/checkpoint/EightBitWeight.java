package org.gatun.model.checkpoint;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.gatun.format.FormatException;
import org.gatun.tensor.DType;
import org.gatun.tensor.Tensor;

/// Reads weights that LLM.int8() of bitsandbytes quantized: signed bytes, and beside them the largest magnitude of each row (`SCB`), of
/// which a byte counts 127ths. Products take activations as they are unless the options of the model says otherwise. (Dettmers et
/// al. 2022, arXiv 2208.07339.)
public final class EightBitWeight {
    static final float LARGEST = 127;

    private EightBitWeight() {}

    /// What stands beside the weight of this name.
    public static String partName(String weight, String part) {
        return weight.replaceFirst("weight$", part);
    }

    /// The weight of a name, if it is of this kind, as [DType#INT8].
    ///
    /// @param path of the file, for messages
    /// @param arena of what is made
    /// @throws FormatException if its parts do not fit each other
    static Optional<Tensor> read(Path path, Map<String, Tensor> tensors, String name, Arena arena) throws FormatException {
        Tensor stored = tensors.get(name);
        String magnitudes = partName(name, "SCB");
        if (stored == null || !tensors.containsKey(magnitudes) || magnitudes.equals(name)) {
            return Optional.empty();
        }
        WeightParts parts = new WeightParts(path, tensors, name, DType.INT8);
        parts.require(stored.dtype() == DType.I8 && stored.shape().rank() == 2, stored.dtype() + " " + stored.shape(), "rows of I8");
        String format = partName(name, "weight_format");
        if (tensors.containsKey(format)) {
            byte number = parts.part(format, DType.U8, 1).get(ValueLayout.JAVA_BYTE, 0);
            parts.require(number == 0, "weight_format " + number, "0, rows as they are; others are layouts of old devices");
        }
        MemorySegment largest = parts.part(magnitudes, DType.F32, stored.rows());
        MemorySegment made = arena.allocate(DType.INT8.byteSize(stored.shape()), 64);
        long rowBytes = DType.INT8.rowBytes(stored.columns());
        for (int row = 0; row < stored.rows(); row++) {
            float magnitude = largest.get(WeightParts.FLOAT, (long) row * Float.BYTES);
            parts.require(magnitude >= 0 && Float.isFinite(magnitude), "a largest magnitude of " + magnitude, "a finite number");
            made.set(WeightParts.FLOAT, row * rowBytes, magnitude / LARGEST);
            MemorySegment.copy(stored.data(), (long) row * stored.columns(), made, row * rowBytes + Float.BYTES, stored.columns());
        }
        return Optional.of(new Tensor(name, DType.INT8, stored.shape(), made));
    }
}
