package org.gatun.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.DoubleConsumer;
import org.gatun.backend.AttentionMask;
import org.gatun.backend.Batch;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Executable;
import org.gatun.backend.KvLayout;
import org.gatun.backend.PageTable;
import org.gatun.backend.SampledTokens;
import org.gatun.backend.Segment;
import org.gatun.backend.VerificationResult;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaGraph;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.PinnedBuffer;
import org.gatun.cuda.kernels.ActivationKernels;
import org.gatun.cuda.kernels.AttentionKernels;
import org.gatun.cuda.kernels.ElementType;
import org.gatun.cuda.kernels.EmbeddingKernels;
import org.gatun.cuda.kernels.Int8Kernels;
import org.gatun.cuda.kernels.KernelLaunch;
import org.gatun.cuda.kernels.KernelLibrary;
import org.gatun.cuda.kernels.KvKernels;
import org.gatun.cuda.kernels.KvLayer;
import org.gatun.cuda.kernels.MatmulKernels;
import org.gatun.cuda.kernels.NormKernels;
import org.gatun.cuda.kernels.QuantizedRows;
import org.gatun.cuda.kernels.RopeKernels;
import org.gatun.cuda.kernels.Rows;
import org.gatun.cuda.kernels.TreeKernels;
import org.gatun.cuda.kernels.TreePaths;
import org.gatun.cuda.kernels.VerificationKernels.VerificationSlots;
import org.gatun.cuda.kernels.WeightType;
import org.gatun.lifetime.Lifetime;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;
import org.gatun.plan.Value;
import org.gatun.sampling.RowStatistics;

/// A plan as CUDA graphs, one for each power of two of rows, captured when first needed. A pass is one copy and one graph launch. Only
/// what gives the host something is awaited: passes that fill the cache are queued one behind the other, and what is sampled next behind
/// them, while executables with other caches do the same in the streams of those.
final class CudaExecutable implements Executable {
    /// Which graph serves a pass.
    ///
    /// @param rows most rows
    /// @param tree whether rows attend by paths
    /// @param result what is asked for
    /// @param lists whether tokens are sampled by a request with lists
    private record Bucket(int rows, boolean tree, Result result, boolean lists) {
        /// What a pass is asked for besides keys and values.
        private enum Result {
            NOTHING, LOGITS, VERIFICATION,
            /// Of rows of which some were sampled.
            VERIFICATION_OF_SAMPLES,
            /// Of a row whose data are on the device already, and then those of the next.
            CHAIN
        }

        private static final int KINDS = 4 * Result.values().length;

        private static Bucket of(Segment segment, BatchLimits limits) {
            int rows = 1 << logarithm(segment.rows());
            boolean tree = isTree(segment);
            return new Bucket(Math.min(rows, tree ? limits.treeRows() : limits.rows()), tree, result(segment), hasLists(segment));
        }

        private static boolean isTree(Segment segment) {
            return switch (segment.mask()) {
                case AttentionMask.Causal _, AttentionMask.Ranges _ -> false;
                case AttentionMask.Tree _ -> true;
            };
        }

        private static boolean hasLists(Segment segment) {
            return segment.samples() && segment.request().hasLists();
        }

        private static Result result(Segment segment) {
            if (segment.samples()) {
                return segment.draftDistributions() == null ? Result.VERIFICATION : Result.VERIFICATION_OF_SAMPLES;
            }
            return segment.selectedRows() > 0 ? Result.LOGITS : Result.NOTHING;
        }

        /// Number of the graph.
        private int index() {
            return index(rows, tree, result, lists);
        }

        private static int index(int rows, boolean tree, Result result, boolean lists) {
            return (4 * logarithm(rows) + (tree ? 2 : 0) + (lists ? 1 : 0)) * (KINDS / 4) + result.ordinal();
        }

        private static int logarithm(int rows) {
            return Integer.SIZE - Integer.numberOfLeadingZeros(rows - 1);
        }
    }

