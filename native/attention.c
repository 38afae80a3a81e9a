/*
 * out[row, head] = softmax(scale · q · Kᵀ) · V over the slots that the row sees: all committed ones inside the window, and of
 * the pass's own rows itself and its ancestors.
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

/* Sums kept in registers together: of query heads, by blocks of 16 slots or vectors of 16 elements. */
enum { HEADS = 4, BLOCKS = 2, VECTORS = 2 };

struct cache {
    const uint8_t *keys;
    const uint8_t *values;
    int64_t slots;
    int64_t head_dim;
    int half;
};

static struct cache cache_of(const struct gatun_kv *kv, int64_t layer, int64_t kv_head) {
    int64_t offset = (layer * kv->kv_heads + kv_head) * kv->slots * kv->head_dim * (kv->half ? 2 : 4);
    return (struct cache){(const uint8_t *)kv->keys + offset, (const uint8_t *)kv->values + offset, kv->slots, kv->head_dim,
        kv->half};
}

INLINE floats elements_at(const uint8_t *memory, int64_t index, const int half) {
    return half ? from_halves((const uint16_t *)memory + index) : load((const float *)memory + index);
}

/* Scores of `blocks` times 16 slots; several sums at once hide the latency of each. */
INLINE void score_slots(const struct cache *cache, const float *queries, float *scores, int64_t stride, int64_t slot, float scale,
    const int heads, const int blocks, const int half) {
    floats sum[HEADS][BLOCKS] = {0};
    for (int64_t i = 0; i < cache->head_dim; i++) {
#pragma GCC unroll 4
        for (int block = 0; block < blocks; block++) {
            floats key = elements_at(cache->keys, (slot + block * GATUN_LANES) * cache->head_dim + i * GATUN_LANES, half);
#pragma GCC unroll 4
            for (int head = 0; head < heads; head++) {
                sum[head][block] = multiply_add(key, splat(queries[head * cache->head_dim + i]), sum[head][block]);
            }
        }
    }
    for (int head = 0; head < heads; head++) {
        for (int block = 0; block < blocks; block++) {
            store(scores + head * stride + slot + block * GATUN_LANES, sum[head][block] * scale);
        }
    }
}

INLINE void score_heads(const struct cache *cache, const float *queries, float *scores, int64_t stride, int64_t from,
    int64_t to, float scale, const int heads, const int half) {
    int64_t slot = from;
    for (; slot + BLOCKS * GATUN_LANES <= to; slot += BLOCKS * GATUN_LANES) {
        score_slots(cache, queries, scores, stride, slot, scale, heads, BLOCKS, half);
    }
    for (; slot < to; slot += GATUN_LANES) {
        score_slots(cache, queries, scores, stride, slot, scale, heads, 1, half);
    }
}

/* Elements i .. i + 16 · vectors - 1 of the heads, or as many as there are. */
INLINE void sum_elements(const struct cache *cache, const float *weights, int64_t stride, const int32_t *slots, int64_t count,
    const float *factors, float *out, int64_t i, const int heads, const int vectors, const int half) {
    floats sum[HEADS][VECTORS] = {0};
    for (int64_t rank = 0; rank < count; rank++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            floats value = elements_at(cache->values, slots[rank] * cache->head_dim + i + v * GATUN_LANES, half);
#pragma GCC unroll 4
            for (int head = 0; head < heads; head++) {
                sum[head][v] = multiply_add(value, splat(weights[head * stride + rank]), sum[head][v]);
            }
        }
    }
    for (int head = 0; head < heads; head++) {
        for (int v = 0; v < vectors; v++) {
            floats result = sum[head][v] * factors[head];
            float *target = out + head * cache->head_dim + i + v * GATUN_LANES;
            int64_t left = cache->head_dim - i - v * GATUN_LANES;
            memcpy(target, &result, (size_t)(left < GATUN_LANES ? left : GATUN_LANES) * sizeof *target);
        }
    }
}

