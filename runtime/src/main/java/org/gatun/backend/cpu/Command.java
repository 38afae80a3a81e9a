package org.gatun.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.gatun.backend.cpu.NativeLayout.Operation;

/// What an op of a plan is to the C library, `struct gatun_command`: one record an operation, whose components are the fields of its
/// struct in `native/gatun.h`, under their names and in their order. Views memory, owns none; an operand that is left out is
/// [MemorySegment#NULL].
sealed interface Command {
    record Embed(MemorySegment table, MemorySegment scales, MemorySegment given, MemorySegment out, int width, int type, boolean packed)
            implements Command {}

    record RmsNorm(MemorySegment in, MemorySegment gain, MemorySegment out, int width, int group, float epsilon) implements Command {}

    record Quantize(MemorySegment in, MemorySegment out, int width) implements Command {}

    record QuantizeRows(MemorySegment in, MemorySegment out, int width, float outlierMagnitude) implements Command {}

    record Matmul(MemorySegment in, MemorySegment weights, MemorySegment bias, MemorySegment out, int outputs, int inputs, int type,
            boolean rowScales) implements Command {}

    record RopeTable(MemorySegment frequencies, MemorySegment out, int pairs, float factor) implements Command {}

    record Rope(MemorySegment in, MemorySegment table, MemorySegment out, int width, int headDim, int pairs, boolean interleaved)
            implements Command {}

    record AppendKv(MemorySegment keys, MemorySegment values, int layer) implements Command {}

    record Attention(MemorySegment queries, MemorySegment out, int width, int layer, int group, int window, float scale)
            implements Command {}

    record Elementwise(MemorySegment a, MemorySegment b, MemorySegment out, int width, int kind) implements Command {}

    record SelectRows(MemorySegment in, MemorySegment out, int width) implements Command {}

    /// Writes the struct.
    ///
    /// @param target a [NativeLayout#COMMAND]
    /// @param flags of `gatun_command`
    default void write(MemorySegment target, int flags) {
        switch (this) {
            case Embed c -> put(target, Operation.EMBED, flags, List.of(c.table, c.scales, c.given, c.out), c.width, c.type, bit(c.packed));
            case RmsNorm c -> put(target, Operation.RMS_NORM, flags, List.of(c.in, c.gain, c.out), c.width, c.group, bits(c.epsilon));
            case Quantize c -> put(target, Operation.QUANTIZE, flags, List.of(c.in, c.out), c.width);
            case QuantizeRows c -> put(target, Operation.QUANTIZE_ROWS, flags, List.of(c.in, c.out), c.width, bits(c.outlierMagnitude));
            case Matmul c -> put(target, Operation.MATMUL, flags, List.of(c.in, c.weights, c.bias, c.out),
                    c.outputs, c.inputs, c.type, bit(c.rowScales));
            case RopeTable c -> put(target, Operation.ROPE_TABLE, flags, List.of(c.frequencies, c.out), c.pairs, bits(c.factor));
            case Rope c -> put(target, Operation.ROPE, flags, List.of(c.in, c.table, c.out), c.width, c.headDim, c.pairs, bit(c.interleaved));
            case AppendKv c -> put(target, Operation.APPEND_KV, flags, List.of(c.keys, c.values), c.layer);
            case Attention c -> put(target, Operation.ATTENTION, flags, List.of(c.queries, c.out),
                    c.width, c.layer, c.group, c.window, bits(c.scale));
            case Elementwise c -> put(target, Operation.ELEMENTWISE, flags, List.of(c.a, c.b, c.out), c.width, c.kind);
            case SelectRows c -> put(target, Operation.SELECT_ROWS, flags, List.of(c.in, c.out), c.width);
        }
    }

    private static void put(MemorySegment target, Operation operation, int flags, List<MemorySegment> addresses, int... numbers) {
        target.set(ValueLayout.JAVA_INT, NativeLayout.offset(NativeLayout.COMMAND, "op"), operation.ordinal());
        target.set(ValueLayout.JAVA_INT, NativeLayout.offset(NativeLayout.COMMAND, "flags"), flags);
        long offset = NativeLayout.offset(NativeLayout.COMMAND, "operands");
        for (MemorySegment address : addresses) {
            target.set(ValueLayout.ADDRESS, offset, address);
            offset += ValueLayout.ADDRESS.byteSize();
        }
        for (int number : numbers) {
            target.set(ValueLayout.JAVA_INT, offset, number);
            offset += Integer.BYTES;
        }
    }

    private static int bit(boolean value) {
        return value ? 1 : 0;
    }

    private static int bits(float value) {
        return Float.floatToRawIntBits(value);
    }
}
