/*
 * out[row, head] = softmax(scale · q · Kᵀ) · V over the slots that the row attends to: all committed ones inside the window, and of
 * the segment's own rows itself and its ancestors; or ranges of slots.
 *
 * The visible slots of a row, in order, are runs of neighbours in a page. Then three steps a row and key-value head, for the query heads
 * that share it:
 *   1 scores by rank, that is by number among the visible slots: 16 slots side by side, each a sum over the head in order of its elements;
 *   2 exact maximum; weights e^(score - maximum); their sum by rank;
 *   3 out = Σ weight · value in order of rank, divided by the sum.
 * So nothing depends on where a visible key lies, only on the order of the keys: a path of a tree gives the bits of a chain, and any
 * pages those of any others. Slots beside visible ones are read in step 1 (any bits are harmless there) and then left out.
 *
 * Work is shared by (row, key-value head), taken from a common counter. Scratch: scores [4][visible slots] f32, runs.
 */
#include <math.h>

#include "simd.h"

/* Sums kept in registers together: of query heads, by vectors of slots or elements. */
enum { HEADS = 4, VECTORS = PARTS == 1 ? 2 : PARTS };

/* A head of a layer in the pages of a segment. */
struct head {
    uint8_t *pages;         /* of the pool, from the keys of the head in the first on */
    const int32_t *table;   /* numbers of the segment's pages */
    int64_t page_bytes;
    int64_t values;         /* bytes between a page's keys and its values */
    int64_t scales;         /* of Q8_0: bytes between elements and their scales */
    int64_t head_dim;
    int64_t blocks;
};

/* Neighbouring slots of a page. */
struct run {
    int32_t slot;
    int32_t count;
};

static struct head head_of(const struct gatun_segment *segment, int64_t layer, int64_t kv_head) {
    const struct gatun_kv *kv = segment->kv;
    const struct gatun_kv_layer *in_page = &kv->layers[layer];
    const int64_t bytes = gatun_kv_head_bytes(kv->type, in_page->head_dim);
    return (struct head){kv->pages + in_page->offset + kv_head * bytes, segment->pages, kv->page_bytes, in_page->kv_heads * bytes,
        GATUN_PAGE * in_page->head_dim * gatun_kv_element_bytes(kv->type), in_page->head_dim,
        gatun_kv_blocks(kv->type, in_page->head_dim)};
}

/* The keys of the page that a slot is in. */
INLINE uint8_t *page_of(const struct head *head, int64_t slot) {
    return head->pages + head->table[slot / GATUN_PAGE] * head->page_bytes;
}

/* Of Q8_0 without the scales. */
INLINE floats elements_at(const uint8_t *memory, int64_t index, const int type) {
    switch (type) {
        case GATUN_F16: return from_halves((const uint16_t *)memory + index);
        case GATUN_BF16: return from_bfloats((const uint16_t *)memory + index);
        case GATUN_Q8_0: return from_codes((const int8_t *)memory + index);
        default: return load((const float *)memory + index);
    }
}

/* Scores of `vectors` vectors of slots of a page; several sums at once hide the latency of each. */
INLINE void score_slots(const struct head *head, const float *queries, const uint8_t *keys, int64_t slot, float *scores,
    int64_t stride, float scale, const int heads, const int vectors, const int type) {
    const int64_t step = type == GATUN_Q8_0 ? GATUN_BLOCK : head->head_dim; /* elements with the same scales */
    floats sum[HEADS][VECTORS] = {0};
    floats scales[VECTORS] = {0};
    for (int64_t start = 0; start < head->head_dim; start += step) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors && type == GATUN_Q8_0; v++) {
            int64_t first = slot + v * WIDTH;
            scales[v] = from_halves((const uint16_t *)(keys + head->scales)
                + (first / GATUN_LANES * head->blocks + start / GATUN_BLOCK) * GATUN_LANES + first % GATUN_LANES);
        }
        for (int64_t i = start; i < start + step && i < head->head_dim; i++) {
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) {
                int64_t first = slot + v * WIDTH;
                floats key = elements_at(keys, (first / GATUN_LANES * head->head_dim + i) * GATUN_LANES + first % GATUN_LANES, type);
                key = type == GATUN_Q8_0 ? key * scales[v] : key;
#pragma GCC unroll 4
                for (int query = 0; query < heads; query++) {
                    sum[query][v] = multiply_add(key, splat(queries[query * head->head_dim + i]), sum[query][v]);
                }
            }
        }
    }
#pragma GCC unroll 4
    for (int query = 0; query < heads; query++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            store(scores + query * stride + v * WIDTH, sum[query][v] * scale);
        }
    }
}

