package org.gatun.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.DoubleConsumer;
import java.util.stream.Stream;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.kernels.Rotation;
import org.gatun.cuda.kernels.WeightType;
import org.gatun.plan.RopeTable;
import org.gatun.tensor.Tensor;

/// What the steps of a program read on the device and never write: matrices, which the executables of a backend share, and its own gains,
/// biases and frequencies, which are small. There when it is made, freed when it is closed.
final class PlanWeights implements AutoCloseable {
    private final CudaContext context;
    private final DeviceWeights shared;
    private final List<DeviceWeights.Key> acquired = new ArrayList<>();
    private final Map<DeviceWeights.Key, DeviceSlice> matrices = new HashMap<>();
    private final Map<Object, DeviceSlice> vectors = new HashMap<>(); // by gain, list of projections or rope table
    private final DeviceResources resources = new DeviceResources();

    /// Uploads what is not there yet.
    ///
    /// @param activationBytes that must fit beside it
    /// @param attentionBytes that attention may take besides
    /// @param progress is told the part of the bytes that is there
    /// @throws IllegalArgumentException if they do not fit; then nothing is uploaded
    PlanWeights(CudaBackend backend, Program program, long activationBytes, long attentionBytes, DoubleConsumer progress) {
        context = backend.context();
        shared = backend.weights();
        List<DeviceWeights.Key> keys = program.steps().stream().flatMap(step -> key(step).stream()).toList();
        long missingBytes = shared.missingBytes(keys);
        requireRoom(program, missingBytes, activationBytes, attentionBytes);
        try {
            try (WeightUpload upload = new WeightUpload(context, missingBytes, progress)) {
                for (DeviceWeights.Key key : keys) {
                    matrices.put(key, shared.acquire(key, upload));
                    acquired.add(key);
                }
            }
            program.steps().forEach(this::uploadVectors);
        } catch (Throwable e) {
            close();
            throw e;
        }
    }

    /// Refuses what does not fit, and says what would.
    private void requireRoom(Program program, long missingBytes, long activationBytes, long attentionBytes) {
        long otherBytes = activationBytes + attentionBytes;
        long free = context.memoryInfo().freeBytes();
        if (missingBytes + otherBytes > free) {
            String instead = Stream.of(WeightType.Q8_0, WeightType.Q4_0)
                    .filter(type -> bytesWithLayersIn(program, type) + otherBytes <= free).findFirst()
                    .map(type -> "with layers in %s they would take %,d".formatted(type.name(), bytesWithLayersIn(program, type)))
                    .orElse("choose a smaller model or another backend");
            throw new IllegalArgumentException(("the model needs %,d bytes on %s, weights %,d, activations %,d and attention at most %,d:"
                    + " found %,d free; %s").formatted(missingBytes + otherBytes, context.device().name(), missingBytes, activationBytes,
                            attentionBytes, free, instead));
        }
    }

    /// Bytes of all weights if those of the layers, which can be quantized, were of a type.
    private static long bytesWithLayersIn(Program program, WeightType type) {
        Map<DeviceWeights.Key, Long> bytes = new HashMap<>();
        for (Step step : program.steps()) {
            boolean isLayer = !(step instanceof Step.Embed) && program.plan().logits().stream().noneMatch(step.outputs()::contains);
            key(step).ifPresent(key -> bytes.put(key, isLayer ? Math.min(key.byteSize(), key.with(type).byteSize()) : key.byteSize()));
        }
        return bytes.values().stream().mapToLong(Long::longValue).sum();
    }

    /// The matrix that a step reads, if it reads one.
    static Optional<DeviceWeights.Key> key(Step step) {
        return switch (step) {
            case Step.Embed embed -> Optional.of(tableKey(embed.table()));
            case Step.Project project -> Optional.of(matrixKey(project.projections().stream().map(Step.Projection::weight).toList()));
            case Step.ProjectSwiGlu project -> Optional.of(new DeviceWeights.Key(List.of(project.gate(), project.up()),
                    DeviceWeights.Order.INTERLEAVED, Fusion.weightType(project.gate())));
            case Step.Round _, Step.Quantize _, Step.RmsNorm _, Step.AddRmsNorm _, Step.RmsNormPart _, Step.Rope _, Step.AppendKv _,
                    Step.RopeAppendKv _, Step.Attention _, Step.Elementwise _, Step.SelectRows _ -> Optional.empty();
        };
    }

    private static DeviceWeights.Key matrixKey(List<Tensor> tensors) {
        return new DeviceWeights.Key(tensors, DeviceWeights.Order.SIDE_BY_SIDE, Fusion.weightType(tensors.getFirst()));
    }

    private static DeviceWeights.Key tableKey(Tensor tensor) {
        return new DeviceWeights.Key(List.of(tensor), DeviceWeights.Order.SIDE_BY_SIDE,
                WeightType.valueOf(Fusion.tableType(tensor).name()));
    }

    private void uploadVectors(Step step) {
        switch (step) {
            case Step.RmsNorm norm -> uploadGain(norm.gain());
            case Step.AddRmsNorm norm -> uploadGain(norm.gain());
            case Step.RmsNormPart norm -> uploadGain(norm.gain());
            case Step.Project project -> uploadBiases(project.projections());
            case Step.Rope rope -> uploadFrequencies(rope.table());
            case Step.RopeAppendKv rope -> uploadFrequencies(rope.table());
            case Step.Embed _, Step.Round _, Step.Quantize _, Step.ProjectSwiGlu _, Step.AppendKv _, Step.Attention _, Step.Elementwise _,
                    Step.SelectRows _ -> { }
        }
    }

    private void uploadGain(Tensor tensor) {
        vectors.computeIfAbsent(tensor, _ -> resources.add(DeviceWeights.vector(context, List.of(Optional.of(tensor)),
                List.of(tensor.columns()))).slice());
    }

    private void uploadBiases(List<Step.Projection> projections) {
        if (projections.stream().anyMatch(projection -> projection.bias().isPresent())) {
            vectors.computeIfAbsent(projections, _ -> resources.add(DeviceWeights.vector(context,
                    projections.stream().map(Step.Projection::bias).toList(),
                    projections.stream().map(projection -> projection.weight().rows()).toList())).slice());
        }
    }

    private void uploadFrequencies(RopeTable table) {
        vectors.computeIfAbsent(table,
                _ -> resources.add(context.allocateFrom(MemorySegment.ofArray(table.inverseFrequencies()))).slice());
    }

    DeviceSlice matrix(DeviceWeights.Key key) {
        return matrices.get(key);
    }

    DeviceSlice table(Tensor table) {
        return matrices.get(tableKey(table));
    }

    DeviceSlice gain(Tensor gain) {
        return vectors.get(gain);
    }

    /// Of all projections, one behind the other; empty if none has one.
    Optional<DeviceSlice> bias(List<Step.Projection> projections) {
        return Optional.ofNullable(vectors.get(projections));
    }

    Rotation rotation(RopeTable table) {
        return new Rotation(table.pairing() == RopeTable.Pairing.SPLIT ? Rotation.Pairing.SPLIT : Rotation.Pairing.INTERLEAVED,
                vectors.get(table), table.pairs(), table.attentionFactor());
    }

    @Override
    public void close() {
        try (resources) {
            shared.release(acquired);
            acquired.clear();
        }
    }
}
