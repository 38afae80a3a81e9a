/*
 * out[row, head] = softmax(scale · q · Kᵀ) · V over the slots that the row attends to: all committed ones inside the window, and of
 * the segment's own rows itself and its ancestors.
 *
 * Three steps a row and key-value head, for the query heads that share it:
 *   1 scores of all slots, 16 side by side, each a sum over the head in order of its elements;
 *   2 the visible ones are listed in order of slot; exact maximum; weights e^(score - maximum); their sum by rank in the list;
 *   3 out = Σ weight · value in order of rank, divided by the sum.
 * So nothing depends on where in the cache a visible key lies, only on the order of the keys: a path of a tree gives the bits
 * of a chain. Slots that a row does not see are read in step 1 (any bits are harmless there) and then left out.
 *
 * Work is shared by (row, key-value head), taken from a common counter. Scratch: scores [4][slots] f32, visible slots [slots] s32.
 */
#include <math.h>

#include "simd.h"

/* Sums kept in registers together: of query heads, by vectors of slots or elements. */
enum { HEADS = 4, VECTORS = PARTS == 1 ? 2 : PARTS };

/* One head of a layer. */
struct cache {
    uint8_t *keys;
    uint8_t *values;
    uint16_t *key_scales;   /* of Q8_0 */
    uint16_t *value_scales;
    int64_t slots;
    int64_t head_dim;
    int64_t blocks;
};

static struct cache cache_of(const struct gatun_kv *kv, int64_t layer, int64_t kv_head) {
    int64_t offset = (layer * kv->kv_heads + kv_head) * gatun_kv_head_bytes(kv);
    int64_t scales = offset + (int64_t)kv->slots * kv->head_dim * gatun_kv_element_bytes(kv->type);
    return (struct cache){(uint8_t *)kv->keys + offset, (uint8_t *)kv->values + offset, (uint16_t *)((uint8_t *)kv->keys + scales),
        (uint16_t *)((uint8_t *)kv->values + scales), kv->slots, kv->head_dim, gatun_kv_blocks(kv)};
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

/* Scores of `vectors` vectors of slots; several sums at once hide the latency of each. */
INLINE void score_slots(const struct cache *cache, const float *queries, float *scores, int64_t stride, int64_t slot, float scale,
    const int heads, const int vectors, const int type) {
    const int64_t step = type == GATUN_Q8_0 ? GATUN_BLOCK : cache->head_dim; /* elements with the same scales */
    floats sum[HEADS][VECTORS] = {0};
    floats scales[VECTORS] = {0};
    for (int64_t start = 0; start < cache->head_dim; start += step) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors && type == GATUN_Q8_0; v++) {
            int64_t first = slot + v * WIDTH;
            scales[v] = from_halves(cache->key_scales
                + (first / GATUN_LANES * cache->blocks + start / GATUN_BLOCK) * GATUN_LANES + first % GATUN_LANES);
        }
        for (int64_t i = start; i < start + step && i < cache->head_dim; i++) {
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) {
                int64_t first = slot + v * WIDTH;
                floats key = elements_at(cache->keys,
                    (first / GATUN_LANES * cache->head_dim + i) * GATUN_LANES + first % GATUN_LANES, type);
                key = type == GATUN_Q8_0 ? key * scales[v] : key;
#pragma GCC unroll 4
                for (int head = 0; head < heads; head++) {
                    sum[head][v] = multiply_add(key, splat(queries[head * cache->head_dim + i]), sum[head][v]);
                }
            }
        }
    }
#pragma GCC unroll 4
    for (int head = 0; head < heads; head++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            store(scores + head * stride + slot + v * WIDTH, sum[head][v] * scale);
        }
    }
}

INLINE void score_heads(const struct cache *cache, const float *queries, float *scores, int64_t stride, int64_t from,
    int64_t to, float scale, const int heads, const int type) {
    int64_t slot = from;
    for (; slot + VECTORS * WIDTH <= to; slot += VECTORS * WIDTH) {
        score_slots(cache, queries, scores, stride, slot, scale, heads, VECTORS, type);
    }
    for (; slot < to; slot += WIDTH) {
        score_slots(cache, queries, scores, stride, slot, scale, heads, 1, type);
    }
}

