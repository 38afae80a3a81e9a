package org.gatun.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleConsumer;
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
import org.gatun.cuda.PinnedBuffer;
import org.gatun.cuda.kernels.KernelLaunch;
import org.gatun.cuda.kernels.KernelLibrary;
import org.gatun.cuda.kernels.Rows;
import org.gatun.lifetime.Lifetime;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;
import org.gatun.plan.Value;
import org.gatun.sampling.RowStatistics;

/// A plan as CUDA graphs, one for each power of two of rows, captured when first needed. A pass is one copy and one graph launch. Only
/// what gives the host something is awaited: passes that fill the cache are queued one behind the other, and what is sampled next behind
/// them, while executables with other caches do the same in the streams of those.
final class CudaExecutable implements Executable {
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
    private final AttachedPages pages;
    private final AttentionScratch scratch;
    private final PassLaunches launches;
    private final VerificationStage verification;
    private ManySegments many;           // made when a batch first had several segments
    private StatisticsStage statistics;  // made when a segment first asked for any
    private RowStatistics described;     // by the pass that was queued, null if nothing was asked
    private final CapturedGraphs graphs = new CapturedGraphs(Bucket.KINDS * Integer.SIZE); // by Bucket.index
    private final int minToken;
    private final int vocabulary;
    private final boolean isWindowed;
    private final int logitsWidth; // 0 if the plan has none
    private final PassInputs inputs;
    private final Map<String, PinnedBuffer> outputs = new HashMap<>();
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
        minToken = plan.ops().stream().anyMatch(op -> op instanceof Op.Embed embed && embed.given().isPresent()) ? Op.Embed.GIVEN : 0;
        logitsWidth = plan.logits().map(Value::width).orElse(0);
        values = own(new PlanValues(program, limits));
        inputs = new PassInputs(plan, context, values, owned);
        try {
            weights = own(new PlanWeights(backend, program, values.byteSize(), AttentionScratch.maxBytes(program, limits), progress));
            values.allocate(context);
            block = own(new StepBlock(context, limits));
            pages = own(new AttachedPages(context));
            scratch = own(new AttentionScratch(backend, program, limits));
            verification = own(new VerificationStage(context, library, limits, logitsWidth));
            launches = new PassLaunches(backend, program, limits, values, weights, block, pages, scratch, verification, owned);
            logits = own(context.allocatePinned(Math.max(1, (long) limits.logitsRows() * logitsWidth) * Float.BYTES));
        } catch (Throwable e) {
            owned.close();
            throw e;
        }
    }

    private <T extends AutoCloseable> T own(T resource) {
        return owned.add(resource);
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
                runMany(batch, false);
            }
        } finally {
            lifetime.leave();
        }
    }

    private void requireWithin(Batch batch) {
        batch.requireWithin(limits);
        for (int segment = 0; segment < batch.size(); segment++) {
            if (batch.segment(segment).selectedRows() > limits.treeRows()) {
                throw new IllegalArgumentException("logits of " + batch.segment(segment).selectedRows() + " rows of segment " + segment
                        + ": expected at most " + limits.treeRows() + ", within " + limits);
            }
        }
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

    /// Several segments in one pass, or one after the other where they have no room in one.
    private void runMany(Batch batch, boolean verify) {
        for (int i = 0; i < batch.size(); i++) {
            ofThisBackend(batch.pages(i));
            requireTokens(batch.segment(i));
        }
        if (!ManySegments.fit(batch, limits)) {
            runInTurn(batch, verify);
            return;
        }
        CudaStream stream = stream(batch.pages(0));
        int entered = 0;
        try {
            for (; entered < batch.size(); entered++) {
                batch.pages(entered).lifetime().enter();
            }
            runTogether(batch, stream);
            if (verify) {
                many.verify(batch, stream, this::writeMore);
            }
            many.describe(batch, stream, this::statistics);
            awaitPass();
        } finally {
            while (entered > 0) {
                batch.pages(--entered).lifetime().leave();
            }
        }
    }

    private void runTogether(Batch batch, CudaStream stream) {
        awaitPass();
        KvLayout layout = batch.pages(0).pool().layout();
        if (!pages.serves(layout) || ManySegments.slots(batch) > pages.slots()) {
            serve(layout, ManySegments.slots(batch));
        }
        batch.reservePages();
        for (int i = 0; i < batch.size(); i++) {
            if (stream(batch.pages(i)) != stream) {
                stream(batch.pages(i)).synchronize();
            }
            if (VerificationStage.hasMore(batch.segment(i))) {
                writeMore(batch.segment(i)); // which says in the request where its lists are
            }
        }
        if (many == null) {
            many = own(new ManySegments(context, limits, launches, pages, scratch, verification));
        }
        rows = many.write(batch);
        selectedRows = batch.selectedRows();
        if (rows > 0) {
            CudaGraph graph = many.graph(stream, this::forgetGraphs);
            inputs.take(stream, rows);
            stream.launch(graph);
            queued(batch.pages(0));
        }
    }

    /// One after the other, each with its logits, which then lie one behind the other in the host's memory.
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
        CudaGraph graph = graphs.get(index) != null ? graphs.get(index) : capture(Bucket.of(segment, limits), table);
        attach(table);
        if (result == Bucket.Result.NOTHING) {
            block.send(segment, pages.address(), stream(table));
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
        described = segment.statistics();
        statistics().queue(described, segment.selectedRows(), stream(table));
    }

    private StatisticsStage statistics() {
        if (statistics == null) {
            statistics = own(new StatisticsStage(context, library, limits.treeRows(), logitsWidth, block, values.at(plan.output(Plan.LOGITS))));
        }
        return statistics;
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
                runMany(batch, true);
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
        CudaGraph graph = graphs.get(index) != null ? graphs.get(index) : capture(new Bucket(1, false, Bucket.Result.CHAIN, lists), table);
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
        if (!pages.serves(table)) {
            serve(table.pool().layout(), table.slots());
        }
        if (segment.firstSlot() != Segment.NO_SLOT) {
            table.reserve(segment.firstSlot(), segment.firstSlot() + segment.rows());
        }
    }

    private void serve(KvLayout layout, int slots) {
        layout.requireFits(plan);
        forgetGraphs();
        pages.reshape(layout, slots);
    }

    /// Writes the step block that graphs copy, once the pass that may still read it is done.
    private void write(Segment segment) {
        if (blockIsRead) {
            awaitPass();
        }
        block.write(segment, pages.address());
    }

    /// Writes what does not fit the step block, once the pass that may still read it is done. Graphs that know too small a buffer are
    /// forgotten.
    private void writeMore(Segment segment) {
        awaitPass();
        if (verification.write(segment)) {
            forgetGraphs();
        }
    }

    private void attach(PageTable table) {
        if (!pages.isOf(table)) {
            awaitPass();
        }
        pages.attach(table);
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
            if (segment.token(row) < minToken || segment.token(row) >= vocabulary) {
                throw new IllegalArgumentException("token " + segment.token(row) + ": expected one below " + vocabulary);
            }
        }
    }

    private CudaGraph capture(Bucket bucket, PageTable table) {
        scratch.grow(bucket.rows(), 1, bucket.rows(), bucket.tree(), pages, stream(table), this::forgetGraphs);
        List<KernelLaunch> queue = launches.of(bucket);
        return graphs.keep(bucket.index(), stream(table).capture(() -> {
            if (bucket.result() != Bucket.Result.NOTHING && bucket.result() != Bucket.Result.CHAIN) {
                block.upload(stream(table));
            }
            queue.forEach(launch -> launch.on(stream(table)));
            if (bucket.result() == Bucket.Result.VERIFICATION || bucket.result() == Bucket.Result.VERIFICATION_OF_SAMPLES) {
                verification.download(stream(table));
            }
        }));
    }

    private void forgetGraphs() {
        awaitPass();
        if (many != null) {
            many.forgetGraphs();
        }
        graphs.forget();
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
        owned.close();
    }
}
