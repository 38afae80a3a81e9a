package org.gatun.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.gatun.cuda.kernels.WeightType;
import org.gatun.tensor.Tensor;

/// Arranges blocks of a file as the units of `matmul_quantized.cu`: the same bits in the order in which lanes of a warp read them.
final class WeightUnits {
    private static final int BLOCK_INPUTS = 32;
    private static final int SCALE_BYTES = 2;
    private static final int LANES = 32;
    private static final int STEP_INPUTS = 16;
    private static final int STEPS = WeightType.UNIT_INPUTS / STEP_INPUTS;
    private static final int[] LANE_INPUTS = {0, 1, 8, 9}; // of 16, from twice the lane's number modulo 4 on
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private WeightUnits() {}

    /// Bytes of the units of 8 outputs.
    static long groupBytes(WeightType type, int inputs) {
        return type.byteSize(WeightType.UNIT_OUTPUTS, inputs);
    }

    /// Writes the units of eight rows of a tensor.
    ///
    /// @param tensor of the type in a file that is kept as `type`
    /// @param firstRow a multiple of 8; the seven behind it are there
    static void write(Tensor tensor, WeightType type, int firstRow, MemorySegment target, long offset) {
        int units = Math.ceilDiv(tensor.columns(), WeightType.UNIT_INPUTS);
        int blocks = tensor.columns() / BLOCK_INPUTS;
        int blockBytes = tensor.dtype().blockBytes();
        int codeBytes = type.unitBytes() - WeightType.UNIT_OUTPUTS * WeightType.UNIT_INPUTS / BLOCK_INPUTS * SCALE_BYTES;
        byte[] codes = new byte[WeightType.UNIT_OUTPUTS * WeightType.UNIT_INPUTS]; // of a unit, one an element
        for (int unit = 0; unit < units; unit++) {
            long at = offset + (long) unit * type.unitBytes();
            target.asSlice(at, type.unitBytes()).fill((byte) 0);
            for (int row = 0; row < WeightType.UNIT_OUTPUTS; row++) {
                for (int half = 0; half < 2; half++) {
                    int block = 2 * unit + half;
                    int start = row * WeightType.UNIT_INPUTS + half * BLOCK_INPUTS;
                    if (block < blocks) {
                        long source = ((long) (firstRow + row) * blocks + block) * blockBytes;
                        target.set(SHORT, at + codeBytes + SCALE_BYTES * (2L * row + half), tensor.data().get(SHORT, source));
                        readCodes(tensor.data(), source + SCALE_BYTES, type, codes, start);
                    } else {
                        Arrays.fill(codes, start, start + BLOCK_INPUTS, (byte) 0);
                    }
                }
            }
            writeCodes(codes, type, target, at);
        }
    }

    private static void readCodes(MemorySegment data, long source, WeightType type, byte[] codes, int start) {
        if (type == WeightType.Q8_0) {
            MemorySegment.copy(data, ValueLayout.JAVA_BYTE, source, codes, start, BLOCK_INPUTS);
            return;
        }
        for (int i = 0; i < BLOCK_INPUTS / 2; i++) {
            byte pair = data.get(ValueLayout.JAVA_BYTE, source + i);
            codes[start + i] = (byte) (pair & 15);
            codes[start + BLOCK_INPUTS / 2 + i] = (byte) (pair >> 4 & 15);
        }
    }

    private static void writeCodes(byte[] codes, WeightType type, MemorySegment target, long at) {
        int laneCodes = STEPS * LANE_INPUTS.length;
        for (int lane = 0; lane < LANES; lane++) {
            for (int i = 0; i < laneCodes; i++) {
                byte code = codes[lane / 4 * WeightType.UNIT_INPUTS + i / 4 * STEP_INPUTS + lane % 4 * 2 + LANE_INPUTS[i % 4]];
                if (type == WeightType.Q8_0) {
                    target.set(ValueLayout.JAVA_BYTE, at + (long) lane * laneCodes + i, code);
                } else {
                    long to = at + ((long) lane * laneCodes + i) / 2;
                    byte before = target.get(ValueLayout.JAVA_BYTE, to);
                    target.set(ValueLayout.JAVA_BYTE, to, (byte) (before | code << i % 2 * 4));
                }
            }
        }
    }
}
