/* All kernels of one instruction set: the families below, and the table that the interpreter calls them through. */
#include "matmul.c"
#include "int8.c"
#include "attention.c"
#include "elementwise.c"

const struct kernels NAME(gatun_kernels) = {
    .run = {
        [GATUN_EMBED] = NAME(gatun_embed),
        [GATUN_RMS_NORM] = NAME(gatun_rms_norm),
        [GATUN_QUANTIZE] = NAME(gatun_quantize),
        [GATUN_QUANTIZE_ROWS] = NAME(gatun_quantize_rows),
        [GATUN_MATMUL] = NAME(gatun_matmul),
        [GATUN_ROPE_TABLE] = NAME(gatun_rope_table),
        [GATUN_ROPE] = NAME(gatun_rope),
        [GATUN_APPEND_KV] = NAME(gatun_append_kv),
        [GATUN_ATTENTION] = NAME(gatun_attention),
        [GATUN_ELEMENTWISE] = NAME(gatun_elementwise),
        [GATUN_SELECT_ROWS] = NAME(gatun_select_rows),
    },
    .pack = NAME(gatun_pack_tile),
};