/* Scores of `count` slots of a page, from a multiple of 16 on. */
INLINE void score_groups(const struct head *head, const float *queries, const uint8_t *keys, int64_t slot, int64_t count,
    float *scores, int64_t stride, float scale, const int heads, const int type) {
    int64_t done = 0;
    for (; done + VECTORS * WIDTH <= count; done += VECTORS * WIDTH) {
        score_slots(head, queries, keys, slot + done, scores + done, stride, scale, heads, VECTORS, type);
    }
    for (; done < count; done += WIDTH) {
        score_slots(head, queries, keys, slot + done, scores + done, stride, scale, heads, 1, type);
    }
}

/* Scores of all runs, by rank. Of a group of 16 slots that is not visible as a whole they are taken from those of the group. */
INLINE void score_runs(const struct head *head, const float *queries, const struct run *runs, int64_t count, float *scores,
    int64_t stride, float scale, const int heads, const int type) {
    float group[HEADS * GATUN_LANES];
    int64_t grouped = -1; /* the group's first slot */
    for (int64_t run = 0; run < count; run++) {
        const uint8_t *keys = page_of(head, runs[run].slot);
        const int64_t end = runs[run].slot + runs[run].count;
        for (int64_t slot = runs[run].slot; slot < end;) {
            const int64_t lane = slot % GATUN_LANES;
            int64_t visible = (end - slot) / GATUN_LANES * GATUN_LANES;
            if (lane == 0 && visible > 0) {
                score_groups(head, queries, keys, slot % GATUN_PAGE, visible, scores, stride, scale, heads, type);
            } else {
                if (slot - lane != grouped) {
                    grouped = slot - lane;
                    score_groups(head, queries, keys, grouped % GATUN_PAGE, GATUN_LANES, group, GATUN_LANES, scale, heads, type);
                }
                visible = end - slot < GATUN_LANES - lane ? end - slot : GATUN_LANES - lane;
                for (int query = 0; query < heads; query++) {
                    memcpy(scores + query * stride, group + query * GATUN_LANES + lane, (size_t)visible * sizeof *scores);
                }
            }
            slot += visible;
            scores += visible;
        }
    }
}

/* `vectors` vectors of elements of the heads, from element i on, or as many as there are. */
INLINE void sum_elements(const struct head *head, const struct run *runs, int64_t count, const float *weights, int64_t stride,
    const float *factors, float *out, int64_t i, const int heads, const int vectors, const int type) {
    floats sum[HEADS][VECTORS] = {0};
    for (int64_t run = 0; run < count; run++) {
        const uint8_t *values = page_of(head, runs[run].slot) + head->values;
        const int64_t first = runs[run].slot % GATUN_PAGE;
        for (int64_t slot = first; slot < first + runs[run].count; slot++, weights++) {
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) {
                floats value = elements_at(values, slot * head->head_dim + i + v * WIDTH, type);
                if (type == GATUN_Q8_0) {
                    value *= from_half(((const uint16_t *)(values + head->scales))[slot * head->blocks + (i + v * WIDTH) / GATUN_BLOCK]);
                }
#pragma GCC unroll 4
                for (int query = 0; query < heads; query++) {
                    sum[query][v] = multiply_add(value, splat(weights[query * stride]), sum[query][v]);
                }
            }
        }
    }
#pragma GCC unroll 4
    for (int query = 0; query < heads; query++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            floats result = sum[query][v] * factors[query];
            float *target = out + query * head->head_dim + i + v * WIDTH;
            int64_t left = head->head_dim - i - v * WIDTH;
            memcpy(target, &result, (size_t)(left < WIDTH ? left : WIDTH) * sizeof *target);
        }
    }
}

INLINE void sum_values(const struct head *head, const struct run *runs, int64_t count, const float *weights, int64_t stride,
    const float *factors, float *out, const int heads, const int type) {
    int64_t i = 0;
    for (; i + VECTORS * WIDTH <= head->head_dim; i += VECTORS * WIDTH) {
        sum_elements(head, runs, count, weights, stride, factors, out, i, heads, VECTORS, type);
    }
    for (; i < head->head_dim; i += WIDTH) {
        sum_elements(head, runs, count, weights, stride, factors, out, i, heads, 1, type);
    }
}

/* Turns scores into weights; returns the inverse of their sum. */
static float softmax(float *scores, int64_t count) {
    floats largest = splat(-INFINITY);
    for (int64_t rank = count; rank % GATUN_LANES != 0; rank++) {
        scores[rank] = -INFINITY;
    }
    for (int64_t rank = 0; rank < count; rank += WIDTH) {
        floats score = load(scores + rank);
        largest = larger(score, largest);
    }
    float maximum = largest_of(largest);
    floats sum[PARTS] = {{0}};
    for (int64_t rank = 0; rank < count; rank += GATUN_LANES) {
#pragma GCC unroll 4
        for (int p = 0; p < PARTS; p++) {
            floats weight = exponential(load(scores + rank + p * WIDTH) - maximum);
            store(scores + rank + p * WIDTH, weight);
            sum[p] += weight;
        }
    }
    return 1 / sum_of(sum);
}