INLINE void sum_values(const struct cache *cache, const float *weights, int64_t stride, const int32_t *slots, int64_t count,
    const float *factors, float *out, const int heads, const int half) {
    int64_t i = 0;
    for (; i + VECTORS * GATUN_LANES <= cache->head_dim; i += VECTORS * GATUN_LANES) {
        sum_elements(cache, weights, stride, slots, count, factors, out, i, heads, VECTORS, half);
    }
    for (; i < cache->head_dim; i += GATUN_LANES) {
        sum_elements(cache, weights, stride, slots, count, factors, out, i, heads, 1, half);
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
    for (int64_t rank = 0; rank < count; rank += GATUN_LANES) {
        floats score = load(scores + rank);
        largest = larger(score, largest);
    }
    float maximum = largest_of(largest);
    floats sum = {0};
    for (int64_t rank = 0; rank < count; rank += GATUN_LANES) {
        floats weight = exponential(load(scores + rank) - maximum);
        store(scores + rank, weight);
        sum += weight;
    }
    return 1 / sum_of(sum);
}

static int64_t visible_slots(const struct gatun_pass *pass, int64_t row, int32_t window, int32_t *slots) {
    int64_t count = 0;
    row += pass->first;
    int32_t oldest = window == 0 ? 0 : pass->positions[row] - window + 1;
    for (int32_t slot = oldest < 0 ? 0 : oldest; slot < pass->committed; slot++) {
        slots[count++] = slot;
    }
    for (int32_t other = 0; other < pass->first + pass->rows; other++) {
        int sees = pass->ancestors == NULL ? other <= row
            : pass->ancestors[row * pass->ancestor_words + other / 64] >> other % 64 & 1;
        if (sees && pass->positions[other] >= oldest) {
            slots[count++] = pass->committed + other;
        }
    }
    return count;
}

INLINE void attend(const struct gatun_command *command, const struct gatun_pass *pass, const struct cache *cache, int64_t row,
    int64_t kv_head, void *scratch, const int half) {
    const int64_t group = command->group;
    const int64_t stride = cache->slots;
    float *scores = scratch;
    float factors[HEADS];
    int32_t *slots = (int32_t *)(scores + HEADS * stride);
    int64_t count = visible_slots(pass, row, command->pairs, slots);
    int64_t first = slots[0] / GATUN_LANES * GATUN_LANES;
    int64_t end = slots[count - 1] + 1;
    for (int64_t done = 0; done < group; done += HEADS) {
        int heads = group - done < HEADS ? (int)(group - done) : HEADS;
        int64_t offset = row * command->width + (kv_head * group + done) * cache->head_dim;
        const float *queries = (const float *)command->in + offset;
        float *out = (float *)command->out + offset;
#define WITH(n) \
        score_heads(cache, queries, scores, stride, first, end, command->number, n, half); \
        for (int head = 0; head < n; head++) { \
            factors[head] = softmax(scores + head * stride, slots, count); \
        } \
        sum_values(cache, scores, stride, slots, count, factors, out, n, half)
        switch (heads) {
            case 1: WITH(1); break;
            case 2: WITH(2); break;
            case 3: WITH(3); break;
            default: WITH(4);
        }
#undef WITH
    }
}

static void NAME(gatun_attention)(const struct gatun_command *command, const struct gatun_pass *pass, const struct gatun_kv *kv,
    const struct share *share) {
    const int count = pass->rows * kv->kv_heads;
    /* Heads outermost, so that the rows of a prompt share the keys of a head while they are near. */
    for (int item; (item = atomic_fetch_add_explicit(share->next, 1, memory_order_relaxed)) < count;) {
        int kv_head = item / pass->rows;
        int row = item % pass->rows;
        struct cache cache = cache_of(kv, command->layer, kv_head);
        if (cache.half) {
            attend(command, pass, &cache, row, kv_head, share->scratch, 1);
        } else {
            attend(command, pass, &cache, row, kv_head, share->scratch, 0);
        }
    }
}

/* Keys go side by side with those of 15 other slots, values in a row. */
static void NAME(gatun_append_kv)(const struct gatun_command *command, const struct gatun_pass *pass, const struct gatun_kv *kv,
    const struct share *share) {
    const int64_t head_dim = kv->head_dim;
    int64_t from;
    int64_t to;
    part((int64_t)pass->rows * kv->kv_heads, share, &from, &to);
    for (int64_t item = from; item < to; item++) {
        int64_t row = item / kv->kv_heads;
        int64_t kv_head = item % kv->kv_heads;
        int64_t slot = pass->committed + pass->first + row;
        int64_t head = (command->layer * kv->kv_heads + kv_head) * (int64_t)kv->slots * head_dim;
        const float *key = (const float *)command->in + item * head_dim;
        const float *value = (const float *)command->aux + item * head_dim;
        int64_t key_at = head + slot / GATUN_LANES * GATUN_LANES * head_dim + slot % GATUN_LANES;
        int64_t value_at = head + slot * head_dim;
        for (int64_t i = 0; i < head_dim; i += GATUN_LANES) {
            int64_t left = head_dim - i < GATUN_LANES ? head_dim - i : GATUN_LANES;
            if (kv->half) {
                float padded[2][GATUN_LANES] = {0};
                uint16_t rounded[2][GATUN_LANES];
                memcpy(padded[0], key + i, (size_t)left * 4);
                memcpy(padded[1], value + i, (size_t)left * 4);
                to_halves(rounded[0], padded[0]);
                to_halves(rounded[1], padded[1]);
                for (int64_t j = 0; j < left; j++) {
                    ((uint16_t *)kv->keys)[key_at + (i + j) * GATUN_LANES] = rounded[0][j];
                }
                memcpy((uint16_t *)kv->values + value_at + i, rounded[1], (size_t)left * 2);
            } else {
                for (int64_t j = 0; j < left; j++) {
                    ((float *)kv->keys)[key_at + (i + j) * GATUN_LANES] = key[i + j];
                }
                memcpy((float *)kv->values + value_at + i, value + i, (size_t)left * 4);
            }
        }
    }
}
