package org.gatun.backend.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntUnaryOperator;
import org.gatun.backend.Batch;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Executable;
import org.gatun.backend.KvLayout;
import org.gatun.backend.PageTable;
import org.gatun.backend.Segment;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.kernels.ElementType;
import org.gatun.cuda.kernels.KernelLaunch;
import org.gatun.cuda.kernels.KernelLibrary;
import org.gatun.cuda.kernels.Rows;
import org.gatun.cuda.kernels.TreeKernels;
import org.gatun.cuda.kernels.TreePaths;
import org.gatun.plan.Plan;
import org.gatun.plan.PlanBuilder;
import org.gatun.plan.Value;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;

/// A stream and buffers on a device with the kernels, and beside them the reference: what a comparison of the two needs.
final class KernelBench implements AutoCloseable {
    private static final BatchLimits LIMITS = new BatchLimits(512, 512);

    final CudaContext context;
    final KernelLibrary library;
    private final CudaStream stream;
    private final List<DeviceBuffer> buffers = new ArrayList<>();
    private final Arena arena = Arena.ofShared();

    KernelBench(CudaContext context, KernelLibrary library) {
        this.context = context;
        this.library = library;
        stream = context.createStream();
    }

    /// Elements as both sides get them: rounded to the type, on the device, and as a table of the reference.
    ///
    /// @param values after rounding
    record Operand(float[] values, DeviceSlice slice, Tensor tensor) {}

    /// Random numbers of both signs, most of them near 1, some tiny or large.
    Operand random(SplittableRandom random, ElementType type, int rows, int columns) {
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (random.nextDouble(-2, 2) * (random.nextInt(16) == 0 ? random.nextDouble(8) : 1));
        }
        return operand(type, values, columns);
    }

    Operand operand(ElementType type, float[] values, int columns) {
        DType dtype = dtype(type);
        MemorySegment stored = arena.allocate(dtype.rowBytes(values.length), 64);
        if (type == ElementType.F32) { // what is not finite too, which a codec refuses
            MemorySegment.copy(values, 0, stored, ValueLayout.JAVA_FLOAT, 0, values.length);
        } else {
            Codec.of(dtype).encode(values, 0, stored, 0, values.length);
        }
        float[] rounded = new float[values.length];
        Codec.of(dtype).decode(stored, 0, rounded, 0, values.length);
        Shape shape = columns == values.length ? Shape.of(columns) : Shape.of(values.length / columns, columns);
        return new Operand(rounded, allocateFrom(stored), new Tensor("operand", dtype, shape, stored));
    }

    private static DType dtype(ElementType type) {
        return DType.valueOf(type.name());
    }

    /// All of a launch's rows.
    Rows rows(int count) {
        return new Rows(ints(count), count);
    }

    DeviceSlice ints(int... values) {
        return allocateFrom(MemorySegment.ofArray(values));
    }

    /// Memory with a copy of `source`, freed with the bench as all that it allocates.
    DeviceSlice allocateFrom(MemorySegment source) {
        return kept(context.allocateFrom(source)).slice();
    }

    private DeviceBuffer kept(DeviceBuffer buffer) {
        buffers.add(buffer);
        return buffer;
    }

    /// Memory that a kernel must fill: all bits set, which is no number and no id.
    DeviceSlice empty(long bytes) {
        DeviceBuffer buffer = kept(context.allocate(bytes));
        stream.fill(buffer, (byte) -1);
        return buffer.slice();
    }

    DeviceSlice zeros(long bytes) {
        DeviceBuffer buffer = kept(context.allocate(bytes));
        stream.fill(buffer, (byte) 0);
        return buffer.slice();
    }

    /// @param ancestors `[rows, words]`
    TreePaths paths(long[] ancestors, int rows) {
        int stride = ancestors.length / rows * Long.SIZE;
        TreePaths paths = new TreePaths(empty(4L * rows * stride), empty(4L * rows), stride);
        run(TreeKernels.paths(library, paths, allocateFrom(MemorySegment.ofArray(ancestors)), rows(rows)));
        return paths;
    }

    void run(KernelLaunch launch) {
        run(launch::on);
    }

    void run(Consumer<CudaStream> work) {
        work.accept(stream);
        stream.synchronize();
    }

    float[] floats(DeviceSlice slice, ElementType type, int count) {
        byte[] bytes = new byte[count * type.byteSize()];
        slice.buffer().copyTo(slice.byteOffset(), MemorySegment.ofArray(bytes));
        float[] values = new float[count];
        Codec.of(dtype(type)).decode(MemorySegment.ofArray(bytes), 0, values, 0, count);
        return values;
    }

    int[] ints(DeviceSlice slice, int count) {
        int[] values = new int[count];
        slice.buffer().copyTo(slice.byteOffset(), MemorySegment.ofArray(values));
        return values;
    }

    long[] longs(DeviceSlice slice, int count) {
        long[] values = new long[count];
        slice.buffer().copyTo(slice.byteOffset(), MemorySegment.ofArray(values));
        return values;
    }

    /// What the reference makes of rows 0 to `rows` of the tables that the graph embeds.
    ///
    /// @param positions of the rows
    static float[] reference(int rows, IntUnaryOperator positions, Function<PlanBuilder, Value> graph) {
        PlanBuilder builder = new PlanBuilder();
        Plan plan = builder.build(builder.selectRows(graph.apply(builder)));
        try (Arena own = Arena.ofConfined();
                ReferenceBackend backend = new ReferenceBackend();
                Executable executable = backend.compile(plan, LIMITS);
                PageTable kv = PageTable.openAlone(backend, KvLayout.uniform(1, 1, 2, DType.F32), rows)) {
            Segment segment = new Segment(own, LIMITS);
            segment.beginTree(0);
            for (int row = 0; row < rows; row++) {
                long[] self = new long[LIMITS.treeRows() / 64];
                self[row / 64] = 1L << row % 64;
                segment.addRow(row, positions.applyAsInt(row), self, 0, self.length);
                segment.select(row);
            }
            executable.run(Batch.of(segment, kv));
            return executable.logits().asSlice(0, 4L * rows * plan.output(Plan.LOGITS).width()).toArray(ValueLayout.JAVA_FLOAT);
        }
    }

    static float[] reference(int rows, Function<PlanBuilder, Value> graph) {
        return reference(rows, row -> row, graph);
    }

    @Override
    public void close() {
        stream.close();
        buffers.forEach(DeviceBuffer::close);
        arena.close();
    }
}
