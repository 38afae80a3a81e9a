package org.gatun.cuda;

import java.util.List;

/// Kernels that do nothing, for tests of what is around a launch.
final class TestKernels {
    static final String PTX = """
            .version 7.8
            .target sm_80
            .address_size 64

            .visible .entry mixed(
                .param .u64 mixed_param_0,
                .param .u64 mixed_param_1,
                .param .u64 mixed_param_2,
                .param .u64 mixed_param_3,
                .param .u32 mixed_param_4,
                .param .u32 mixed_param_5,
                .param .u32 mixed_param_6,
                .param .f32 mixed_param_7
            )
            {
                ret;
            }

            .visible .entry structured(
                .param .f64 structured_param_0,
                .param .align 64 .b8 structured_param_1[128]
            )
            {
                ret;
            }

            .visible .entry named(
                .param .align 8 .b8 named_param_0[32]
            )
            {
                ret;
            }

            .visible .entry empty()
            {
                ret;
            }
            """;

    /// What `named` takes.
    static final KernelStructure ARGUMENTS = new KernelStructure("NamedArguments", 32, List.of(
            new KernelStructure.Field("out", KernelParameter.Type.ADDRESS, 0),
            new KernelStructure.Field("scale", KernelParameter.Type.FLOAT, 8),
            new KernelStructure.Field("rows", KernelParameter.Type.BITS_32, 12),
            new KernelStructure.Field("bytes", KernelParameter.Type.BITS_64, 16),
            new KernelStructure.Field("bias", KernelParameter.Type.ADDRESS, 24)));

    private TestKernels() {}

    static CudaModule load(CudaContext context) {
        return context.load("test kernels", PTX);
    }
}