    private final CudaBackend backend;
    private final Lifetime lifetime = new Lifetime("executable", this::release);
    private final CudaContext context;
    private final KernelLibrary library;
    private final Plan plan;
    private final BatchLimits limits;
    private final Program program;
    private final DeviceResources owned = new DeviceResources();
    private final PlanValues values;
    private final PlanWeights weights;
    private final StepBlock block;
    private final DeviceBuffer error;
    private final TreePaths paths;
    private final VerificationStage verification;
    private StatisticsStage statistics;  // made when a segment first asked for any
    private RowStatistics described;     // by the pass that was queued, null if nothing was asked
    private DeviceBuffer partials;
    private DeviceBuffer arrivals;
    private final CudaGraph[] graphs = new CudaGraph[Bucket.KINDS * Integer.SIZE]; // by Bucket.index
    private final int leastToken;
    private final int vocabulary;
    private final boolean isWindowed;
    private final int logitsWidth; // 0 if the plan has none
    private final PassInputs inputs;
    private final Map<String, PinnedBuffer> outputs = new HashMap<>();
    private KvLayout captured; // of the page tables that the graphs serve
    private int capturedSlots;
    private DeviceBuffer pages; // addresses, where the graphs look for them
    private PageTable paged; // whose they are
    private int pagedChanges;
    private PageTable running;
    private boolean busy; // whether a pass may still run
    private boolean blockIsRead; // by one of them
    private VerificationResult awaited;
    private int awaitedRows;
    private int rows; // of the last pass
    private int selectedRows;
    private boolean logitsAreHere;
    private boolean ranInTurn; // several segments, each a pass of its own
    private PinnedBuffer logits;

    CudaExecutable(CudaBackend backend, Plan plan, BatchLimits limits, Program program, DoubleConsumer progress) {
        this.backend = backend;
        this.plan = plan;
        this.limits = limits;
        this.program = program;
        context = backend.context();
        library = backend.library();
        vocabulary = plan.ops().stream().filter(Op.Embed.class::isInstance).mapToInt(op -> ((Op.Embed) op).table().rows()).min()
                .orElse(Integer.MAX_VALUE);
        isWindowed = plan.ops().stream().anyMatch(op -> op instanceof Op.Attention attention && attention.shape().window() > 0);
        leastToken = plan.ops().stream().anyMatch(op -> op instanceof Op.Embed embed && embed.given().isPresent()) ? Op.Embed.GIVEN : 0;
        logitsWidth = plan.logits().map(Value::width).orElse(0);
        values = own(new PlanValues(program, limits));
        inputs = new PassInputs(plan, context, values, owned);
        try {
            weights = own(new PlanWeights(backend, program, values.byteSize(), scratchBytes(), progress));
            values.allocate(context);
            block = own(new StepBlock(context, limits));
            error = own(context.allocateFrom(MemorySegment.ofArray(new int[1])));
            paths = new TreePaths(own(context.allocate((long) limits.treeRows() * limits.treeRows() * Integer.BYTES)).slice(),
                    own(context.allocate((long) limits.treeRows() * Integer.BYTES)).slice(), limits.treeRows());
            verification = own(new VerificationStage(context, library, limits, logitsWidth, block));
            logits = own(context.allocatePinned(Math.max(1, (long) limits.logitsRows() * logitsWidth) * Float.BYTES));
        } catch (Throwable e) {
            owned.close();
            throw e;
        }
    }

    private <T extends AutoCloseable> T own(T resource) {
        return owned.add(resource);
    }

    /// Most that attention may take.
    private long scratchBytes() {
        return program.steps().stream().mapToLong(step -> step instanceof Step.Attention attention ? AttentionKernels.maxPartialBytes(
                attention.shape().heads(), attention.shape().headDim(), limits.rows()) : 0).max().orElse(0);
    }

    private DeviceSlice at(Value value) {
        return values.at(value);
    }

    private QuantizedRows quantizedAt(Value value) {
        return values.quantizedAt(value);
    }

    @Override
    public BatchLimits limits() {
        return limits;
    }

    @Override
    public void run(Batch batch) {
        lifetime.enter();
        try {
            requireWithin(batch);
            batch.requireStatistics(logitsWidth);
            if (batch.size() == 1) {
                runAlone(batch);
                readStatistics();
            } else {
                runInTurn(batch, false);
            }
        } finally {
            lifetime.leave();
        }
    }

    private void requireWithin(Batch batch) {
        batch.requireWithin(limits);
        if (isWindowed && batch.hasRanges()) {
            throw new IllegalArgumentException("ranges of slots in a plan of which layers have windows: expected one without");
        }
    }

