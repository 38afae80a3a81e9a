package org.gatun.model.checkpoint;

import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.gatun.format.FormatException;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;

/// Reads weights of which some of every few elements are kept: `[rows, bytes of a row] U8`, rows as [DType.Sparse] has them, and beside
/// them `.gatun_type`, the name of the type.
public final class SparseWeight {
    public static final String TYPE = ".gatun_type";
    private static final int MAX_NAME_BYTES = 64;

    private SparseWeight() {}

    /// The weight of a name, if it is of this kind: a view of the file, every place in it looked at.
    ///
    /// @param path of the file, for messages
    /// @throws FormatException if the type is not known, or a row damaged
    static Optional<Tensor> read(Path path, Map<String, Tensor> tensors, String name) throws FormatException {
        Tensor typeName = tensors.get(name + TYPE);
        Tensor stored = tensors.get(name);
        if (typeName == null || stored == null) {
            return Optional.empty();
        }
        String text = typeName.data().byteSize() > MAX_NAME_BYTES ? "a long name"
                : new String(typeName.data().toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
        DType dtype = Arrays.stream(DType.Sparse.values()).filter(type -> nameOf(type).equals(text)).findFirst()
                .orElseThrow(() -> new FormatException(path, -1, "tensor " + name + TYPE + ": found " + text
                        + ", expected a sparse type as sparse_2_4_f16"));
        WeightParts parts = new WeightParts(path, tensors, name, dtype);
        long rowBytes = stored.shape().columns() - dtype.headerBytes();
        parts.require(stored.dtype() == DType.U8 && stored.shape().rank() == 2 && rowBytes > 0 && rowBytes % dtype.blockBytes() == 0
                && rowBytes / dtype.blockBytes() <= Integer.MAX_VALUE / dtype.blockElements(),
                stored.dtype() + " " + stored.shape(), "rows of U8 in blocks of " + dtype.blockBytes());
        int columns = Math.toIntExact(rowBytes / dtype.blockBytes() * dtype.blockElements());
        Tensor weight = new Tensor(name, dtype, Shape.of(stored.rows(), columns), stored.data());
        parts.requireSound(weight);
        return Optional.of(weight);
    }

    /// As it stands in a file.
    public static String nameOf(DType type) {
        return type.name().toLowerCase(Locale.ROOT);
    }
}