/* Adds slots [from, to) to runs; returns how many there are then. */
static int64_t add_run(struct run *runs, int64_t count, int32_t from, int32_t to) {
    while (from < to) {
        int32_t left = GATUN_PAGE - from % GATUN_PAGE;
        int32_t added = to - from < left ? to - from : left;
        if (count > 0 && from % GATUN_PAGE != 0 && runs[count - 1].slot + runs[count - 1].count == from) {
            runs[count - 1].count += added;
        } else {
            runs[count++] = (struct run){from, added};
        }
        from += added;
    }
    return count;
}

/* The runs that a row attends to. row: of the segment, those run before included; window: only of a segment without ranges */
static int64_t visible_runs(const struct gatun_segment *segment, int64_t row, int32_t window, struct run *runs) {
    if (segment->ranges != NULL) {
        int64_t count = 0;
        for (int32_t i = 0; i < segment->range_count; i++) {
            const int32_t *range = segment->ranges + 2 * i;
            count = range[0] >= 0 ? add_run(runs, count, range[0], range[1])
                : add_run(runs, count, segment->first_slot, segment->first_slot + segment->rows);
        }
        return count;
    }
    int32_t oldest = window == 0 ? 0 : segment->positions[row] - window + 1;
    int64_t count = add_run(runs, 0, oldest < 0 ? 0 : oldest, segment->committed);
    for (int32_t other = 0; other < segment->first + segment->rows; other++) {
        int attends = segment->mask_words == NULL ? other <= row
            : segment->mask_words[row * segment->mask_stride + other / 64] >> other % 64 & 1;
        if (attends && segment->positions[other] >= oldest) {
            count = add_run(runs, count, segment->committed + other, segment->committed + other + 1);
        }
    }
    return count;
}

INLINE void attend(const struct gatun_attention *attention, const struct gatun_segment *segment, const struct head *head, int64_t row,
    int64_t kv_head, void *scratch, const int type) {
    const int64_t group = attention->group;
    const int64_t stride = (segment->visible_slots + GATUN_LANES - 1) / GATUN_LANES * GATUN_LANES;
    float *scores = scratch;
    float factors[HEADS];
    struct run *runs = (struct run *)(scores + HEADS * stride);
    int64_t count = visible_runs(segment, segment->first + row - segment->row, attention->window, runs);
    int64_t slots = 0;
    for (int64_t run = 0; run < count; run++) {
        slots += runs[run].count;
    }
    for (int64_t done = 0; done < group; done += HEADS) {
        int heads = group - done < HEADS ? (int)(group - done) : HEADS;
        int64_t offset = row * attention->width + (kv_head * group + done) * head->head_dim;
        const float *queries = attention->queries + offset;
        float *out = attention->out + offset;
#define WITH(n) \
        score_runs(head, queries, runs, count, scores, stride, attention->scale, n, type); \
        for (int query = 0; query < n; query++) { \
            factors[query] = softmax(scores + query * stride, slots); \
        } \
        sum_values(head, runs, count, scores, stride, factors, out, n, type)
        switch (heads) {
            case 1: WITH(1); break;
            case 2: WITH(2); break;
            case 3: WITH(3); break;
            default: WITH(4);
        }
#undef WITH
    }
}

/* Of every pool of the batch. */
static int64_t kv_heads_of(const struct gatun_batch *batch, int32_t layer) {
    return batch->segments[0].kv->layers[layer].kv_heads;
}

static void NAME(gatun_attention)(const struct gatun_command *command, const struct gatun_batch *batch, const struct share *share) {
    const struct gatun_attention *attention = &command->attention;
    const int64_t count = batch->rows * kv_heads_of(batch, attention->layer);
    /* Heads outermost, so that the rows of a prompt share the keys of a head while they are near. */
    for (int64_t item; (item = atomic_fetch_add_explicit(share->next, 1, memory_order_relaxed)) < count;) {
        int64_t kv_head = item / batch->rows;
        int64_t row = item % batch->rows;
        const struct gatun_segment *segment = &batch->segments[batch->segment_of[row]];
        struct head head = head_of(segment, attention->layer, kv_head);
        switch (segment->kv->type) {
            case GATUN_F16: attend(attention, segment, &head, row, kv_head, share->scratch, GATUN_F16); break;
            case GATUN_BF16: attend(attention, segment, &head, row, kv_head, share->scratch, GATUN_BF16); break;
            case GATUN_Q8_0: attend(attention, segment, &head, row, kv_head, share->scratch, GATUN_Q8_0); break;
            default: attend(attention, segment, &head, row, kv_head, share->scratch, GATUN_F32);
        }
    }
}

