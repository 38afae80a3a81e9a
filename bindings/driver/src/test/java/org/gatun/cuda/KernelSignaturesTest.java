package org.gatun.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;
import org.gatun.cuda.KernelParameter.Type;
import org.junit.jupiter.api.Test;

class KernelSignaturesTest {
    @Test
    void of_everyType_readsSizesAndAlignments() {
        Map<String, List<KernelParameter>> signatures = KernelSignatures.of("""
                .version 7.8
                .visible .entry all(
                    .param .u8 all_param_0, .param .s16 all_param_1, .param .b32 all_param_2, .param .u32 all_param_3,
                    .param .s64 all_param_4, .param .f32 all_param_5, .param .f64 all_param_6,
                    .param .align 64 .b8 all_param_7[128]
                )
                { ret; }
                """);
        assertEquals(List.of(new KernelParameter(Type.BITS_8, 1, 1), new KernelParameter(Type.BITS_16, 2, 2),
                new KernelParameter(Type.BITS_32, 4, 4), new KernelParameter(Type.BITS_32, 4, 4),
                new KernelParameter(Type.BITS_64, 8, 8), new KernelParameter(Type.FLOAT, 4, 4),
                new KernelParameter(Type.DOUBLE, 8, 8), new KernelParameter(Type.BYTES, 128, 64)), signatures.get("all"));
    }

    @Test
    void of_pointerAttributes_readsAnAddress() {
        assertEquals(List.of(new KernelParameter(Type.BITS_64, 8, 8), new KernelParameter(Type.BITS_32, 4, 4)),
                KernelSignatures.of(".entry k(.param .u64 .ptr .global .align 16 k_0, .param .u32 k_1) { }").get("k"));
    }

    @Test
    void of_comments_ignoresThem() {
        assertEquals(Map.of("k", List.of(new KernelParameter(Type.BITS_32, 4, 4))), KernelSignatures.of("""
                // .entry line(.param .u32 a)
                /* .entry block(.param .u32 a)
                   .entry more() */
                .entry k( // one, (really)
                    .param .u32 k_param_0 /* , .param .u64 no */
                ) { ret; }
                """));
    }

    @Test
    void of_noParameters_isEmpty() {
        assertEquals(Map.of("bare", List.of(), "braced", List.of()),
                KernelSignatures.of(".entry bare { ret; } .visible .entry braced() .maxntid 32, 1, 1 { ret; }"));
    }

    @Test
    void of_noPtx_isEmpty() {
        assertEquals(Map.of(), KernelSignatures.of("not PTX at all"));
    }
}
