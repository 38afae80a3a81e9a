package org.gatun.quantize;

import static org.gatun.quantize.LittleEndian.putByte;
import static org.gatun.quantize.LittleEndian.unsignedByte;

import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.gatun.tensor.DType;

/// 64 elements of which in each group some are kept, see [DType.Sparse]. Encoding keeps those of largest magnitude, of equal ones the
/// first; the places of a group rise, also those of zeros.
record SparseLayout(DType.Sparse sparsity) implements Layout {

    @Override
    public void decode(MemorySegment source, long offset, float[] target, int targetOffset) {
        float[] values = new float[sparsity.blockKept()];
        if (sparsity.valueType() == DType.NF4) {
            CodebookLayout.NF4.decode(source, offset, values, 0, values.length);
        } else {
            Layout layout = layoutOfValue();
            for (int i = 0; i < values.length; i++) {
                layout.decode(source, offset + (long) i * sparsity.valueType().blockBytes(), values, i);
            }
        }
        for (int i = 0; i < DType.Sparse.BLOCK_ELEMENTS; i++) {
            target[targetOffset + i] = 0;
        }
        for (int i = 0; i < values.length; i++) {
            target[targetOffset + i / sparsity.kept() * sparsity.group() + place(source, offset, i)] = values[i];
        }
    }

    @Override
    public void encode(float[] source, int sourceOffset, MemorySegment target, long offset) {
        float[] values = new float[sparsity.blockKept()];
        long places = offset + sparsity.valueBytes();
        target.asSlice(places, values.length * sparsity.indexBits() / Byte.SIZE).fill((byte) 0);
        int count = 0;
        for (int i = 0; i < DType.Sparse.BLOCK_ELEMENTS; i++) {
            int group = sourceOffset + i - i % sparsity.group();
            if (isKept(source, group, sourceOffset + i)) {
                putBits(target, places, count * sparsity.indexBits(), i % sparsity.group());
                values[count++] = source[sourceOffset + i];
            }
        }
        if (sparsity.valueType() == DType.NF4) {
            CodebookLayout.NF4.encode(values, 0, target, offset, values.length);
        } else {
            Layout layout = layoutOfValue();
            for (int i = 0; i < values.length; i++) {
                layout.encode(values, i, target, offset + (long) i * sparsity.valueType().blockBytes());
            }
        }
    }

    private Layout layoutOfValue() {
        return sparsity.valueType() == DType.INT8 ? new SignedLayout() : PlainLayout.F16;
    }

    /// Whether fewer elements of its group come before this one than are kept.
    private boolean isKept(float[] source, int group, int element) {
        int before = 0;
        for (int other = group; other < group + sparsity.group(); other++) {
            int order = Float.compare(Math.abs(source[other]), Math.abs(source[element]));
            before += order > 0 || order == 0 && other < element ? 1 : 0;
        }
        return before < sparsity.kept();
    }

    @Override
    public Optional<String> damage(MemorySegment source, long offset) {
        for (int i = 1; i < sparsity.blockKept(); i++) {
            if (i % sparsity.kept() != 0 && place(source, offset, i) <= place(source, offset, i - 1)) {
                return Optional.of("have places that do not rise: expected rising ones within a group");
            }
        }
        return Optional.empty();
    }

    private int place(MemorySegment source, long offset, int value) {
        int place = 0;
        for (int i = 0; i < sparsity.indexBits(); i++) {
            int bit = value * sparsity.indexBits() + i;
            place |= (unsignedByte(source, offset + sparsity.valueBytes() + bit / Byte.SIZE) >> bit % Byte.SIZE & 1) << i;
        }
        return place;
    }

    private static void putBits(MemorySegment target, long offset, int firstBit, int number) {
        for (int rest = number, bit = firstBit; rest != 0; rest >>= 1, bit++) {
            long at = offset + bit / Byte.SIZE;
            putByte(target, at, unsignedByte(target, at) | (rest & 1) << bit % Byte.SIZE);
        }
    }
}
