/*
 * The ops that touch each element once. Formulas and shapes are at the structs of gatun.h; all arithmetic is f32, sums over a row go
 * lane by lane in order of the elements, then over the lanes.
 */
#include <math.h>

#include "simd.h"

#define UNUSED(x) ((void)(x))

static void NAME(gatun_embed)(const struct gatun_command *command, const struct gatun_batch *batch, const struct share *share) {
    int64_t from;
    int64_t to;
    part(batch->rows, share, &from, &to);
    const struct gatun_embed *embed = &command->embed;
    const int64_t width = embed->width;
    for (int64_t row = from; row < to; row++) {
        const int64_t token = batch->tokens[row];
        float *out = embed->out + row * width;
        if (token < 0) {
            memcpy(out, embed->given + row * width, (size_t)width * sizeof *out);
        } else if (embed->packed) {
            decode_packed(embed->type, embed->table, embed->scales, token, out, width);
        } else {
            const uint8_t *table = embed->table;
            gatun_decode(embed->type, table + token * gatun_file_bytes(embed->type, width), out, width);
        }
    }
}

static void NAME(gatun_rms_norm)(const struct gatun_command *command, const struct gatun_batch *batch, const struct share *share) {
    UNUSED(batch);
    const struct gatun_rms_norm *norm = &command->rms_norm;
    const int64_t group = norm->group;
    const float *gain = norm->gain;
    int64_t from;
    int64_t to;
    part((int64_t)share->rows * (norm->width / group), share, &from, &to);
    for (int64_t i = from; i < to; i++) {
        const float *in = norm->in + i * group;
        float *out = norm->out + i * group;
        int64_t whole = group / GATUN_LANES * GATUN_LANES;
        floats squares[PARTS] = {{0}};
        for (int64_t k = 0; k < whole; k += GATUN_LANES) {
#pragma GCC unroll 4
            for (int p = 0; p < PARTS; p++) {
                floats value = load(in + k + p * WIDTH);
                squares[p] = multiply_add(value, value, squares[p]);
            }
        }
        float sum = sum_of(squares);
        for (int64_t k = whole; k < group; k++) {
            sum += in[k] * in[k];
        }
        float scale = 1 / sqrtf(sum / (float)group + norm->epsilon);
        for (int64_t k = 0; k < whole; k += WIDTH) {
            store(out + k, load(in + k) * scale * load(gain + k));
        }
        for (int64_t k = whole; k < group; k++) {
            out[k] = in[k] * scale * gain[k];
        }
    }
}

static void NAME(gatun_rope_table)(const struct gatun_command *command, const struct gatun_batch *batch, const struct share *share) {
    const struct gatun_rope_table *operands = &command->rope_table;
    const int64_t pairs = operands->pairs;
    const float *frequencies = operands->frequencies;
    int64_t from;
    int64_t to;
    part((int64_t)batch->rows * pairs, share, &from, &to);
    for (int64_t i = from; i < to; i++) {
        float angle = (float)batch->positions[i / pairs] * frequencies[i % pairs];
        float *table = operands->out + i / pairs * 2 * pairs + i % pairs;
        table[0] = (float)(cos(angle) * operands->factor);
        table[pairs] = (float)(sin(angle) * operands->factor);
    }
}

static void NAME(gatun_rope)(const struct gatun_command *command, const struct gatun_batch *batch, const struct share *share) {
    const struct gatun_rope *rope = &command->rope;
    const int64_t pairs = rope->pairs;
    const int64_t head_dim = rope->head_dim;
    const int64_t heads = rope->width / head_dim;
    const int interleaved = rope->interleaved;
    int64_t from;
    int64_t to;
    part((int64_t)batch->rows * heads, share, &from, &to);
    for (int64_t head = from; head < to; head++) {
        const float *cosines = rope->table + head / heads * 2 * pairs;
        const float *sines = cosines + pairs;
        const float *in = rope->in + head * head_dim;
        float *out = rope->out + head * head_dim;
        for (int64_t i = 0; i < pairs; i++) {
            int64_t first = interleaved ? 2 * i : i;
            int64_t second = interleaved ? 2 * i + 1 : i + pairs;
            float a = in[first];
            float b = in[second];
            out[first] = a * cosines[i] - b * sines[i];
            out[second] = a * sines[i] + b * cosines[i];
        }
        memmove(out + 2 * pairs, in + 2 * pairs, (size_t)(head_dim - 2 * pairs) * sizeof *out);
    }
}

/* A share in whole vectors; the last thread also has the ragged end. */
static void part_of_vectors(int64_t elements, const struct share *share, int64_t *from, int64_t *to) {
    part(elements / GATUN_LANES, share, from, to);
    *from *= GATUN_LANES;
    *to = share->thread == share->threads - 1 ? elements : *to * GATUN_LANES;
}

INLINE floats swiglu(floats gate, floats up) {
    /* e^-|g| never overflows: σ(g) = 1 / (1 + e^-g) for g ≥ 0, and e^g / (1 + e^g) below. */
    ints negative = gate < 0;
    floats power = exponential(choose(negative, gate, -gate));
    return gate * choose(negative, power, splat(1)) / (1 + power) * up;
}

INLINE floats elementwise(floats a, floats b, const int kind) {
    return kind == GATUN_ADD ? a + b : swiglu(a, b);
}

INLINE void map_elements(const struct gatun_elementwise *operands, const struct share *share, const int kind) {
    const float *a = operands->a;
    const float *b = operands->b;
    float *out = operands->out;
    int64_t from;
    int64_t to;
    part_of_vectors((int64_t)share->rows * operands->width, share, &from, &to);
    int64_t i = from;
    for (; i + WIDTH <= to; i += WIDTH) {
        store(out + i, elementwise(load(a + i), load(b + i), kind));
    }
    if (i < to) {
        floats last_a = {0};
        floats last_b = {0};
        memcpy(&last_a, a + i, (size_t)(to - i) * sizeof *a);
        memcpy(&last_b, b + i, (size_t)(to - i) * sizeof *b);
        floats result = elementwise(last_a, last_b, kind);
        memcpy(out + i, &result, (size_t)(to - i) * sizeof *out);
    }
}

static void NAME(gatun_elementwise)(const struct gatun_command *command, const struct gatun_batch *batch, const struct share *share) {
    UNUSED(batch);
    const struct gatun_elementwise *operands = &command->elementwise;
    switch (operands->kind) {
        case GATUN_ADD: map_elements(operands, share, GATUN_ADD); break;
        default: map_elements(operands, share, GATUN_SWIGLU);
    }
}

static void NAME(gatun_select_rows)(const struct gatun_command *command, const struct gatun_batch *batch, const struct share *share) {
    const struct gatun_select_rows *operands = &command->select_rows;
    const int64_t width = operands->width;
    int64_t from;
    int64_t to;
    part(batch->selected_rows, share, &from, &to);
    for (int64_t i = from; i < to; i++) {
        memcpy(operands->out + i * width, operands->in + batch->selected[i] * width, (size_t)width * sizeof(float));
    }
}
