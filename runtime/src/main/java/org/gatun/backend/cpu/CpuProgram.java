package org.gatun.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.DoubleConsumer;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.cpu.NativeLayout.Operation;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;
import org.gatun.plan.RopeTable;
import org.gatun.plan.Value;
import org.gatun.tensor.Tensor;

/// Compiles a plan into commands and the memory they work in.
///
/// Buffers: each value has one from the op that writes it to the last that reads it; then the memory serves another.
/// Threads: a command waits for all threads if it reads what was written, or writes what was read or written, since the last
/// wait; so the projections of one input run without waiting for each other.
final class CpuProgram {
    private final NativeLibrary library;
    private final Plan plan;
    private final BatchLimits limits;
    private final Weights weights;
    private final Arena arena;
    private final List<Weights.Key> used = new ArrayList<>();
    private final List<Command> commands = new ArrayList<>();
    private final Map<Integer, Buffer> buffers = new HashMap<>();           // of a value, by id
    private final Map<Rounded, Buffer> quantized = new HashMap<>();
    private final Map<RopeTable, Buffer> ropeTables = new HashMap<>();
    private final List<Buffer> free = new ArrayList<>();
    private final int[] lastUse;                                            // [values] index of op
    private final Set<Buffer> read = new HashSet<>();                       // since the last wait
    private final Set<Buffer> written = new HashSet<>();
    private final List<Buffer> waitFor = new ArrayList<>();                 // by the next command, beside its inputs
    private final Map<Integer, Buffer> cacheLayers = new HashMap<>();
    private long workOfRow;
    private long workOfSelectedRow;
    private int leastToken;
    private int vocabulary = Integer.MAX_VALUE;
    private int bufferCount;

    /// A piece of memory that several values use in turn; a layer of the KV cache counts as one of no bytes.
    private record Buffer(MemorySegment segment, int number) {}

    /// A value rounded to 8 bits.
    private record Rounded(int id, ActivationQuantization activations) {}

    /// A command before it is written to memory.
    private record Command(Operation operation, int flags, int type, int width, int group, int pairs, int layer, float number,
            MemorySegment in, MemorySegment aux, MemorySegment weights, MemorySegment out) {}

    /// @param arena owner of the program's memory
    CpuProgram(NativeLibrary library, Plan plan, BatchLimits limits, Weights weights, Arena arena) {
        this.library = library;
        this.limits = limits;
        this.weights = weights;
        this.arena = arena;
        this.plan = plan;
        lastUse = lastUses(plan);
    }

    /// Compiles the plan. If that fails, [#used] are the weights acquired so far.
    ///
    /// @param progress is told the part of the ops that is compiled
    /// @throws IllegalArgumentException if the kernels do not support a type of the plan
    void compile(DoubleConsumer progress) {
        for (Op op : plan.ops()) {
            if (op instanceof Op.Input(_, Value rows)) { // first, so that nothing else is ever in their place
                lastUse[rows.id()] = Integer.MAX_VALUE;
                buffers.put(rows.id(), allocate(capacity(rows) * rows.width() * Float.BYTES));
            }
        }
        for (int index = 0; index < plan.ops().size(); index++) {
            compile(plan.ops().get(index));
            freeUnused(index);
            progress.accept((index + 1.0) / plan.ops().size());
        }
    }

    private static int[] lastUses(Plan plan) {
        int[] last = new int[plan.values().size()];
        for (int index = 0; index < plan.ops().size(); index++) {
            for (Value input : plan.ops().get(index).inputs()) {
                last[input.id()] = index;
            }
        }
        plan.outputs().values().forEach(output -> last[output.id()] = Integer.MAX_VALUE);
        return last;
    }

    private void freeUnused(int index) {
        for (Value input : plan.ops().get(index).inputs()) {
            if (lastUse[input.id()] == index) {
                Optional.ofNullable(buffers.remove(input.id())).ifPresent(free::add);
                for (ActivationQuantization activations : ActivationQuantization.values()) {
                    Optional.ofNullable(quantized.remove(new Rounded(input.id(), activations))).ifPresent(free::add);
                }
            }
        }
    }

