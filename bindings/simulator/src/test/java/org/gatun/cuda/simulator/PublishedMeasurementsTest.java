package org.gatun.cuda.simulator;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.CudaModule;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.KernelArguments;
import org.gatun.cuda.LaunchConfiguration;
import org.junit.jupiter.api.Test;

/// The model of time against what others measured of open kernels of the kinds that are here. The kernels are written anew, with the launch
/// shapes and the counts of the originals: as many loads, products and barriers, in the same order. `docs/benchmarks/modelled.md` has the table.
final class PublishedMeasurementsTest {
    private static final double WITHIN = 0.3;

    private static double model(DeviceModel device, String text, LaunchConfiguration configuration, long bytes) {
        SimulatorDriver driver = SimulatorDriver.open(SimulatorOptions.defaults().withModel(new TimeModel(device, Map.of())));
        try (CudaContext context = CudaContext.open(driver, 0);
                CudaStream stream = context.createStream();
                CudaModule module = context.load("test", text);
                DeviceBuffer buffer = context.allocate(bytes)) {
            stream.fill(buffer, (byte) 0);
            CudaFunction kernel = module.function("test");
            if (configuration.dynamicSharedBytes() > 0) {
                kernel.allowDynamicSharedBytes(configuration.dynamicSharedBytes());
            }
            KernelArguments arguments = kernel.arguments().set(0, buffer);
            stream.launch(kernel, configuration, arguments);
            stream.synchronize();
            return driver.takeReports().getFirst().time().orElseThrow().microseconds();
        }
    }

    private static void assertClose(double measured, double modelled) {
        assertEquals(measured, modelled, WITHIN * measured, "%.1f us measured, %.1f us modelled".formatted(measured, modelled));
    }

    private static String sumOfBlock(String sum) {
        StringBuilder text = new StringBuilder();
        for (int round = 0; round < 2; round++) {
            for (int lanes = 16; lanes > 0; lanes /= 2) {
                text.append("shfl.sync.bfly.b32 %%f9, %s, %d, 31, -1; add.f32 %s, %s, %%f9;%n".formatted(sum, lanes, sum, sum));
            }
            if (round == 0) {
                text.append("""
                        setp.eq.u32 %%p2, %%r8, 0;
                        @%%p2 st.shared.f32 [%%r9], %1$s;
                        bar.sync 0;
                        mov.f32 %1$s, 0f00000000;
                        setp.lt.u32 %%p3, %%r1, %%r7;
                        @%%p3 ld.shared.f32 %1$s, [%%r10];
                        """.formatted(sum));
            }
        }
        return text.toString();
    }

    private static final String WARPS = """
            .shared .align 4 .b8 sums[128];
            .shared .align 4 .b8 total[4];
            mov.u32 %r1, %tid.x;
            mov.u32 %r2, %ctaid.x;
            mov.u32 %r3, %ntid.x;
            shr.u32 %r7, %r3, 5;
            and.b32 %r8, %r1, 31;
            shr.u32 %r9, %r1, 5;
            mov.u32 %r11, sums;
            mad.lo.u32 %r9, %r9, 4, %r11;
            mad.lo.u32 %r10, %r8, 4, %r11;
            ld.param.u64 %rd1, [p0];
            """;