/* Rounds a block to nearest: halves to even, of bytes away from zero; what lies beyond `count` is zero. Returns the scale of bytes. */
INLINE uint16_t round_block(const float *source, int64_t count, uint8_t *target, const int type) {
    float padded[GATUN_BLOCK] = {0};
    memcpy(padded, source, (size_t)count * sizeof *source);
    uint16_t scale = 0;
    switch (type) {
        case GATUN_F16:
            for (int i = 0; i < GATUN_BLOCK; i += WIDTH) {
                to_halves((uint16_t *)target + i, padded + i);
            }
            break;
        case GATUN_BF16:
            for (int i = 0; i < GATUN_BLOCK; i++) {
                uint32_t bits;
                memcpy(&bits, &padded[i], sizeof bits);
                ((uint16_t *)target)[i] = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
            }
            break;
        case GATUN_Q8_0: {
            float largest = 0;
            for (int i = 0; i < GATUN_BLOCK; i++) {
                largest = fabsf(padded[i]) > largest ? fabsf(padded[i]) : largest;
            }
            float unit = largest / 127;
            float inverse = unit > 0 ? 1 / unit : 0;
            for (int i = 0; i < GATUN_BLOCK; i++) {
                float code = roundf(padded[i] * inverse);
                ((int8_t *)target)[i] = fabsf(code) <= 127 ? (int8_t)code : 0; /* infinite elements have no code */
            }
            gatun_round_to_halves(&scale, &unit, 1);
            break;
        }
        default:
            memcpy(target, padded, sizeof padded);
    }
    return scale;
}

/* Keys go side by side with those of 15 other slots, values in a row. */
INLINE void append(const struct head *head, int64_t slot, const float *key, const float *value, const int type) {
    const int64_t size = gatun_kv_element_bytes(type);
    uint8_t *keys = page_of(head, slot);
    uint8_t *values = keys + head->values;
    slot %= GATUN_PAGE;
    const int64_t group = slot / GATUN_LANES;
    const int64_t lane = slot % GATUN_LANES;
    for (int64_t i = 0; i < head->head_dim; i += GATUN_BLOCK) {
        int64_t count = head->head_dim - i < GATUN_BLOCK ? head->head_dim - i : GATUN_BLOCK;
        _Alignas(4) uint8_t rounded[GATUN_BLOCK * 4];
        uint16_t key_scale = round_block(key + i, count, rounded, type);
        for (int64_t j = 0; j < count; j++) {
            memcpy(keys + ((group * head->head_dim + i + j) * GATUN_LANES + lane) * size, rounded + j * size, (size_t)size);
        }
        uint16_t value_scale = round_block(value + i, count, rounded, type);
        memcpy(values + (slot * head->head_dim + i) * size, rounded, (size_t)(count * size));
        if (type == GATUN_Q8_0) {
            ((uint16_t *)(keys + head->scales))[(group * head->blocks + i / GATUN_BLOCK) * GATUN_LANES + lane] = key_scale;
            ((uint16_t *)(values + head->scales))[slot * head->blocks + i / GATUN_BLOCK] = value_scale;
        }
    }
}

static void NAME(gatun_append_kv)(const struct gatun_command *command, const struct gatun_batch *batch, const struct share *share) {
    const struct gatun_append_kv *operands = &command->append_kv;
    const int64_t kv_heads = kv_heads_of(batch, operands->layer);
    int64_t from;
    int64_t to;
    part(batch->rows * kv_heads, share, &from, &to);
    for (int64_t item = from; item < to; item++) {
        int64_t row = item / kv_heads;
        const struct gatun_segment *segment = &batch->segments[batch->segment_of[row]];
        if (segment->first_slot < 0) {
            continue;
        }
        struct head head = head_of(segment, operands->layer, item % kv_heads);
        int64_t slot = segment->first_slot + segment->first + row - segment->row;
        const float *key = operands->keys + item * head.head_dim;
        const float *value = operands->values + item * head.head_dim;
        switch (segment->kv->type) {
            case GATUN_F16: append(&head, slot, key, value, GATUN_F16); break;
            case GATUN_BF16: append(&head, slot, key, value, GATUN_BF16); break;
            case GATUN_Q8_0: append(&head, slot, key, value, GATUN_Q8_0); break;
            default: append(&head, slot, key, value, GATUN_F32);
        }
    }
}
