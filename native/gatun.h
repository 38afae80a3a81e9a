/*
 * What the Java side and the kernels share: the command buffer of a compiled plan, and the functions of the library.
 *
 * A plan is compiled by org.gatun.backend.cpu into an array of fixed-size commands; one call of gatun_run executes a pass,
 * with the threads of a pool. NativeLayout.java mirrors the structs; gatun_layout lets it check that both agree.
 *
 * Order of accumulation. Every result of a row is computed by the same sequence of operations whatever other rows the pass
 * has, however work is shared out between threads, and wherever in the KV cache the keys lie that the row attends to.
 *
 * Nothing here checks what it is given: sizes and ranges are checked in Java before the call.
 */
#ifndef GATUN_H
#define GATUN_H

#include <stdint.h>

/* Outputs of a matrix that are stored side by side, for the lanes of one vector or of several shorter ones. */
#define GATUN_LANES 16
/* Elements of a row of activations that share a scale when rounded to 8 bits; the block of Q8_0 and Q4_0. */
#define GATUN_BLOCK 32
/* Inputs after which a partial sum of floats is added to the total. */
#define GATUN_PANEL 256

/* How elements are stored; the order of org.gatun.tensor.DType is mapped to this in Java. */
enum gatun_type {
    GATUN_F32,
    GATUN_F16,
    GATUN_BF16,
    GATUN_Q4_0,
    GATUN_Q4_1,
    GATUN_Q5_0,
    GATUN_Q5_1,
    GATUN_Q8_0,
    GATUN_Q4_K,
    GATUN_Q5_K,
    GATUN_Q6_K,
    GATUN_NF4,
    GATUN_FP4,
    GATUN_INT8,
    GATUN_SPARSE_2_4_F16,
    GATUN_SPARSE_2_4_INT8,
    GATUN_SPARSE_2_4_NF4,
    GATUN_SPARSE_1_4_F16,
    GATUN_SPARSE_2_8_F16,
    GATUN_SPARSE_4_8_F16,
    GATUN_SPARSE_1_16_F16,
    GATUN_SPARSE_2_16_F16,
    GATUN_MXFP4,
    GATUN_TYPES
};

enum gatun_op {
    GATUN_EMBED,        /* out[rows, width] = table[token], or in[row] where that is -1  weights: file bytes, width, type; or as below */
    GATUN_RMS_NORM,     /* out[rows, width] from in, gain weights[group]             width, group, number epsilon          */
    GATUN_QUANTIZE,     /* out: 8-bit codes, scales and sums of in[rows, width]      width, and as below                   */
    GATUN_MATMUL,       /* out[rows, outputs] = in[rows, inputs] · weights + aux     width outputs, group inputs, type; pairs 1 if
                           activations have one scale a row, type INT8: then GATUN_QUANTIZE also has number, magnitude of outliers */
    GATUN_ROPE_TABLE,   /* out[rows, 2, pairs] = cos, sin of position · frequency    group pairs, weights frequencies, number factor */
    GATUN_ROPE,         /* out[rows, width] from in, table aux                       width, group headDim, pairs, type 1 if interleaved */
    GATUN_APPEND_KV,    /* keys in, values aux [rows, kvHeads, headDim] to the pages  layer                                */
    GATUN_ATTENTION,    /* out[rows, heads, headDim] from queries in                 layer, group heads, pairs window, number scale */
    GATUN_ELEMENTWISE,  /* out = in + aux, or in · sigmoid(in) · aux                 width, type of enum gatun_elementwise */
    GATUN_SELECT_ROWS   /* out[selected, width] = in[selected[i]]                    width                                 */
};

enum gatun_elementwise {
    GATUN_ADD,
    GATUN_SWIGLU
};

/* Set in gatun_command.flags. */
enum {
    GATUN_SYNC = 1,     /* wait for all threads before: something that this command touches may still be in use */
    GATUN_SELECTED = 2, /* works on the selected rows, not on all */
    GATUN_PACKED = 4    /* of GATUN_EMBED: weights are repacked as for GATUN_MATMUL, and aux is what gatun_take_scales took */
};

struct gatun_command {
    int32_t op;
    int32_t flags;
    int32_t type;
    int32_t width;
    int32_t group;
    int32_t pairs;
    int32_t layer;
    float number;
    const void *in;
    const void *aux;
    const void *weights;
    void *out;
};

struct gatun_kv;

/* The rows of one sequence, see org.gatun.backend.Segment: `rows` rows from row `first` on; those before were run by earlier passes. */
struct gatun_segment {
    const int32_t *positions;   /* [first + rows] */
    const uint64_t *mask_words; /* [first + rows, mask_stride]; null if it is no tree */
    const struct gatun_kv *kv;
    const int32_t *pages;       /* of the pool, in the order of the segment's slots */
    const int32_t *ranges;      /* [range_count, 2] first slot and the one behind the last, -1 twice for its own rows; or null */
    int32_t range_count;
    int32_t mask_stride;
    int32_t committed;
    int32_t first_slot;         /* of row 0; -1 if keys and values are not kept */
    int32_t visible_slots;      /* most that a row attends to */
    int32_t first;
    int32_t rows;
    int32_t row;                /* of the batch: the first to run */
};

/* One pass, see org.gatun.backend.Batch: the rows to run of all segments, one behind the other. */
struct gatun_batch {
    const int32_t *tokens;      /* [rows] */
    const int32_t *positions;   /* [rows] */
    const int32_t *selected;    /* [selected_rows] */
    const int32_t *segment_of;  /* [rows] */
    const struct gatun_segment *segments;
    int32_t rows;
    int32_t selected_rows;
};