    /// One block a row, one f16 a thread and iteration, the row read twice.
    private static String rmsNorm(int hidden) {
        return Machine.ptx(".u64", WARPS + """
                mul.wide.u32 %%rd2, %%r2, %1$d;
                add.s64 %%rd1, %%rd1, %%rd2;
                mov.f32 %%f1, 0f00000000;
                mov.u32 %%r4, %%r1;
                SQUARES:
                mul.wide.u32 %%rd3, %%r4, 2;
                add.s64 %%rd4, %%rd1, %%rd3;
                ld.global.u16 %%rs1, [%%rd4];
                cvt.f32.f16 %%f2, %%rs1;
                fma.rn.f32 %%f1, %%f2, %%f2, %%f1;
                add.u32 %%r4, %%r4, %%r3;
                setp.lt.u32 %%p1, %%r4, %2$d;
                @%%p1 bra SQUARES;
                """.formatted(2 * hidden, hidden) + sumOfBlock("%f1") + """
                setp.eq.u32 %%p4, %%r1, 0;
                rsqrt.approx.f32 %%f1, %%f1;
                @%%p4 st.shared.f32 [total], %%f1;
                bar.sync 0;
                ld.shared.f32 %%f3, [total];
                ld.param.u64 %%rd9, [p0];
                mov.u32 %%r4, %%r1;
                SCALE:
                mul.wide.u32 %%rd3, %%r4, 2;
                add.s64 %%rd4, %%rd1, %%rd3;
                ld.global.u16 %%rs1, [%%rd4];
                cvt.f32.f16 %%f2, %%rs1;
                mul.f32 %%f2, %%f2, %%f3;
                cvt.rn.f16.f32 %%rs2, %%f2;
                add.s64 %%rd5, %%rd9, %%rd3;
                ld.global.u16 %%rs3, [%%rd5+%2$d];
                mul.f16 %%rs2, %%rs2, %%rs3;
                st.global.u16 [%%rd4+%1$d], %%rs2;
                add.u32 %%r4, %%r4, %%r3;
                setp.lt.u32 %%p1, %%r4, %3$d;
                @%%p1 bra SCALE;
                """.formatted(2L * ROWS * hidden, 4L * ROWS * hidden, hidden));
    }

    private static final int ROWS = 2048;

    /// W. Kwon, vllm-project/vllm pull request 16, 2023: 60 us on an A100, 2048 tokens of 5120 f16; 1024 threads.
    @Test
    void rmsNorm_ofVllm_onA100() {
        int hidden = 5120;
        double modelled = model(DeviceModel.A100, rmsNorm(hidden), LaunchConfiguration.of(ROWS, 1024), 4L * ROWS * hidden + 2 * hidden);

        assertClose(60, modelled);
    }

    /// One block an output, two bf16 a thread and iteration against two f32.
    private static String matrixVector(int outputs, int inputs) {
        return Machine.ptx(".u64", WARPS + """
                mov.u64 %%rd9, %%rd1;
                mul.wide.u32 %%rd2, %%r2, %1$d;
                add.s64 %%rd1, %%rd1, %%rd2;
                mov.f32 %%f1, 0f00000000;
                mov.u32 %%r4, %%r1;
                LOOP:
                mul.wide.u32 %%rd3, %%r4, 4;
                add.s64 %%rd4, %%rd1, %%rd3;
                ld.global.u32 %%r20, [%%rd4];
                mul.wide.u32 %%rd5, %%r4, 8;
                add.s64 %%rd6, %%rd9, %%rd5;
                ld.global.v2.f32 {%%f4, %%f5}, [%%rd6+%2$d];
                shl.b32 %%r21, %%r20, 16;
                and.b32 %%r22, %%r20, -65536;
                mov.b32 %%f6, %%r21;
                mov.b32 %%f7, %%r22;
                fma.rn.f32 %%f1, %%f6, %%f4, %%f1;
                fma.rn.f32 %%f1, %%f7, %%f5, %%f1;
                add.u32 %%r4, %%r4, %%r3;
                setp.lt.u32 %%p1, %%r4, %3$d;
                @%%p1 bra LOOP;
                """.formatted(2 * inputs, 2L * outputs * inputs, inputs / 2) + sumOfBlock("%f1") + """
                setp.eq.u32 %%p4, %%r1, 0;
                mul.wide.u32 %%rd7, %%r2, 4;
                add.s64 %%rd8, %%rd9, %%rd7;
                @%%p4 st.global.f32 [%%rd8+%1$d], %%f1;
                """.formatted(2L * outputs * inputs + 4L * inputs));
    }