    private void runAlone(Batch batch) {
        PageTable table = ofThisBackend(batch.pages(0));
        table.lifetime().enter();
        try {
            run(batch.segment(0), table);
        } finally {
            table.lifetime().leave();
        }
    }

    /// Several segments: one after the other, each with its logits, which then lie one behind the other in the host's memory.
    private void runInTurn(Batch batch, boolean verify) {
        if (!inputs.isEmpty()) {
            throw new IllegalArgumentException("inputs of several segments: expected a batch of one on backend " + backend.name());
        }
        int firstLogits = 0;
        for (int i = 0; i < batch.size(); i++) {
            Segment segment = batch.segment(i);
            PageTable table = ofThisBackend(batch.pages(i));
            table.lifetime().enter();
            try {
                run(segment, table);
                if (segment.selectedRows() > 0) {
                    copyToHost(logits(firstLogits, segment.selectedRows()), plan.output(Plan.LOGITS));
                }
                readStatistics();
                if (verify && segment.samples()) {
                    awaitPass();
                    verification.read(batch.result(i), segment.rows());
                }
            } finally {
                table.lifetime().leave();
            }
            firstLogits += segment.selectedRows();
        }
        ranInTurn = true;
        logitsAreHere = true;
    }

    private MemorySegment logits(int first, int count) {
        long rowBytes = (long) logitsWidth * Float.BYTES;
        return logits.memory().asSlice(first * rowBytes, count * rowBytes);
    }

    private PageTable ofThisBackend(PageTable table) {
        if (!(table.pool().memory() instanceof CudaKvMemory)) {
            throw new IllegalArgumentException("the KV pool is of another backend: expected one that backend " + backend.name() + " opened");
        }
        return table;
    }

    private static CudaStream stream(PageTable table) {
        return ((CudaKvMemory) table.pool().memory()).stream();
    }

    private void run(Segment segment, PageTable table) {
        prepare(segment, table);
        rows = segment.rows();
        selectedRows = segment.selectedRows();
        if (segment.rows() == 0) {
            return;
        }
        Bucket.Result result = Bucket.result(segment);
        boolean more = VerificationStage.hasMore(segment);
        if (more) {
            writeMore(segment);
        }
        int index = Bucket.index(segment.rows(), Bucket.isTree(segment), result, Bucket.hasLists(segment));
        CudaGraph graph = graphs[index] != null ? graphs[index] : capture(Bucket.of(segment, limits), table);
        attach(table);
        if (result == Bucket.Result.NOTHING) {
            block.send(segment, pages.address(0), stream(table));
        } else {
            write(segment);
            blockIsRead = true;
        }
        if (more) {
            verification.upload(segment, stream(table));
        }
        blockIsRead |= inputs.take(stream(table), segment.rows());
        stream(table).launch(graph);
        queued(table);
        describe(segment, table);
    }

    /// Queues the statistics that a segment asks for.
    private void describe(Segment segment, PageTable table) {
        if (segment.statistics() == null || segment.selectedRows() == 0) {
            return;
        }
        if (statistics == null) {
            statistics = own(new StatisticsStage(context, library, limits.treeRows(), logitsWidth, block, at(plan.output(Plan.LOGITS))));
        }
        described = segment.statistics();
        statistics.queue(described, segment.selectedRows(), stream(table));
    }

    /// Hands over the statistics of the pass that was queued, when it is done.
    private void readStatistics() {
        if (described == null) {
            return;
        }
        running.lifetime().enter();
        try {
            awaitPass();
            statistics.read(described);
        } finally {
            described = null;
            running.lifetime().leave();
        }
    }

    /// Queues a copy of the rows of a value that the last pass left.
    ///
    /// @throws IllegalArgumentException if it has left fewer
    void giveRows(Value value, int count, CudaStream stream, DeviceBuffer target, long offset, long bytes) {
        lifetime.enter();
        try {
            Batch.requireRowsOfInput(count, rows);
            if (stream(running) != stream) {
                awaitPass();
            }
            stream.copy(target, offset, values.buffer(), values.offset(value), bytes);
        } finally {
            lifetime.leave();
        }
    }

