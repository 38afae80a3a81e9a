/*
 * What a set of kernels offers to the interpreter: one table for each instruction set, filled by kernels.c, which is
 * compiled once for each. Every function does one thread's share of an op.
 */
#ifndef GATUN_KERNELS_H
#define GATUN_KERNELS_H

#include <stdatomic.h>
#include <stddef.h>

#include "gatun.h"

/* One thread's view of a running command. */
struct share {
    int32_t thread;
    int32_t threads;
    int32_t rows;               /* of the command: all or the selected ones */
    atomic_int *next;           /* first piece of work that nobody has taken */
    void *scratch;              /* this thread's own */
};

typedef void kernel(const struct gatun_command *command, const struct gatun_batch *batch, const struct share *share);

struct kernels {
    kernel *run[GATUN_OPS];
    /* Repacks the 16 outputs from `tile` · 16 on. */
    void (*pack)(int32_t type, int64_t outputs, int64_t inputs, int64_t tile, const uint8_t *source, uint8_t *target);
};

extern const struct kernels gatun_kernels_portable;
#if defined(__x86_64__)
extern const struct kernels gatun_kernels_avx2;
extern const struct kernels gatun_kernels_avx512;
#endif
#if defined(__aarch64__)
extern const struct kernels gatun_kernels_neon;
#endif

/* Of each `group` elements of a row `kept` are stored, all others are 0; group 0: all are stored. */
struct gatun_sparsity {
    int kept;
    int group;
};

/* Here, so that it is constant where a kernel is compiled for a type. */
static inline struct gatun_sparsity gatun_sparsity_of(int32_t type) {
    switch (type) {
        case GATUN_SPARSE_2_4_F16:
        case GATUN_SPARSE_2_4_INT8:
        case GATUN_SPARSE_2_4_NF4: return (struct gatun_sparsity){2, 4};
        case GATUN_SPARSE_1_4_F16: return (struct gatun_sparsity){1, 4};
        case GATUN_SPARSE_2_8_F16: return (struct gatun_sparsity){2, 8};
        case GATUN_SPARSE_4_8_F16: return (struct gatun_sparsity){4, 8};
        case GATUN_SPARSE_1_16_F16: return (struct gatun_sparsity){1, 16};
        case GATUN_SPARSE_2_16_F16: return (struct gatun_sparsity){2, 16};
        default: return (struct gatun_sparsity){0, 0};
    }
}

/* Decodes a row of `elements` elements from its bytes in a file; of types without a header also parts of a row. (decode.c) */
void gatun_decode(int32_t type, const uint8_t *source, float *target, int64_t elements);
/* Rounds to f16, to nearest even. (decode.c) */
void gatun_round_to_halves(uint16_t *target, const float *source, int64_t count);
/*
 * 32 elements of a quantized row as codes without sign, value = scale · (code - middle) + minimum; 8-bit codes plus 128. Of a
 * sparse type the 16 elements that are kept.
 */
struct gatun_codes {
    uint8_t codes[32];
    uint8_t places[16];     /* of kept elements, within their groups */
    uint16_t scales[2];     /* f16, of MXFP4 bf16; the second is for the second half where a type has two */
    uint16_t minimum;       /* f16 */
    float scale;            /* of types that have it in f32 */
};
/* Twice the numbers that codes of MXFP4 stand for. (decode.c) */
extern const int8_t gatun_mxfp4_codebook[16];
/* Reads block number `block` of 32 elements of a row of `elements`; those beyond the end are zeros. (decode.c) */
void gatun_read_codes(int32_t type, const uint8_t *row, int64_t elements, int64_t block, struct gatun_codes *result);
/*
 * The elements of such a block, of a type without sparsity and with scales of its blocks; of a type whose scales are rounded there
 * the exact ones come from `scales`. (decode.c)
 */
void gatun_decode_codes(int32_t type, const struct gatun_codes *read, const uint8_t *scales, int64_t block, float *target);
/* The f16 of kept element number `index` of a row, and its place within its group. (decode.c) */
uint16_t gatun_read_kept(int32_t type, const uint8_t *row, int64_t index, int *place);
/* Bytes of `elements` elements as stored in a file. (decode.c) */
int64_t gatun_file_bytes(int32_t type, int64_t elements);

/* The part of `total` that belongs to a thread, as [from, to). */
static inline void part(int64_t total, const struct share *share, int64_t *from, int64_t *to) {
    *from = total * share->thread / share->threads;
    *to = total * (share->thread + 1) / share->threads;
}

#endif