/* Slots of a page of keys and values. */
#define GATUN_PAGE 64

/* A layer's part of each page. */
struct gatun_kv_layer {
    int64_t offset;             /* of its first byte in a page */
    int32_t kv_heads;
    int32_t head_dim;
};

/*
 * The pages of a pool, each with 64 slots of every layer:
 * keys   [kv_heads][4][head_dim][16]     slots side by side, so that scores need no sum over lanes
 * values [kv_heads][64][head_dim]
 * type: F32, F16, BF16 or Q8_0. Of Q8_0 these are signed bytes, and behind those of each head are f16 scales for its blocks of 32
 * elements, the last of which may be cut short:
 * keys   [4][blocks][16]
 * values [64][blocks]
 */
struct gatun_kv {
    uint8_t *pages;             /* [pages][page_bytes] */
    const struct gatun_kv_layer *layers;
    int64_t page_bytes;
    int32_t type;
    int32_t layer_count;
};

static inline int64_t gatun_kv_element_bytes(int32_t type) {
    return type == GATUN_F32 ? 4 : type == GATUN_Q8_0 ? 1 : 2;
}

/* Scales of a head of a slot. */
static inline int64_t gatun_kv_blocks(int32_t type, int64_t head_dim) {
    return type == GATUN_Q8_0 ? (head_dim + GATUN_BLOCK - 1) / GATUN_BLOCK : 0;
}

/* Of the keys, or the values, of a head in a page. */
static inline int64_t gatun_kv_head_bytes(int32_t type, int64_t head_dim) {
    return GATUN_PAGE * (head_dim * gatun_kv_element_bytes(type) + 2 * gatun_kv_blocks(type, head_dim));
}

/* 32 activations of a row rounded to 8 bits; a matrix is [rows][blocks] of them, the last of a row filled up with zeros. */
struct gatun_rounded {
    int8_t codes[GATUN_BLOCK];
    float scale;
    int32_t sums[2];    /* of the codes of each half */
};

static inline int64_t gatun_blocks(int64_t width) {
    return (width + GATUN_BLOCK - 1) / GATUN_BLOCK;
}

static inline int64_t gatun_quantized_bytes(int64_t rows, int64_t width) {
    return rows * gatun_blocks(width) * (int64_t)sizeof(struct gatun_rounded);
}

/*
 * The same with one scale a row: codes [rows, blocks, 32] s8, scales [rows] f32, sums [rows, blocks] s32, counts of outliers [rows]
 * s32; if the magnitude of outliers is finite also their places [rows, width] s32, and they themselves [rows, width] f32.
 */
static inline int64_t gatun_int8_rows_bytes(int64_t rows, int64_t width, int outliers) {
    return rows * (gatun_blocks(width) * (GATUN_BLOCK + 4) + 8 + (outliers ? 8 * width : 0));
}

struct gatun_pool;

#pragma GCC visibility push(default)


/* Sizes of the structs above and the library's own version, for the check in Java. */
int32_t gatun_layout(int32_t index);
/* Name of the best instruction set of this processor: "avx512", "avx2", "neon" or "portable"; static storage. */
const char *gatun_instruction_set(void);
/* Starts a pool of `threads` threads, the caller's included; null if it cannot, or the instruction set is not there. */
struct gatun_pool *gatun_pool_open(int32_t threads, const char *instruction_set);
void gatun_pool_close(struct gatun_pool *pool);
/*
 * Runs a pass, on the caller alone (`threads` 1) or on all threads of the pool. `scratch` is a block of gatun_scratch_bytes
 * bytes for `max_slots` slots, at least as many as a row of the batch attends to. Returns 0, or 1 if there was no memory. One pass of
 * a pool at a time.
 */
int32_t gatun_run(struct gatun_pool *pool, const struct gatun_command *commands, int32_t count, const struct gatun_batch *batch,
    int32_t max_slots, int32_t threads, void *scratch);
/* Bytes of scratch memory that gatun_run needs for rows that attend to `slots` slots. */
int64_t gatun_scratch_bytes(struct gatun_pool *pool, int32_t slots);
/*
 * Memory for weights, activations and caches, zero, page-aligned, taken from the machine only as it is touched; null if there
 * is not so much.
 */
void *gatun_allocate(int64_t bytes);
void gatun_free(void *memory, int64_t bytes);
/* Bytes of a matrix repacked for gatun_run. */
int64_t gatun_packed_bytes(int32_t type, int64_t outputs, int64_t inputs);
/* Repacks a matrix with the threads of the pool. */
void gatun_pack(struct gatun_pool *pool, int32_t type, int64_t outputs, int64_t inputs, const void *source, void *target);
/*
 * Bytes that gatun_take_scales takes for 256 elements of a type: 0 if a repacked matrix has all that it takes to decode its rows
 * exactly, -1 if they cannot be decoded.
 */
int64_t gatun_scale_bytes(int32_t type);
/* Copies the scales that repacking rounds, of so many elements as stored. */
void gatun_take_scales(int32_t type, int64_t elements, const void *source, void *target);
/* Copies the row of slot `from` to slot `to`, in every layer; slots are counted over all pages of the pool. */
void gatun_move(const struct gatun_kv *kv, int64_t from, int64_t to);
/* Copies a page. */
void gatun_copy_page(const struct gatun_kv *kv, int32_t from, int32_t to);

#pragma GCC visibility pop

#endif