    @Override
    public void launch(Batch batch) {
        batch.requireSampling(plan.output(Plan.LOGITS).width());
        lifetime.enter();
        try {
            requireWithin(batch);
            batch.requireStatistics(logitsWidth);
            if (batch.size() == 1) {
                runAlone(batch);
                awaited = batch.result(0);
                awaitedRows = batch.segment(0).rows();
            } else {
                runInTurn(batch, true);
                awaited = null;
            }
        } finally {
            lifetime.leave();
        }
    }

    @Override
    public void await() {
        lifetime.enter();
        try {
            awaitPass();
            if (awaited != null) {
                running.lifetime().requireOpen(); // who closed it may have waited in vain
                verification.read(awaited, awaitedRows);
                readStatistics();
            }
        } finally {
            lifetime.leave();
        }
    }

    /// Nothing waits for the host between the passes: those after an unsure token are run in vain.
    @Override
    public void decodeChain(Batch batch, int count, float margin, SampledTokens sampled) {
        Segment segment = batch.onlySegment();
        requireWithin(batch);
        batch.requireChain(limits, count);
        segment.requireSampling(plan.output(Plan.LOGITS).width());
        PageTable table = ofThisBackend(batch.pages(0));
        lifetime.enter();
        try {
            runChain(segment, table, count);
            verification.read(sampled, count, margin);
        } finally {
            lifetime.leave();
        }
    }

    private void runChain(Segment segment, PageTable table, int count) {
        table.lifetime().enter();
        try {
            if (count == 1) {
                run(segment, table);
            } else {
                queueChain(segment, table, count);
            }
            awaitPass();
        } finally {
            table.lifetime().leave();
        }
    }

    private void queueChain(Segment segment, PageTable table, int count) {
        if (!inputs.isEmpty()) {
            throw new IllegalArgumentException("a chain of a plan with inputs: expected one token a pass, each with its row");
        }
        prepare(segment, table);
        table.reserve(segment.committed(), segment.committed() + count);
        boolean more = VerificationStage.hasMore(segment);
        if (more) {
            writeMore(segment);
        }
        boolean lists = Bucket.hasLists(segment);
        int index = Bucket.index(1, false, Bucket.Result.CHAIN, lists);
        CudaGraph graph = graphs[index] != null ? graphs[index] : capture(new Bucket(1, false, Bucket.Result.CHAIN, lists), table);
        attach(table);
        write(segment);
        CudaStream stream = stream(table);
        block.upload(stream);
        if (more) {
            verification.upload(segment, stream);
        }
        verification.clear(stream);
        for (int i = 0; i < count; i++) {
            stream.launch(graph);
        }
        verification.download(stream);
        queued(table);
    }

    /// Checks a pass and its KV cache. Graphs serve all caches of a shape.
    private void prepare(Segment segment, PageTable table) {
        requireTokens(segment);
        KvLayout layout = table.pool().layout();
        if (table.slots() != capturedSlots || layout != captured && !layout.equals(captured)) {
            layout.requireFits(plan);
            forgetGraphs();
            captured = layout;
            capturedSlots = table.slots();
            if (pages != null) {
                pages.close();
            }
            pages = context.allocate((long) KvLayer.pageCount(capturedSlots) * Long.BYTES);
            paged = null;
        }
        if (segment.firstSlot() != Segment.NO_SLOT) {
            table.reserve(segment.firstSlot(), segment.firstSlot() + segment.rows());
        }
    }

    /// Writes the step block that graphs copy, once the pass that may still read it is done.
    private void write(Segment segment) {
        if (blockIsRead) {
            awaitPass();
        }
        block.write(segment, pages.address(0));
    }

    /// Writes what does not fit the step block, once the pass that may still read it is done. Graphs that know too small a buffer are
    /// forgotten.
    private void writeMore(Segment segment) {
        awaitPass();
        if (verification.write(segment)) {
            forgetGraphs();
        }
    }

    /// Lets the graphs work on the pages of a table from now on, when they are done with those of another.
    private void attach(PageTable table) {
        CudaKvMemory.Addresses addresses = (CudaKvMemory.Addresses) table.list();
        if (paged != table) {
            awaitPass();
        }
        if (paged != table || pagedChanges != addresses.changes()) {
            addresses.copyTo(pages);
            paged = table;
            pagedChanges = addresses.changes();
        }
    }