    /// ggml-org/llama.cpp pull request 15131, 2025: 0.96 TFLOP/s on an RTX 3090 Ti, `mul_mat_vec` of bf16, m = 4096, k = 14336; 256 threads. The 3090
    /// that is modelled has 936 of its 1008 GB/s.
    @Test
    void matrixVector_ofLlamaCpp_onRtx3090() {
        int outputs = 4096;
        int inputs = 14_336;
        double modelled = model(DeviceModel.RTX3090, matrixVector(outputs, inputs), LaunchConfiguration.of(outputs, 256),
                2L * outputs * inputs + 4L * inputs + 4L * outputs);

        assertClose(2.0 * outputs * inputs / 0.96e6 * 1008 / 936, modelled);
    }

    /// Tiles of 128 x 256 by two warpgroups of `wgmma`, three stages of 64 inputs, which one thread fills by bulk copies.
    private static String groupedTile(int steps, int tilesAcross, int tilesDown) {
        int left = 128 * 64 * 2;
        int right = 256 * 64 * 2;
        String sums = IntStream.range(0, 128).mapToObj(i -> "%f" + i).collect(Collectors.joining(", ", "{", "}"));
        StringBuilder products = new StringBuilder();
        for (int k = 0; k < 4; k++) {
            products.append("add.s64 %%rd12, %%rd10, %1$d; add.s64 %%rd13, %%rd11, %1$d;%n".formatted(2 * k))
                    .append("wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 ").append(sums)
                    .append(", %rd12, %rd13, %p5, 1, 1, 0, 0;\n");
        }
        StringBuilder zeros = new StringBuilder();
        StringBuilder stores = new StringBuilder();
        for (int i = 0; i < 128; i++) {
            zeros.append("mov.f32 %%f%d, 0f00000000;%n".formatted(i));
        }
        for (int i = 0; i < 128; i += 2) {
            stores.append("cvt.rn.bf16x2.f32 %%r40, %%f%d, %%f%d; st.global.u32 [%%rd20+%d], %%r40;%n".formatted(i + 1, i, i * 768));
        }
        return """
                .version 8.0
                .target sm_90a
                .address_size 64
                .extern .shared .align 1024 .b8 stages[];
                .visible .entry test(.param .u64 p0)
                {
                .reg .pred %%p<8>;
                .reg .b32 %%r<48>;
                .reg .f32 %%f<128>;
                .reg .b64 %%rd<24>;
                .shared .align 8 .b8 bars[48];
                ld.param.u64 %%rd1, [p0];
                mov.u32 %%r1, %%tid.x;
                mov.u32 %%r2, %%ctaid.x;
                div.u32 %%r3, %%r2, %1$d;
                rem.u32 %%r4, %%r2, %1$d;
                mul.wide.u32 %%rd2, %%r3, %2$d;
                mul.wide.u32 %%rd3, %%r4, %3$d;
                add.s64 %%rd2, %%rd1, %%rd2;
                add.s64 %%rd3, %%rd1, %%rd3;
                add.s64 %%rd3, %%rd3, %4$d;
                mov.u32 %%r10, stages;
                mov.u32 %%r11, bars;
                setp.ne.u32 %%p1, %%r1, 0;
                @%%p1 bra READY;
                mbarrier.init.shared.b64 [bars], 1;
                mbarrier.init.shared.b64 [bars+8], 1;
                mbarrier.init.shared.b64 [bars+16], 1;
                mbarrier.init.shared.b64 [bars+24], 8;
                mbarrier.init.shared.b64 [bars+32], 8;
                mbarrier.init.shared.b64 [bars+40], 8;
                READY:
                bar.sync 0;
                mov.u32 %%r20, 0;
                mov.u32 %%r21, 0;
                mov.u32 %%r22, 0;
                shr.u32 %%r5, %%r1, 7;
                setp.gt.u32 %%p2, %%r5, 0;
                @%%p2 bra MULTIPLY;
                @%%p1 bra DONE;
                FEED:
                xor.b32 %%r23, %%r21, 1;
                mad.lo.u32 %%r24, %%r20, 8, %%r11;
                mad.lo.u32 %%r26, %%r20, 49152, %%r10;
                add.u32 %%r27, %%r26, 16384;
                EMPTY:
                mbarrier.try_wait.parity.shared.b64 %%p3, [%%r24+24], %%r23;
                @!%%p3 bra EMPTY;
                mbarrier.arrive.expect_tx.shared.b64 %%rd9, [%%r24], 49152;
                cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%%r26], [%%rd2], 16384, [%%r24];
                cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%%r27], [%%rd3], 32768, [%%r24];
                add.s64 %%rd2, %%rd2, 16384;
                add.s64 %%rd3, %%rd3, 32768;
                add.u32 %%r20, %%r20, 1;
                setp.eq.u32 %%p4, %%r20, 3;
                selp.u32 %%r20, 0, %%r20, %%p4;
                @%%p4 xor.b32 %%r21, %%r21, 1;
                add.u32 %%r22, %%r22, 1;
                setp.lt.u32 %%p4, %%r22, %5$d;
                @%%p4 bra FEED;
                bra DONE;
                MULTIPLY:
                %6$s
                setp.eq.u32 %%p5, %%r1, %%r1;
                and.b32 %%r6, %%r1, 31;
                setp.eq.u32 %%p6, %%r6, 0;
                sub.u32 %%r7, %%r5, 1;
                USE:
                mad.lo.u32 %%r24, %%r20, 8, %%r11;
                mad.lo.u32 %%r26, %%r20, 49152, %%r10;
                add.u32 %%r27, %%r26, 16384;
                mad.lo.u32 %%r26, %%r7, 8192, %%r26;
                FULL:
                mbarrier.try_wait.parity.shared.b64 %%p3, [%%r24], %%r21;
                @!%%p3 bra FULL;
                shr.u32 %%r28, %%r26, 4;
                shr.u32 %%r29, %%r27, 4;
                cvt.u64.u32 %%rd10, %%r28;
                cvt.u64.u32 %%rd11, %%r29;
                add.s64 %%rd10, %%rd10, 0x4000004000010000;
                add.s64 %%rd11, %%rd11, 0x4000004000010000;
                wgmma.fence.sync.aligned;
                %7$s
                wgmma.commit_group.sync.aligned;
                wgmma.wait_group.sync.aligned 0;
                @%%p6 mbarrier.arrive.shared.b64 %%rd9, [%%r24+24];
                add.u32 %%r20, %%r20, 1;
                setp.eq.u32 %%p4, %%r20, 3;
                selp.u32 %%r20, 0, %%r20, %%p4;
                @%%p4 xor.b32 %%r21, %%r21, 1;
                add.u32 %%r22, %%r22, 1;
                setp.lt.u32 %%p4, %%r22, %5$d;
                @%%p4 bra USE;
                mul.wide.u32 %%rd20, %%r2, 65536;
                mul.wide.u32 %%rd21, %%r1, 4;
                add.s64 %%rd20, %%rd20, %%rd21;
                add.s64 %%rd20, %%rd20, %%rd1;
                add.s64 %%rd20, %%rd20, %8$d;
                %9$s
                DONE:
                ret;
                }
                """.formatted(tilesAcross, left * steps, right * steps, (long) tilesDown * left * steps, steps, zeros, products,
                ((long) tilesDown * left + (long) tilesAcross * right) * steps, stores);
    }

    /// P. Shah, pranjalssh/fast.cu, 2024: 1376 us on an H100 SXM for 8192 x 8192 x 8192 in bf16 (kernel 7, whose clusters are left out: its
    /// kernel 6, without, takes 1414 us). Modelled with 512 and 1024 inputs; each further input takes as long as those between.
    @Test
    void matmul_ofFastCu_onH100() {
        int down = 64;
        int across = 32;
        double[] modelled = new double[2];
        for (int i = 0; i < 2; i++) {
            int steps = 8 << i;
            long bytes = ((long) down * 16384 + across * 32768L) * steps + (long) down * across * 65536 + (1 << 20);
            modelled[i] = model(DeviceModel.H100, groupedTile(steps, across, down),
                    LaunchConfiguration.of(down * across, 384).withDynamicSharedBytes(3 * 49152), bytes);
        }
        assertClose(1376, modelled[1] + (modelled[1] - modelled[0]) * (128 - 16) / 8);
    }
}
