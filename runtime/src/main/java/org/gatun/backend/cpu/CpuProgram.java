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
import java.util.function.Function;
import org.gatun.backend.BatchLimits;
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
    private final List<Flagged> commands = new ArrayList<>();
    private final Map<Integer, Buffer> buffers = new HashMap<>();           // of a value, by id
    private final Map<Rounded, Buffer> quantized = new HashMap<>();
    private final Map<RopeTable, Buffer> ropeTables = new HashMap<>();
    private final List<Buffer> free = new ArrayList<>();
    private final int[] lastUse;                                            // [values] index of op
    private final Set<Buffer> read = new HashSet<>();                       // since the last wait
    private final Set<Buffer> written = new HashSet<>();
    private final Map<Integer, Buffer> cacheLayers = new HashMap<>();
    private long workOfRow;
    private long workOfSelectedRow;
    private int minToken;
    private int vocabulary = Integer.MAX_VALUE;
    private int bufferCount;

    /// A piece of memory that several values use in turn; a layer of the KV cache counts as one of no bytes.
    private record Buffer(MemorySegment segment, int number) {}

    /// A value rounded to 8 bits.
    private record Rounded(int id, ActivationQuantization activations) {}

    /// @param flags of `gatun_command`
    private record Flagged(Command command, int flags) {}

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
                buffers.put(rows.id(), allocate(capacity(rows.rows()) * rows.width() * Float.BYTES));
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
            case Op.Embed embed -> embed(embed);
            case Op.RmsNorm(Value in, Tensor gain, float epsilon, Value out) -> emit(out, List.of(of(in)), target ->
                    new Command.RmsNorm(of(in).segment, weight(gain, Weights.Form.VECTOR), target, out.width(), gain.columns(), epsilon));
            case Op.MatMul matMul -> matMul(matMul);
            case Op.Rope(Value in, int headDim, RopeTable angles, Value out) -> {
                Buffer table = ropeTable(angles);
                emit(out, List.of(of(in), table), target -> new Command.Rope(of(in).segment, table.segment, target, out.width(), headDim,
                        angles.pairs(), angles.pairing() == RopeTable.Pairing.INTERLEAVED));
            }
            case Op.AppendKv(int layer, Value keys, Value values) ->
                emit(cacheLayer(layer), keys.rows(), List.of(of(keys), of(values)),
                        new Command.AppendKv(of(keys).segment, of(values).segment, layer));
            // The cache is no operand of the command: it only counts for waiting.
            case Op.Attention(int layer, Value queries, var shape, Value out) -> emit(out, List.of(of(queries), cacheLayer(layer)), target ->
                    new Command.Attention(of(queries).segment, target, out.width(), layer, shape.group(), shape.window(), shape.scale()));
            case Op.Elementwise(Op.Elementwise.Kind kind, Value a, Value b, Value out) -> emit(out, List.of(of(a), of(b)), target ->
                    new Command.Elementwise(of(a).segment, of(b).segment, target, out.width(), kind.ordinal()));
            case Op.SelectRows(Value in, Value out) -> emit(out, List.of(of(in)), target ->
                    new Command.SelectRows(of(in).segment, target, out.width()));
        }
    }

    private Buffer of(Value value) {
        return buffers.get(value.id());
    }

    /// Rows of a table that is the matrix of a product, too, are looked up in that, so that it is in memory once.
    private void embed(Op.Embed op) {
        Tensor table = op.table();
        vocabulary = Math.min(vocabulary, table.rows());
        minToken = op.given().isPresent() ? Op.Embed.GIVEN : 0;
        int type = NativeLayout.type(table.dtype());
        long scaleBytes = library.scaleBytes(type);
        boolean packed = scaleBytes >= 0 && isMultiplied(table);
        MemorySegment scales = packed && scaleBytes > 0 ? weight(table, Weights.Form.SCALES) : MemorySegment.NULL;
        MemorySegment rows = weight(table, packed ? Weights.Form.MATRIX : Weights.Form.FILE);
        List<Buffer> given = op.given().map(this::of).stream().toList();
        emit(op.out(), given, target -> new Command.Embed(rows, scales, given.isEmpty() ? MemorySegment.NULL : given.getFirst().segment,
                target, op.out().width(), type, packed));
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
                : of(op.in());
        MemorySegment matrix = weight(weight, Weights.Form.MATRIX);
        MemorySegment bias = op.bias().map(vector -> weight(vector, Weights.Form.VECTOR)).orElse(MemorySegment.NULL);
        emit(op.out(), List.of(in), target -> new Command.Matmul(in.segment, matrix, bias, target, op.out().width(), weight.columns(),
                NativeLayout.type(weight.dtype()), op.activations().isQuantized()));
        long work = weight.shape().elements();
        if (op.out().rows() == Value.Rows.SELECTED) {
            workOfSelectedRow += work;
        } else {
            workOfRow += work;
        }
    }

    private Buffer quantize(Value value, ActivationQuantization activations) {
        MemorySegment in = of(value).segment;
        int width = value.width();
        Buffer out = allocate(activations.isQuantized()
                ? NativeLayout.codedBytes(capacity(value.rows()), width, Float.isFinite(activations.threshold()))
                : NativeLayout.roundedBytes(capacity(value.rows()), width));
        emit(out, value.rows(), List.of(of(value)), activations.isQuantized()
                ? new Command.QuantizeRows(in, out.segment, width, activations.threshold()) : new Command.Quantize(in, out.segment, width));
        return out;
    }

    private Buffer ropeTable(RopeTable table) {
        return ropeTables.computeIfAbsent(table, _ -> {
            Buffer out = allocate(8L * limits.rows() * table.pairs());
            MemorySegment frequencies = arena.allocateFrom(ValueLayout.JAVA_FLOAT, table.inverseFrequencies());
            emit(out, Value.Rows.ALL, List.of(), new Command.RopeTable(frequencies, out.segment, table.pairs(), table.attentionFactor()));
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

    private void emit(Value out, List<Buffer> inputs, Function<MemorySegment, Command> command) {
        Buffer target = allocate(capacity(out.rows()) * out.width() * Float.BYTES);
        buffers.put(out.id(), target);
        emit(target, out.rows(), inputs, command.apply(target.segment));
    }

    /// @param out what the command writes
    /// @param rows those that it works on
    /// @param inputs what it reads
    private void emit(Buffer out, Value.Rows rows, List<Buffer> inputs, Command command) {
        boolean sync = inputs.stream().anyMatch(written::contains) || written.contains(out) || read.contains(out);
        if (sync) {
            read.clear();
            written.clear();
        }
        read.addAll(inputs);
        written.add(out);
        commands.add(new Flagged(command,
                (sync ? NativeLayout.SYNC : 0) | (rows == Value.Rows.SELECTED ? NativeLayout.SELECTED : 0)));
    }

    private long capacity(Value.Rows rows) {
        return switch (rows) {
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
            Flagged command = commands.get(i);
            command.command.write(memory.asSlice(i * NativeLayout.COMMAND.byteSize(), NativeLayout.COMMAND), command.flags);
        }
        return memory;
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
    int minToken() {
        return minToken;
    }

    /// Tokens must be below this.
    int vocabulary() {
        return vocabulary;
    }
}