    private KvLayer layer(int number) {
        return CudaKvMemory.layer(captured, pages.slice(), capturedSlots, number);
    }

    private void queued(PageTable table) {
        running = table;
        busy = true;
        logitsAreHere = false;
        ranInTurn = false;
    }

    private void awaitPass() {
        if (busy) {
            if (running.lifetime().tryEnterInTurn()) {
                try {
                    stream(running).synchronize();
                } finally {
                    running.lifetime().leave();
                }
            } else {
                running.lifetime().close(); // which has waited, or waits now
            }
        }
        busy = false;
        blockIsRead = false;
    }

    private void requireTokens(Segment segment) {
        for (int row = 0; row < segment.rows(); row++) {
            if (segment.token(row) < leastToken || segment.token(row) >= vocabulary) {
                throw new IllegalArgumentException("token " + segment.token(row) + ": expected one below " + vocabulary);
            }
        }
    }

    private CudaGraph capture(Bucket bucket, PageTable table) {
        growScratch(bucket, table);
        List<KernelLaunch> launches = launches(bucket);
        CudaGraph graph = stream(table).capture(() -> {
            if (bucket.result != Bucket.Result.NOTHING && bucket.result != Bucket.Result.CHAIN) {
                block.upload(stream(table));
            }
            launches.forEach(launch -> launch.on(stream(table)));
            if (bucket.result == Bucket.Result.VERIFICATION || bucket.result == Bucket.Result.VERIFICATION_OF_SAMPLES) {
                verification.download(stream(table));
            }
        });
        graphs[bucket.index()] = graph;
        return graph;
    }

    /// The launches of a pass, in order.
    private List<KernelLaunch> launches(Bucket bucket) {
        List<KernelLaunch> launches = new ArrayList<>();
        if (bucket.tree) {
            launches.add(TreeKernels.paths(library, paths, block.masks(), block.rows(bucket.rows)));
        }
        for (Step step : program.steps()) {
            boolean selected = step.outputs().stream().anyMatch(value -> value.rows() == Value.Rows.SELECTED);
            if (!selected || bucket.result != Bucket.Result.NOTHING) {
                launches.add(launch(step, selected ? block.selectedRows(Math.min(bucket.rows, limits.treeRows()))
                        : block.rows(bucket.rows), bucket));
            }
        }
        switch (bucket.result) {
            case VERIFICATION, VERIFICATION_OF_SAMPLES -> verification(launches, bucket);
            case CHAIN -> {
                sample(launches, bucket);
                launches.add(verification.advance(bucket.lists));
            }
            default -> { }
        }
        return launches;
    }

    private void verification(List<KernelLaunch> launches, Bucket bucket) {
        sample(launches, bucket);
        launches.add(bucket.result == Bucket.Result.VERIFICATION ? verification.walk(tree(bucket), sampledRows(bucket))
                : verification.rejectionSampling(at(plan.output(Plan.LOGITS)), tree(bucket), sampledRows(bucket), bucket.lists));
        VerificationSlots slots = verification.slots();
        launches.add(KvKernels.move(library, layer(0), slots.from(), slots.to(), slots.moves(), captured.layers().size()));
    }

    private void sample(List<KernelLaunch> launches, Bucket bucket) {
        verification.sample(launches, at(plan.output(Plan.LOGITS)), tree(bucket), sampledRows(bucket), bucket.lists);
    }

    private Rows sampledRows(Bucket bucket) {
        return block.rows(Math.min(bucket.rows, limits.treeRows()));
    }

    private Optional<TreePaths> tree(Bucket bucket) {
        return bucket.tree ? Optional.of(paths) : Optional.empty();
    }