/* `vectors` vectors of elements of the heads, from element i on, or as many as there are. */
INLINE void sum_elements(const struct cache *cache, const float *weights, int64_t stride, const int32_t *slots, int64_t count,
    const float *factors, float *out, int64_t i, const int heads, const int vectors, const int type) {
    floats sum[HEADS][VECTORS] = {0};
    for (int64_t rank = 0; rank < count; rank++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            floats value = elements_at(cache->values, slots[rank] * cache->head_dim + i + v * WIDTH, type);
            if (type == GATUN_Q8_0) {
                value *= from_half(cache->value_scales[slots[rank] * cache->blocks + (i + v * WIDTH) / GATUN_BLOCK]);
            }
#pragma GCC unroll 4
            for (int head = 0; head < heads; head++) {
                sum[head][v] = multiply_add(value, splat(weights[head * stride + rank]), sum[head][v]);
            }
        }
    }
#pragma GCC unroll 4
    for (int head = 0; head < heads; head++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            floats result = sum[head][v] * factors[head];
            float *target = out + head * cache->head_dim + i + v * WIDTH;
            int64_t left = cache->head_dim - i - v * WIDTH;
            memcpy(target, &result, (size_t)(left < WIDTH ? left : WIDTH) * sizeof *target);
        }
    }
}

INLINE void sum_values(const struct cache *cache, const float *weights, int64_t stride, const int32_t *slots, int64_t count,
    const float *factors, float *out, const int heads, const int type) {
    int64_t i = 0;
    for (; i + VECTORS * WIDTH <= cache->head_dim; i += VECTORS * WIDTH) {
        sum_elements(cache, weights, stride, slots, count, factors, out, i, heads, VECTORS, type);
    }
    for (; i < cache->head_dim; i += WIDTH) {
        sum_elements(cache, weights, stride, slots, count, factors, out, i, heads, 1, type);
    }
}

