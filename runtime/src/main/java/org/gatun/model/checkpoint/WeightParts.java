package org.gatun.model.checkpoint;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.gatun.format.FormatException;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Tensor;

/// The tensors of a safetensors file that together are one quantized weight.
///
/// @param path of the file, for messages
/// @param tensors all of the file
/// @param name of the weight
/// @param dtype what it is read as
public record WeightParts(Path path, Map<String, Tensor> tensors, String name, DType dtype) {
    /// Numbers as files have them.
    public static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /// Numbers as files have them, in memory of their own.
    public static MemorySegment bytes(float[] numbers) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[numbers.length * Float.BYTES]);
        for (int i = 0; i < numbers.length; i++) {
            bytes.set(FLOAT, (long) i * Float.BYTES, numbers[i]);
        }
        return bytes;
    }

    /// The bytes of a part.
    ///
    /// @param part its full name
    /// @throws FormatException if it is missing, of another type or size
    MemorySegment part(String part, DType type, long elements) throws FormatException {
        Tensor tensor = tensors.get(part);
        require(tensor != null, "no " + part, "one beside the codes");
        require(tensor.dtype() == type && tensor.shape().elements() == elements,
                part + " of " + tensor.dtype() + " " + tensor.shape(), elements + " of " + type);
        return tensor.data();
    }

    /// Looks at every row of what was read.
    ///
    /// @throws FormatException if one is damaged
    void requireSound(Tensor weight) throws FormatException {
        int columns = weight.columns();
        Codec codec = Codec.of(dtype);
        Optional<String> damage = IntStream.range(0, weight.rows()).parallel()
                .mapToObj(row -> codec.damage(weight.data(), row * dtype.rowBytes(columns), columns).map(found -> row + ": " + found))
                .flatMap(Optional::stream).findFirst();
        if (damage.isPresent()) {
            throw new FormatException(path, -1, "tensor " + name + " of " + dtype + ", row " + damage.get());
        }
    }

    void require(boolean valid, String found, Object expected) throws FormatException {
        if (!valid) {
            throw new FormatException(path, -1, "tensor " + name + " of " + dtype + ": found " + found + ", expected " + expected);
        }
    }
}