    private KernelLaunch launch(Step step, Rows rows, Bucket bucket) {
        return switch (step) {
            case Step.Embed(var table, var given, var out) -> EmbeddingKernels.gather(library, Fusion.tableType(table), at(out),
                    error.slice(), weights.table(table), given.map(this::at), block.tokens(), rows, table.rows(), table.columns());
            case Step.Round(var in, var out) -> ActivationKernels.round(library, program.type(out), at(out), at(in), rows, in.width());
            case Step.Quantize(var in, var activations, var out) -> Int8Kernels.quantize(library, quantizedAt(out), at(in), rows,
                    activations.threshold());
            case Step.RmsNorm(var in, var gain, var epsilon, var out) when program.quantized().containsKey(out) -> Int8Kernels.norm(library,
                    quantizedAt(out), at(in), weights.gain(gain), rows, epsilon, program.quantized().get(out).threshold());
            case Step.RmsNorm(var in, var gain, var epsilon, var out) -> NormKernels.rms(library, program.type(out), at(out), at(in),
                    weights.gain(gain), rows, NormKernels.Groups.dense(in.width() / gain.columns(), gain.columns()), epsilon);
            case Step.AddRmsNorm(var a, var b, var sum, var gain, var epsilon, var out) when program.quantized().containsKey(out) ->
                    Int8Kernels.normAdd(library, quantizedAt(out), at(sum), at(a), at(b), weights.gain(gain), rows, epsilon,
                            program.quantized().get(out).threshold());
            case Step.AddRmsNorm(var a, var b, var sum, var gain, var epsilon, var out) -> NormKernels.rmsAdd(library,
                    program.type(out), at(out), at(sum), at(a), at(b), weights.gain(gain), rows,
                    NormKernels.Groups.dense(1, gain.columns()), epsilon);
            case Step.RmsNormPart(var of, var first, var width, var gain, var epsilon) -> {
                DeviceSlice part = at(of).slice(4L * first, at(of).byteSize() - 4L * first);
                yield NormKernels.rms(library, ElementType.F32, part, part, weights.gain(gain), rows,
                        new NormKernels.Groups(width / gain.columns(), gain.columns(), of.width(), of.width()), epsilon);
            }
            case Step.Project(var in, var projections, var activations, var out) -> {
                DeviceWeights.Key key = PlanWeights.key(step).orElseThrow();
                Optional<DeviceSlice> bias = weights.bias(projections);
                yield activations.isQuantized()
                        ? Int8Kernels.matmul(library, tile(rows, out.width()), at(out), quantizedAt(in), weights.matrix(key), bias, rows,
                                out.width())
                        : MatmulKernels.matmul(library, tile(rows, out.width(), key.type()), key.type(), at(out), at(in),
                                weights.matrix(key), bias, rows, out.width(), in.width());
            }
            case Step.ProjectSwiGlu(var in, _, _, var activations, var out) -> {
                DeviceWeights.Key key = PlanWeights.key(step).orElseThrow();
                yield activations.isQuantized()
                        ? Int8Kernels.swiglu(library, tile(rows, 2 * out.width()), at(out), quantizedAt(in), weights.matrix(key), rows,
                                out.width())
                        : MatmulKernels.swiglu(library, tile(rows, 2 * out.width(), key.type()), key.type(), at(out), at(in),
                                weights.matrix(key), rows, out.width(), in.width());
            }
            case Step.Rope(var in, var headDim, var table, var out) -> RopeKernels.rotate(library, weights.rotation(table), at(out), at(in),
                    block.positions(), rows, in.width() / headDim, headDim);
            case Step.AppendKv(var layer, var k, var v) -> KvKernels.append(library, layer(layer), at(k), at(v), rows,
                    block.segments(rows.max()));
            case Step.RopeAppendKv(var layer, var qkv, var table, var shape, var queries) -> KvKernels.ropeAppend(library,
                    layer(layer), weights.rotation(table), at(queries), at(qkv), block.positions(), rows,
                    block.segments(rows.max()), shape.heads());
            case Step.Attention(var layer, var queries, var shape, var out) -> AttentionKernels.attend(library, layer(layer),
                    new AttentionKernels.Shape(shape.heads(), shape.scale(), shape.window()), program.type(out), at(out), at(queries),
                    block.positions(), rows, block.segments(rows.max()), tree(bucket),
                    partials.slice(), arrivals.slice());
            case Step.Elementwise(var kind, var a, var b, var out) -> switch (kind) {
                case ADD -> ActivationKernels.add(library, at(out), at(a), at(b), rows, out.width());
                case SWIGLU -> ActivationKernels.swiglu(library, program.type(out), at(out), at(a), at(b), rows, out.width());
            };
            case Step.SelectRows(var in, var out) -> EmbeddingKernels.gather(library, ElementType.F32, at(out), error.slice(), at(in),
                    Optional.empty(), block.selected(), rows, limits.rows(), in.width());
        };
    }

