package org.gatun.cli;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Locale;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.kernels.ActivationKernels;
import org.gatun.cuda.kernels.ElementType;
import org.gatun.cuda.kernels.EmbeddingKernels;
import org.gatun.cuda.kernels.KernelLaunch;
import org.gatun.cuda.kernels.KernelLibrary;
import org.gatun.cuda.kernels.MatmulKernels;
import org.gatun.cuda.kernels.NormKernels;
import org.gatun.cuda.kernels.RopeKernels;
import org.gatun.cuda.kernels.SamplingKernels;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;

/// Launches of each kernel on random operands, as a layer of a model would make them.
///
/// @param rows of activations
/// @param width elements of a row; an eighth of the vocabulary
record KernelSamples(KernelLibrary library, int rows, int width) {
    private static final long SEED = 1;
    private static final int HEAD = 64;

    /// @throws IllegalArgumentException if a number is not positive, or the width no multiple of a head's 64 elements
    KernelSamples {
        if (rows < 1 || width < 1 || width % HEAD != 0) {
            throw new IllegalArgumentException("--rows " + rows + " --width " + width
                    + ": expected positive numbers, and a width that is a multiple of " + HEAD);
        }
    }

    /// A launch of a kernel; its buffers are the context's.
    ///
    /// @throws IllegalArgumentException if there is no such kernel
    KernelLaunch launch(String kernel) {
        String[] words = library.kernel(kernel).name().split("_");
        ElementType type = ElementType.valueOf(words[words.length - 1].toUpperCase(Locale.ROOT));
        return switch (words[0]) {
            case "norm" -> words[2].equals("add")
                    ? NormKernels.rmsAdd(library, type, activations(type), activations(type), activations(type), activations(type),
                            floats(ElementType.F32, width), rows, width, 1e-5f)
                    : NormKernels.rms(library, type, activations(type), activations(type), floats(ElementType.F32, width), rows,
                            width, 1e-5f);
            case "rope" -> RopeKernels.rotate(library, type, RopeKernels.Pairing.valueOf(words[1].toUpperCase(Locale.ROOT)),
                    activations(type), activations(type), ints(rows, 4096), floats(ElementType.F32, HEAD / 2), rows, width / HEAD,
                    HEAD, HEAD / 2, 1);
            case "activation" -> ActivationKernels.swiglu(library, type, activations(type), activations(type), activations(type),
                    Math.multiplyExact(rows, width));
            case "embedding" -> {
                ElementType tableType = ElementType.valueOf(words[2].toUpperCase(Locale.ROOT));
                yield EmbeddingKernels.gather(library, tableType, type, activations(type), ints(1, 1),
                        activations(tableType), ints(rows, rows), rows, rows, width);
            }
            case "matmul" -> MatmulKernels.bf16(library, MatmulKernels.Tile.valueOf("ROWS_" + words[2].split("x")[0]), type,
                    activations(type), activations(ElementType.BF16), floats(ElementType.BF16, (long) width * width),
                    Optional.empty(), rows, width, width);
            case "sampling" -> words[1].equals("argmax")
                    ? SamplingKernels.argmax(library, ints(rows, 1), floats(type, rows), state(), logits(), rows, vocabulary())
                    : SamplingKernels.topK(library, ints(rows * SamplingKernels.MAX_K, 1),
                            floats(type, (long) rows * SamplingKernels.MAX_K), state(),
                            library.context().allocate(SamplingKernels.listBytes(rows, vocabulary())), logits(), rows, vocabulary(),
                            SamplingKernels.MAX_K);
            default -> throw new IllegalArgumentException("there is no sample for kernel " + kernel);
        };
    }

    private int vocabulary() {
        return Math.multiplyExact(8, width);
    }

    private DeviceBuffer logits() {
        return floats(ElementType.F32, (long) rows * vocabulary());
    }

    private DeviceBuffer activations(ElementType type) {
        return floats(type, (long) rows * width);
    }

    private DeviceBuffer state() {
        return ints(rows * SamplingKernels.STATE_BYTES / Integer.BYTES, 1);
    }

    private DeviceBuffer floats(ElementType type, long count) {
        DeviceBuffer buffer = library.context().allocate(Math.multiplyExact(count, type.byteSize()));
        SplittableRandom random = new SplittableRandom(SEED);
        float[] values = new float[Math.toIntExact(count)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextDouble(-1, 1);
        }
        try (Arena arena = Arena.ofConfined()) {
            DType dtype = type == ElementType.F32 ? DType.F32 : DType.BF16;
            MemorySegment bytes = arena.allocate(buffer.byteSize());
            Codec.of(dtype).encode(values, 0, bytes, 0, values.length);
            buffer.copyFrom(bytes);
        }
        return buffer;
    }

    private DeviceBuffer ints(int count, int bound) {
        SplittableRandom random = new SplittableRandom(SEED);
        return library.context().allocateFrom(MemorySegment.ofArray(
                IntStream.generate(() -> random.nextInt(bound)).limit(count).toArray()));
    }
}