/* Moves the visible scores together, in order, and turns them into weights; returns the inverse of their sum. */
static float softmax(float *scores, const int32_t *slots, int64_t count) {
    floats largest = splat(-INFINITY);
    for (int64_t rank = 0; rank < count && slots[count - 1] != count - 1; rank++) {
        scores[rank] = scores[slots[rank]]; /* unless they stand together already */
    }
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

/* row: of the segment, those run before included */
static int64_t visible_slots(const struct gatun_segment *segment, int64_t row, int32_t window, int32_t *slots) {
    int64_t count = 0;
    int32_t oldest = window == 0 ? 0 : segment->positions[row] - window + 1;
    for (int32_t slot = oldest < 0 ? 0 : oldest; slot < segment->committed; slot++) {
        slots[count++] = slot;
    }
    for (int32_t other = 0; other < segment->first + segment->rows; other++) {
        int attends = segment->mask_words == NULL ? other <= row
            : segment->mask_words[row * segment->mask_stride + other / 64] >> other % 64 & 1;
        if (attends && segment->positions[other] >= oldest) {
            slots[count++] = segment->committed + other;
        }
    }
    return count;
}

INLINE void attend(const struct gatun_command *command, const struct gatun_segment *segment, const struct cache *cache, int64_t row,
    int64_t kv_head, void *scratch, const int type) {
    const int64_t group = command->group;
    const int64_t stride = cache->slots;
    float *scores = scratch;
    float factors[HEADS];
    int32_t *slots = (int32_t *)(scores + HEADS * stride);
    int64_t count = visible_slots(segment, segment->first + row - segment->row, command->pairs, slots);
    int64_t first = slots[0] / GATUN_LANES * GATUN_LANES;
    int64_t end = slots[count - 1] + 1;
    for (int64_t done = 0; done < group; done += HEADS) {
        int heads = group - done < HEADS ? (int)(group - done) : HEADS;
        int64_t offset = row * command->width + (kv_head * group + done) * cache->head_dim;
        const float *queries = (const float *)command->in + offset;
        float *out = (float *)command->out + offset;
#define WITH(n) \
        score_heads(cache, queries, scores, stride, first, end, command->number, n, type); \
        for (int head = 0; head < n; head++) { \
            factors[head] = softmax(scores + head * stride, slots, count); \
        } \
        sum_values(cache, scores, stride, slots, count, factors, out, n, type)
        switch (heads) {
            case 1: WITH(1); break;
            case 2: WITH(2); break;
            case 3: WITH(3); break;
            default: WITH(4);
        }
#undef WITH
    }
}

static void NAME(gatun_attention)(const struct gatun_command *command, const struct gatun_batch *batch, const struct share *share) {
    const int64_t count = (int64_t)batch->rows * share->kv_heads;
    /* Heads outermost, so that the rows of a prompt share the keys of a head while they are near. */
    for (int64_t item; (item = atomic_fetch_add_explicit(share->next, 1, memory_order_relaxed)) < count;) {
        int64_t kv_head = item / batch->rows;
        int64_t row = item % batch->rows;
        const struct gatun_segment *segment = &batch->segments[batch->segment_of[row]];
        struct cache cache = cache_of(segment->kv, command->layer, kv_head);
        switch (segment->kv->type) {
            case GATUN_F16: attend(command, segment, &cache, row, kv_head, share->scratch, GATUN_F16); break;
            case GATUN_BF16: attend(command, segment, &cache, row, kv_head, share->scratch, GATUN_BF16); break;
            case GATUN_Q8_0: attend(command, segment, &cache, row, kv_head, share->scratch, GATUN_Q8_0); break;
            default: attend(command, segment, &cache, row, kv_head, share->scratch, GATUN_F32);
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
INLINE void append(const struct cache *cache, int64_t slot, const float *key, const float *value, const int type) {
    const int64_t size = gatun_kv_element_bytes(type);
    const int64_t group = slot / GATUN_LANES;
    const int64_t lane = slot % GATUN_LANES;
    for (int64_t i = 0; i < cache->head_dim; i += GATUN_BLOCK) {
        int64_t count = cache->head_dim - i < GATUN_BLOCK ? cache->head_dim - i : GATUN_BLOCK;
        _Alignas(4) uint8_t rounded[GATUN_BLOCK * 4];
        uint16_t key_scale = round_block(key + i, count, rounded, type);
        for (int64_t j = 0; j < count; j++) {
            memcpy(cache->keys + ((group * cache->head_dim + i + j) * GATUN_LANES + lane) * size, rounded + j * size, (size_t)size);
        }
        uint16_t value_scale = round_block(value + i, count, rounded, type);
        memcpy(cache->values + (slot * cache->head_dim + i) * size, rounded, (size_t)(count * size));
        if (type == GATUN_Q8_0) {
            cache->key_scales[(group * cache->blocks + i / GATUN_BLOCK) * GATUN_LANES + lane] = key_scale;
            cache->value_scales[slot * cache->blocks + i / GATUN_BLOCK] = value_scale;
        }
    }
}

static void NAME(gatun_append_kv)(const struct gatun_command *command, const struct gatun_batch *batch, const struct share *share) {
    int64_t from;
    int64_t to;
    part((int64_t)batch->rows * share->kv_heads, share, &from, &to);
    for (int64_t item = from; item < to; item++) {
        int64_t row = item / share->kv_heads;
        const struct gatun_segment *segment = &batch->segments[batch->segment_of[row]];
        const struct gatun_kv *kv = segment->kv;
        struct cache cache = cache_of(kv, command->layer, item % share->kv_heads);
        int64_t slot = segment->committed + segment->first + row - segment->row;
        const float *key = (const float *)command->in + item * kv->head_dim;
        const float *value = (const float *)command->aux + item * kv->head_dim;
        switch (kv->type) {
            case GATUN_F16: append(&cache, slot, key, value, GATUN_F16); break;
            case GATUN_BF16: append(&cache, slot, key, value, GATUN_BF16); break;
            case GATUN_Q8_0: append(&cache, slot, key, value, GATUN_Q8_0); break;
            default: append(&cache, slot, key, value, GATUN_F32);
        }
    }
}
