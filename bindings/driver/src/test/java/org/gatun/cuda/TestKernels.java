package org.gatun.cuda;

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

            .visible .entry empty()
            {
                ret;
            }
            """;

    private TestKernels() {}

    static CudaModule load(CudaContext context) {
        return context.load("test kernels", PTX);
    }
}