    /// Rows of trees, which are compared with others of other passes, go by the products of one warp on every device. More rows are of a
    /// prompt, and may be multiplied for four warps at a time where that is known to give the same bits too.
    private MatmulKernels.Tile tile(Rows rows, int weightRows, WeightType type) {
        return rows.max() > limits.treeRows() && backend.tiles().isAlike(type)
                ? MatmulKernels.Tile.ofGroups(rows.max(), weightRows, context.device().multiprocessors())
                : tile(rows, weightRows);
    }

    private MatmulKernels.Tile tile(Rows rows, int weightRows) {
        return MatmulKernels.Tile.of(rows.max(), weightRows, context.device());
    }

    /// Makes room for the parts of attention that blocks leave each other; graphs that know the old place are forgotten.
    private void growScratch(Bucket bucket, PageTable table) {
        long partialBytes = Long.BYTES;
        long arrivalBytes = Long.BYTES;
        for (Step step : program.steps()) {
            if (step instanceof Step.Attention attention) {
                AttentionKernels.Split split = AttentionKernels.split(library, layer(attention.layer()), attention.shape().heads(),
                        bucket.rows, 1, bucket.rows, bucket.tree ? limits.treeRows() : 0);
                partialBytes = Math.max(partialBytes, split.partialBytes());
                arrivalBytes = Math.max(arrivalBytes, split.arrivalBytes());
            }
        }
        if (partials != null && partials.byteSize() >= partialBytes && arrivals.byteSize() >= arrivalBytes) {
            return;
        }
        forgetGraphs();
        if (partials != null) {
            partials.close();
            arrivals.close();
        }
        partials = context.allocate(partialBytes);
        arrivals = context.allocate(arrivalBytes);
        stream(table).fill(arrivals, (byte) 0);
    }

    private void forgetGraphs() {
        awaitPass();
        for (int i = 0; i < graphs.length; i++) {
            if (graphs[i] != null) {
                graphs[i].close();
                graphs[i] = null;
            }
        }
    }

    @Override
    public MemorySegment logits() {
        plan.output(Plan.LOGITS);
        lifetime.enter();
        try {
            if (!logitsAreHere && selectedRows > 0) {
                copyToHost(logits(0, selectedRows), plan.output(Plan.LOGITS));
                logitsAreHere = true;
            }
            return logits.memory();
        } finally {
            lifetime.leave();
        }
    }

    private void copyToHost(MemorySegment target, Value value) {
        running.lifetime().enter();
        try {
            stream(running).copyToHost(target, values.buffer(), values.offset(value));
            stream(running).synchronize();
        } finally {
            running.lifetime().leave();
        }
    }

    @Override
    public MemorySegment output(String name) {
        Value value = plan.output(name);
        if (name.equals(Plan.LOGITS)) {
            return logits();
        }
        if (ranInTurn) {
            throw new IllegalStateException("output " + name + " of several segments: expected a batch of one on backend " + backend.name());
        }
        lifetime.enter();
        try {
            PinnedBuffer copy = outputs.computeIfAbsent(name, _ -> own(context.allocatePinned(values.byteSize(value))));
            MemorySegment rows = copy.memory().asSlice(0, (long) Float.BYTES * value.width()
                    * (value.rows() == Value.Rows.ALL ? this.rows : selectedRows));
            copyToHost(rows, value);
            return rows;
        } finally {
            lifetime.leave();
        }
    }

    @Override
    public MemorySegment input(String name) {
        plan.input(name);
        lifetime.enter();
        try {
            awaitPass(); // which may still read it
            return inputs.host(name).memory();
        } finally {
            lifetime.leave();
        }
    }

    @Override
    public void connect(String input, Executable from, String output) {
        if (!(from instanceof CudaExecutable other) || other.backend != backend) {
            throw new IllegalArgumentException("input " + input + " from an executable of another backend: expected one of this");
        }
        inputs.connect(input, other, plan.outputFor(input, other.plan, output));
    }

    @Override
    public void close() {
        lifetime.close();
    }

    private void release() {
        backend.forget(this);
        forgetGraphs();
        if (pages != null) {
            pages.close();
        }
        if (partials != null) {
            partials.close();
            arrivals.close();
        }
        owned.close();
    }
}
