package org.gatun.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.gatun.backend.BatchLimits;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
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
import org.gatun.plan.Plan;
import org.gatun.plan.Value;

/// What a pass runs on the device: the kernel launches of a program's steps, and of what is made of their logits, each with its operands.
final class PassLaunches {
    private final CudaBackend backend;
    private final CudaContext context;
    private final KernelLibrary library;
    private final Program program;
    private final BatchLimits limits;
    private final PlanValues values;
    private final PlanWeights weights;
    private final StepBlock block;
    private final AttachedPages pages;
    private final AttentionScratch scratch;
    private final VerificationStage verification;
    private final DeviceBuffer error;
    private final TreePaths paths;

    /// @param owned receives what is allocated
    PassLaunches(CudaBackend backend, Program program, BatchLimits limits, PlanValues values, PlanWeights weights, StepBlock block,
            AttachedPages pages, AttentionScratch scratch, VerificationStage verification, DeviceResources owned) {
        this.backend = backend;
        this.program = program;
        this.limits = limits;
        this.values = values;
        this.weights = weights;
        this.block = block;
        this.pages = pages;
        this.scratch = scratch;
        this.verification = verification;
        context = backend.context();
        library = backend.library();
        error = owned.add(context.allocateFrom(MemorySegment.ofArray(new int[1])));
        paths = new TreePaths(owned.add(context.allocate((long) limits.treeRows() * limits.treeRows() * Integer.BYTES)).slice(),
                owned.add(context.allocate((long) limits.treeRows() * Integer.BYTES)).slice(), limits.treeRows());
    }

    /// The launches of a pass, in order.
    List<KernelLaunch> of(Bucket bucket) {
        List<KernelLaunch> launches = new ArrayList<>();
        forward(launches, place(bucket), bucket.rows(), Math.min(bucket.rows(), limits.treeRows()),
                bucket.result() != Bucket.Result.NOTHING);
        switch (bucket.result()) {
            case VERIFICATION, VERIFICATION_OF_SAMPLES -> verification(launches, verification.slots(), logits(), sampled(bucket),
                    bucket.result() == Bucket.Result.VERIFICATION_OF_SAMPLES, bucket.lists(), pages.layer(0));
            case CHAIN -> {
                verification.sample(launches, logits(), sampled(bucket), bucket.lists());
                launches.add(verification.advance(sampled(bucket), bucket.lists()));
            }
            default -> { }
        }
        return launches;
    }

    /// Where the launches of a pass find what changes from pass to pass.
    ///
    /// @param tree if a segment is one
    /// @param segmentRows most rows of a segment
    record Place(StepBlock block, Optional<TreePaths> tree, int segmentRows) {}

    private Place place(Bucket bucket) {
        return new Place(block, bucket.tree() ? Optional.of(paths) : Optional.empty(), bucket.rows());
    }

    private StepBlock.Sampled sampled(Bucket bucket) {
        return block.sampled(0, 0, place(bucket).tree, Math.min(bucket.rows(), limits.treeRows()));
    }

    /// `[selected rows, vocabulary] f32`.
    DeviceSlice logits() {
        return at(program.plan().output(Plan.LOGITS));
    }

    /// The launches from tokens to logits.
    ///
    /// @param rows most of the pass
    /// @param selectedRows most of the pass
    /// @param hasSelected whether logits are asked for
    void forward(List<KernelLaunch> launches, Place place, int rows, int selectedRows, boolean hasSelected) {
        place.tree.ifPresent(tree -> launches.add(TreeKernels.paths(library, tree, place.block.masks(), place.block.rows(rows))));
        for (Step step : program.steps()) {
            boolean selected = step.outputs().stream().anyMatch(value -> value.rows() == Value.Rows.SELECTED);
            if (!selected || hasSelected) {
                launches.add(launch(step, selected ? place.block.selectedRows(selectedRows) : place.block.rows(rows), place));
            }
        }
    }

    /// The launches that sample the tokens of a segment, walk by them and move what is accepted.
    ///
    /// @param found where the walk leaves what it found
    /// @param logits of the segment
    /// @param hasSamples whether it has rows that were sampled
    /// @param first layer of its pages
    void verification(List<KernelLaunch> launches, VerificationSlots found, DeviceSlice logits, StepBlock.Sampled of, boolean hasSamples,
            boolean hasLists, KvLayer first) {
        verification.sample(launches, logits, of, hasLists);
        launches.add(hasSamples ? verification.rejectionSampling(found, logits, of, hasLists) : verification.walk(found, of));
        launches.add(KvKernels.move(library, first, found.from(), found.to(), found.moves(), pages.layers()));
    }

    private KernelLaunch launch(Step step, Rows rows, Place place) {
        return switch (step) {
            case Step.Embed(var table, var given, var out) -> EmbeddingKernels.gather(library, Fusion.tableType(table), at(out),
                    error.slice(), weights.table(table), given.map(this::at), place.block.tokens(), rows, table.rows(), table.columns());
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
                    place.block.positions(), rows, in.width() / headDim, headDim);
            case Step.AppendKv(var layer, var k, var v) -> KvKernels.append(library, pages.layer(layer), at(k), at(v), rows,
                    place.block.segments(place.segmentRows));
            case Step.RopeAppendKv(var layer, var qkv, var table, var shape, var queries) -> KvKernels.ropeAppend(library,
                    pages.layer(layer), weights.rotation(table), at(queries), at(qkv), place.block.positions(), rows,
                    place.block.segments(place.segmentRows), shape.heads());
            case Step.Attention(var layer, var queries, var shape, var out) -> AttentionKernels.attend(library, pages.layer(layer),
                    new AttentionKernels.Shape(shape.heads(), shape.scale(), shape.window()), program.type(out), at(out), at(queries),
                    place.block.positions(), rows, place.block.segments(place.segmentRows), place.tree,
                    scratch.partials(), scratch.arrivals());
            case Step.Elementwise(var kind, var a, var b, var out) -> switch (kind) {
                case ADD -> ActivationKernels.add(library, at(out), at(a), at(b), rows, out.width());
                case SWIGLU -> ActivationKernels.swiglu(library, program.type(out), at(out), at(a), at(b), rows, out.width());
            };
            case Step.SelectRows(var in, var out) -> EmbeddingKernels.gather(library, ElementType.F32, at(out), error.slice(), at(in),
                    Optional.empty(), place.block.selected(), rows, limits.rows(), in.width());
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

    private DeviceSlice at(Value value) {
        return values.at(value);
    }

    private QuantizedRows quantizedAt(Value value) {
        return values.quantizedAt(value);
    }
}
