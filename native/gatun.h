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
    GATUN_EMBED,
    GATUN_RMS_NORM,
    GATUN_QUANTIZE,
    GATUN_QUANTIZE_ROWS,
    GATUN_MATMUL,
    GATUN_ROPE_TABLE,
    GATUN_ROPE,
    GATUN_APPEND_KV,
    GATUN_ATTENTION,
    GATUN_ELEMENTWISE,
    GATUN_SELECT_ROWS,
    GATUN_OPS
};

/* out[rows, width] = table[token], or given[row] where the token is -1. */
struct gatun_embed {
    const void *table;          /* as stored in a file, or repacked as for gatun_matmul */
    const void *scales;         /* what gatun_take_scales took, of a repacked table whose type has them */
    const float *given;         /* [rows, width], or null */
    float *out;
    int32_t width;
    int32_t type;
    int32_t packed;             /* 1 if the table is repacked */
};

/* out[rows, width] = in / sqrt(mean of in² + epsilon) · gain, over each `group` elements of a row. */
struct gatun_rms_norm {
    const float *in;
    const float *gain;          /* [group] */
    float *out;
    int32_t width;
    int32_t group;
    float epsilon;
};

/* in[rows, width] rounded to 8 bits, with a scale each 32 elements. */
struct gatun_quantize {
    const float *in;
    struct gatun_rounded *out;
    int32_t width;
};

/* in[rows, width] rounded to 8 bits, with a scale each row; laid out as gatun_int8_rows_bytes says. */
struct gatun_quantize_rows {
    const float *in;
    void *out;
    int32_t width;
    float outlier_magnitude;    /* elements from this on are left as they are; may be infinite */
};

/* out[rows, outputs] = in[rows, inputs] · weights[outputs, inputs] + bias. */
struct gatun_matmul {
    const void *in;             /* f32 for weights that are f32, f16 or bf16; for others as gatun_quantize, or _rows, left it */
    const void *weights;        /* repacked */
    const float *bias;          /* [outputs], or null */
    float *out;
    int32_t outputs;
    int32_t inputs;
    int32_t type;
    int32_t row_scales;         /* 1 if `in` is of gatun_quantize_rows; type INT8 only */
};

/* out[rows, 2, pairs]: cosines, then sines, of position · frequency, times the factor. */
struct gatun_rope_table {
    const float *frequencies;   /* [pairs] */
    float *out;
    int32_t pairs;
    float factor;
};

/* out[rows, width]: the first `pairs` pairs of each head of `in` turned by the angles of the table. */
struct gatun_rope {
    const float *in;
    const float *table;         /* as gatun_rope_table left it */
    float *out;
    int32_t width;
    int32_t head_dim;
    int32_t pairs;
    int32_t interleaved;        /* 1: elements 2 i and 2 i + 1 are a pair; 0: i and i + pairs */
};

/* Rows of keys and values, [rows, kv_heads, head_dim] each, to their slots. */
struct gatun_append_kv {
    const float *keys;
    const float *values;
    int32_t layer;
};

/* out[rows, heads, head_dim] = softmax(scale · queries · keys) · values, over the slots that a row attends to. */
struct gatun_attention {
    const float *queries;       /* [rows, heads, head_dim] */
    float *out;
    int32_t width;              /* heads · head_dim */
    int32_t layer;
    int32_t group;              /* query heads of a head of keys and values */
    int32_t window;             /* positions that a row looks back on, its own included; 0: all */
    float scale;
};

enum gatun_elementwise_kind {
    GATUN_ADD,                  /* a + b */
    GATUN_SWIGLU                /* a · sigmoid(a) · b */
};

/* out[rows, width] of a and b. */
struct gatun_elementwise {
    const float *a;
    const float *b;
    float *out;
    int32_t width;
    int32_t kind;               /* enum gatun_elementwise_kind */
};

/* out[selected, width] = in[selected[i]]. */
struct gatun_select_rows {
    const float *in;
    float *out;
    int32_t width;
};

/* Set in gatun_command.flags. */
enum {
    GATUN_SYNC = 1,     /* wait for all threads before: something that this command touches may still be in use */
    GATUN_SELECTED = 2  /* works on the selected rows, not on all */
};

/* One op of a plan: its operands are those of the struct that is called as the op. */
struct gatun_command {
    int32_t op;                 /* enum gatun_op */
    int32_t flags;
    union {
        struct gatun_embed embed;
        struct gatun_rms_norm rms_norm;
        struct gatun_quantize quantize;
        struct gatun_quantize_rows quantize_rows;
        struct gatun_matmul matmul;
        struct gatun_rope_table rope_table;
        struct gatun_rope rope;
        struct gatun_append_kv append_kv;
        struct gatun_attention attention;
        struct gatun_elementwise elementwise;
        struct gatun_select_rows select_rows;
    };
};

/* Operands are pointers, then numbers of 4 bytes, and nothing lies between them: so Java writes them one behind the other. */
#define GATUN_OPERANDS(op, pointers, numbers) \
    _Static_assert(sizeof(struct gatun_##op) == (8 * (pointers) + 4 * (numbers) + 7) / 8 * 8, "operands of " #op)
GATUN_OPERANDS(embed, 4, 3);
GATUN_OPERANDS(rms_norm, 3, 3);
GATUN_OPERANDS(quantize, 2, 1);
GATUN_OPERANDS(quantize_rows, 2, 2);
GATUN_OPERANDS(matmul, 4, 4);
GATUN_OPERANDS(rope_table, 2, 2);
GATUN_OPERANDS(rope, 3, 4);
GATUN_OPERANDS(append_kv, 2, 1);
GATUN_OPERANDS(attention, 2, 5);
GATUN_OPERANDS(elementwise, 3, 2);
GATUN_OPERANDS(select_rows, 2, 1);
_Static_assert(sizeof(struct gatun_command) == 56, "the largest operands, of matmul, behind op and flags");

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
