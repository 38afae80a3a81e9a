package org.gatun.model.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Optional;
import org.gatun.backend.Backend;
import org.gatun.backend.Batch;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Executable;
import org.gatun.backend.KvLayout;
import org.gatun.backend.PageTable;
import org.gatun.backend.Segment;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.format.SafetensorsFile;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.Plan;
import org.gatun.plan.PlanBuilder;
import org.gatun.quantize.Codebook;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Compares with weights that bitsandbytes quantized, stored and decoded: `bitsandbytes-golden.safetensors`, made by
/// `bitsandbytes-golden.py` beside it.
class BitsandbytesGoldenTest {
    private static final Path FILE = Path.of("src/test/resources/org/gatun/model/bitsandbytes-golden.safetensors");
    private static SafetensorsFile golden;

    @BeforeAll
    static void open() throws IOException {
        golden = SafetensorsFile.open(FILE);
    }

    @AfterAll
    static void close() {
        golden.close();
    }

    @ParameterizedTest
    @CsvSource({"nf4, NF4", "nf4_nested, NF4", "fp4, FP4", "fp4_nested, FP4"})
    void read_fourBits_sameBits(String weight, DType dtype) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            Tensor read = FourBitWeight.read(FILE, golden.tensors(), weight + ".weight", arena).orElseThrow();
            assertEquals(dtype, read.dtype());
            assertArrayEquals(floats(weight + ".decoded"), decode(read), 0); // 0 and -0 alike
        }
    }

    /// Small negative numbers are -0 in FP4 for its CUDA kernels and for Gatun, and 0 where it runs on a CPU.
    @ParameterizedTest
    @CsvSource({"nf4, NF4", "fp4, FP4"})
    void encode_fourBits_sameCodesAndMagnitudes(String weight, DType dtype) {
        float[] elements = floats(weight + ".original");
        byte[] codes = bytes(weight + ".weight");
        float[] magnitudes = floats(weight + ".weight.absmax");
        MemorySegment encoded = MemorySegment.ofArray(new byte[(int) dtype.rowBytes(elements.length)]);
        Codec.of(dtype).encode(elements, 0, encoded, 0, elements.length);

        float[] codebook = Codebook.of(dtype);
        int block = dtype.blockElements();
        for (int i = 0; i < elements.length; i++) {
            long at = (long) i / block * dtype.blockBytes();
            byte found = encoded.get(ValueLayout.JAVA_BYTE, at + Float.BYTES + i % block / 2);
            assertEquals(magnitudes[i / block], encoded.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at));
            assertEquals(codebook[code(codes[i / 2], i)], codebook[code(found, i)], 0, "element " + i);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"nf4_nested", "fp4_nested"})
    void nest_magnitudes_sameCodes(String weight) {
        float[] elements = floats(weight + ".original");
        float[] magnitudes = new float[elements.length / DType.NF4.blockElements()];
        for (int i = 0; i < elements.length; i++) {
            int block = i / DType.NF4.blockElements();
            magnitudes[block] = Math.max(magnitudes[block], Math.abs(elements[i]));
        }
        NestedMagnitudes nested = NestedMagnitudes.of(magnitudes);

        assertArrayEquals(bytes(weight + ".weight.absmax"), nested.codes().toArray(ValueLayout.JAVA_BYTE));
        assertArrayEquals(floats(weight + ".weight.nested_absmax"), nested.largest().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED), 1e-6f);
        float[] codebook = nested.codebook().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
        float[] theirs = floats(weight + ".weight.nested_quant_map");
        for (int i = 0; i < codebook.length; i++) {
            assertEquals(theirs[i], codebook[i], Math.ulp(theirs[i]));
        }
    }

    private static int code(byte two, int element) {
        return element % 2 == 0 ? two >> 4 & 15 : two & 15;
    }

    @Test
    void read_eightBits_sameBits() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            Tensor read = EightBitWeight.read(FILE, golden.tensors(), "int8.weight", arena).orElseThrow();
            assertArrayEquals(floats("int8.decoded"), decode(read), 1e-6f);
        }
    }

    /// It rounds what it quantizes to f16 before.
    @Test
    void encode_eightBits_sameCodes() {
        float[] elements = floats("int8.original");
        byte[] codes = bytes("int8.weight");
        int columns = golden.tensors().get("int8.weight").columns();
        for (int row = 0; row < codes.length / columns; row++) {
            float[] halves = new float[columns];
            for (int i = 0; i < columns; i++) {
                halves[i] = Float.float16ToFloat(Float.floatToFloat16(elements[row * columns + i]));
            }
            MemorySegment encoded = MemorySegment.ofArray(new byte[(int) DType.INT8.rowBytes(columns)]);
            Codec.of(DType.INT8).encode(halves, 0, encoded, 0, columns);
            for (int i = 0; i < columns; i++) {
                assertEquals(codes[row * columns + i], encoded.get(ValueLayout.JAVA_BYTE, DType.INT8.headerBytes() + i),
                        "row " + row + ", element " + i);
            }
        }
    }

    /// Rows without outliers, with two of 256, and with nothing else; multiplied there in f16.
    @Test
    void product_outliersApart_isThatOfLlmInt8() throws IOException {
        float[] rows = halves("int8.rows");
        float[] expected = halves("int8.products");
        BatchLimits limits = new BatchLimits(64, 64);
        try (Arena arena = Arena.ofShared(); Backend backend = new ReferenceBackend()) {
            Tensor weight = EightBitWeight.read(FILE, golden.tensors(), "int8.weight", arena).orElseThrow();
            int columns = weight.columns();
            int count = rows.length / columns;
            Tensor table = new Tensor("rows", DType.F32, Shape.of(count, columns),
                    arena.allocateFrom(ValueLayout.JAVA_FLOAT, rows));
            PlanBuilder plan = new PlanBuilder();
            Plan product = plan.build(plan.selectRows(
                    plan.matMul(plan.embed(table), weight, Optional.empty(), ActivationQuantization.INT8_OUTLIERS)));
            try (Executable executable = backend.compile(product, limits);
                    PageTable kv = PageTable.openAlone(backend, KvLayout.uniform(1, 1, 2, DType.F16), 8)) {
                Segment segment = new Segment(arena, limits).beginCausal(0);
                for (int row = 0; row < count; row++) {
                    segment.addRow(row);
                    segment.select(row);
                }
                executable.run(Batch.of(segment, kv));
                float[] found = executable.logits().asSlice(0, (long) expected.length * Float.BYTES).toArray(ValueLayout.JAVA_FLOAT);
                for (int i = 0; i < expected.length; i++) {
                    assertEquals(expected[i], found[i], 2e-3 * Math.max(1, Math.abs(expected[i])), "product " + i);
                }
            }
        }
    }

    private static float[] halves(String name) {
        short[] halves = golden.tensors().get(name).data().toArray(ValueLayout.JAVA_SHORT_UNALIGNED);
        float[] numbers = new float[halves.length];
        for (int i = 0; i < halves.length; i++) {
            numbers[i] = Float.float16ToFloat(halves[i]);
        }
        return numbers;
    }

    private static float[] decode(Tensor tensor) {
        float[] elements = new float[Math.toIntExact(tensor.shape().elements())];
        int columns = tensor.columns();
        for (int row = 0; row < tensor.rows(); row++) {
            Codec.of(tensor.dtype()).decode(tensor.data(), row * tensor.dtype().rowBytes(columns), elements, row * columns, columns);
        }
        return elements;
    }

    private static byte[] bytes(String name) {
        return golden.tensors().get(name).data().toArray(ValueLayout.JAVA_BYTE);
    }

    private static float[] floats(String name) {
        return golden.tensors().get(name).data().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
    }
}