    private void compile(Op op) {
        switch (op) {
            case Op.Input _ -> { }
            case Op.Embed(Tensor table, Optional<Value> given, Value out) -> {
                vocabulary = Math.min(vocabulary, table.rows());
                leastToken = given.isPresent() ? Op.Embed.GIVEN : 0;
                emit(Operation.EMBED, out, given.map(rows -> List.of(buffers.get(rows.id()))).orElseGet(List::of), embedding(table));
            }
            case Op.RmsNorm(Value in, Tensor gain, float epsilon, Value out) ->
                emit(Operation.RMS_NORM, out, List.of(buffers.get(in.id())), new Settings().group(gain.columns())
                        .number(epsilon).weights(weight(gain, Weights.Form.VECTOR)));
            case Op.MatMul matMul -> matMul(matMul);
            case Op.Rope(Value in, int headDim, RopeTable table, Value out) ->
                emit(Operation.ROPE, out, List.of(buffers.get(in.id()), ropeTable(table)), new Settings().group(headDim)
                        .pairs(table.pairs()).type(table.pairing() == RopeTable.Pairing.INTERLEAVED ? 1 : 0));
            case Op.AppendKv(int layer, Value keys, Value values) ->
                emit(Operation.APPEND_KV, cacheLayer(layer), keys, List.of(buffers.get(keys.id()), buffers.get(values.id())),
                        new Settings().layer(layer));
            case Op.Attention(int layer, Value queries, var shape, Value out) -> {
                // The cache is no operand of the command: it only counts for waiting.
                waitFor.add(cacheLayer(layer));
                emit(Operation.ATTENTION, out, List.of(buffers.get(queries.id())), new Settings().layer(layer)
                        .group(shape.group()).pairs(shape.window()).number(shape.scale()));
            }
            case Op.Elementwise(Op.Elementwise.Kind kind, Value a, Value b, Value out) ->
                emit(Operation.ELEMENTWISE, out, List.of(buffers.get(a.id()), buffers.get(b.id())), new Settings().type(kind.ordinal()));
            case Op.SelectRows(Value in, Value out) ->
                emit(Operation.SELECT_ROWS, out, List.of(buffers.get(in.id())), new Settings());
        }
    }

    /// Rows of a table that is the matrix of a product, too, are looked up in that, so that it is in memory once.
    private Settings embedding(Tensor table) {
        int type = NativeLayout.type(table.dtype());
        Settings settings = new Settings().type(type);
        long scaleBytes = library.scaleBytes(type);
        if (scaleBytes < 0 || !isMultiplied(table)) {
            return settings.weights(weight(table, Weights.Form.FILE));
        }
        if (scaleBytes > 0) {
            settings.aux(weight(table, Weights.Form.SCALES));
        }
        return settings.flags(NativeLayout.PACKED).weights(weight(table, Weights.Form.MATRIX));
    }

    private boolean isMultiplied(Tensor table) {
        Weights.Key key = Weights.key(table, Weights.Form.MATRIX);
        return plan.ops().stream().anyMatch(op -> op instanceof Op.MatMul matMul
                && Weights.key(matMul.weight(), Weights.Form.MATRIX).equals(key));
    }

    private void matMul(Op.MatMul op) {
        Tensor weight = op.weight();
        Buffer in = NativeLayout.roundsActivations(weight.dtype())
                ? quantized.computeIfAbsent(new Rounded(op.in().id(), op.activations()), _ -> quantize(op.in(), op.activations()))
                : buffers.get(op.in().id());
        Settings settings = new Settings().type(NativeLayout.type(weight.dtype())).group(weight.columns())
                .pairs(op.activations().isQuantized() ? 1 : 0)
                .weights(weight(weight, Weights.Form.MATRIX));
        op.bias().ifPresent(bias -> settings.aux(weight(bias, Weights.Form.VECTOR)));
        emit(Operation.MATMUL, op.out(), List.of(in), settings);
        long work = weight.shape().elements();
        if (op.out().rows() == Value.Rows.SELECTED) {
            workOfSelectedRow += work;
        } else {
            workOfRow += work;
        }
    }

    private Buffer quantize(Value value, ActivationQuantization activations) {
        Buffer out = allocate(!activations.isQuantized() ? NativeLayout.roundedBytes(capacity(value), value.width())
                : NativeLayout.codedBytes(capacity(value), value.width(), Float.isFinite(activations.threshold())));
        emit(Operation.QUANTIZE, out, value, List.of(buffers.get(value.id())), new Settings().number(activations.threshold())
                .pairs(activations.isQuantized() ? 1 : 0));
        return out;
    }

    private Buffer ropeTable(RopeTable table) {
        return ropeTables.computeIfAbsent(table, _ -> {
            Buffer out = allocate(8L * limits.rows() * table.pairs());
            MemorySegment frequencies = arena.allocateFrom(ValueLayout.JAVA_FLOAT, table.inverseFrequencies());
            emit(Operation.ROPE_TABLE, out, new Value(0, table.pairs(), Value.Rows.ALL), List.of(), new Settings()
                    .pairs(table.pairs()).number(table.attentionFactor()).weights(frequencies));
            return out;
        });
    }

    private Buffer cacheLayer(int layer) {
        return cacheLayers.computeIfAbsent(layer, _ -> new Buffer(MemorySegment.NULL, bufferCount++));
    }

    private MemorySegment weight(Tensor tensor, Weights.Form form) {
        Weights.Key key = Weights.key(tensor, form);
        MemorySegment segment = weights.acquire(key, tensor);
        used.add(key);
        return segment;
    }

    /// Fields of a command that only some ops have.
    private static final class Settings {
        private int flags;
        private int type;
        private int group;
        private int pairs;
        private int layer;
        private float number;
        private MemorySegment aux = MemorySegment.NULL;
        private MemorySegment weights = MemorySegment.NULL;

        Settings flags(int value) {
            flags = value;
            return this;
        }

        Settings type(int value) {
            type = value;
            return this;
        }

        Settings group(int value) {
            group = value;
            return this;
        }

        Settings pairs(int value) {
            pairs = value;
            return this;
        }

        Settings layer(int value) {
            layer = value;
            return this;
        }

        Settings number(float value) {
            number = value;
            return this;
        }

        Settings aux(MemorySegment value) {
            aux = value;
            return this;
        }

        Settings weights(MemorySegment value) {
            weights = value;
            return this;
        }
    }

    private void emit(Operation operation, Value out, List<Buffer> inputs, Settings settings) {
        Buffer target = allocate(capacity(out) * out.width() * Float.BYTES);
        buffers.put(out.id(), target);
        emit(operation, target, out, inputs, settings);
    }

    /// @param of the value whose width and rows the command has
    private void emit(Operation operation, Buffer out, Value of, List<Buffer> inputs, Settings settings) {
        waitFor.addAll(inputs);
        boolean sync = waitFor.stream().anyMatch(written::contains) || written.contains(out) || read.contains(out);
        if (sync) {
            read.clear();
            written.clear();
        }
        read.addAll(waitFor);
        written.add(out);
        waitFor.clear();
        int flags = settings.flags | (sync ? NativeLayout.SYNC : 0) | (of.rows() == Value.Rows.SELECTED ? NativeLayout.SELECTED : 0);
        commands.add(new Command(operation, flags, settings.type, of.width(), settings.group, settings.pairs, settings.layer,
                settings.number, inputs.isEmpty() ? MemorySegment.NULL : inputs.get(0).segment,
                inputs.size() > 1 ? inputs.get(1).segment : settings.aux, settings.weights, out.segment));
    }

    private long capacity(Value value) {
        return switch (value.rows()) {
            case ALL -> limits.rows();
            case SELECTED -> limits.logitsRows();
        };
    }

    /// The smallest free buffer that is large enough, or a new one.
    private Buffer allocate(long bytes) {
        Buffer best = null;
        for (Buffer candidate : free) {
            if (candidate.segment.byteSize() >= bytes + NativeLayout.PADDING
                    && (best == null || candidate.segment.byteSize() < best.segment.byteSize())) {
                best = candidate;
            }
        }
        if (best != null) {
            free.remove(best);
            return best;
        }
        return new Buffer(library.allocate(arena, bytes + NativeLayout.PADDING), bufferCount++);
    }

    /// The command buffer, `struct gatun_command[]`.
    MemorySegment write() {
        MemorySegment memory = arena.allocate(NativeLayout.COMMAND, commands.size());
        for (int i = 0; i < commands.size(); i++) {
            MemorySegment target = memory.asSlice(i * NativeLayout.COMMAND.byteSize(), NativeLayout.COMMAND);
            Command command = commands.get(i);
            setInt(target, "op", command.operation.ordinal());
            setInt(target, "flags", command.flags);
            setInt(target, "type", command.type);
            setInt(target, "width", command.width);
            setInt(target, "group", command.group);
            setInt(target, "pairs", command.pairs);
            setInt(target, "layer", command.layer);
            target.set(ValueLayout.JAVA_FLOAT, NativeLayout.offset(NativeLayout.COMMAND, "number"), command.number);
            setAddress(target, "in", command.in);
            setAddress(target, "aux", command.aux);
            setAddress(target, "weights", command.weights);
            setAddress(target, "out", command.out);
        }
        return memory;
    }

    private static void setInt(MemorySegment target, String field, int value) {
        target.set(ValueLayout.JAVA_INT, NativeLayout.offset(NativeLayout.COMMAND, field), value);
    }

    private static void setAddress(MemorySegment target, String field, MemorySegment value) {
        target.set(ValueLayout.ADDRESS, NativeLayout.offset(NativeLayout.COMMAND, field), value);
    }

    int size() {
        return commands.size();
    }

    /// Where a value that is kept for the caller lies.
    MemorySegment buffer(Value value) {
        return buffers.get(value.id()).segment;
    }

    /// The weights it acquired, to be released when the program is no longer used.
    List<Weights.Key> used() {
        return used;
    }

    long workOfRow() {
        return workOfRow;
    }

    long workOfSelectedRow() {
        return workOfSelectedRow;
    }

    /// Tokens must be this at least.
    int leastToken() {
        return leastToken;
    }

    /// Tokens must be below this.
    int vocabulary() {
        return vocabulary;
    }
}
