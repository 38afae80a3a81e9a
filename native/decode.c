/*
 * Stored elements to floats, for every type of enum gatun_type: what org.gatun.quantize.Codec defines, in C. Used for rows of
 * an embedding table and for matrices whose type has no kernel of its own.
 *
 * Layouts (little-endian, f16 scales): Q8_0 d, s8[32]: d·q. Q4_0 d, 16 bytes of nibbles, low ones first: d·(q - 8). Q4_1 d, m:
 * d·q + m. Q5_0 and Q5_1 have 32 fifth bits before the nibbles. Q4_K, Q5_K: d, dmin, eight 6-bit scales and minimums in
 * 12 bytes. Q6_K: 128 low nibbles, 64 bytes of high pairs, 16 s8 scales, d.
 */
#include <string.h>

#include "kernels.h"

static float half_to_float(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 31;
    uint32_t mantissa = half & 1023;
    uint32_t bits;
    if (exponent == 31) {
        bits = sign | 0x7f800000 | mantissa << 13;
    } else if (exponent != 0) {
        bits = sign | (exponent + 112) << 23 | mantissa << 13;
    } else {
        float value = (float)mantissa * 0x1p-24f;
        memcpy(&bits, &value, 4);
        bits |= sign;
    }
    float result;
    memcpy(&result, &bits, 4);
    return result;
}

static uint16_t read16(const uint8_t *source) {
    return (uint16_t)(source[0] | source[1] << 8);
}

static float read_half(const uint8_t *source) {
    return half_to_float(read16(source));
}

/* Bytes and elements of a block, by type. */
static const struct {
    int32_t elements;
    int32_t bytes;
} blocks[GATUN_TYPES] = {
    [GATUN_F32] = {1, 4}, [GATUN_F16] = {1, 2}, [GATUN_BF16] = {1, 2}, [GATUN_Q4_0] = {32, 18}, [GATUN_Q4_1] = {32, 20},
    [GATUN_Q5_0] = {32, 22}, [GATUN_Q5_1] = {32, 24}, [GATUN_Q8_0] = {32, 34}, [GATUN_Q4_K] = {256, 144},
    [GATUN_Q5_K] = {256, 176}, [GATUN_Q6_K] = {256, 210},
};

int64_t gatun_file_bytes(int32_t type, int64_t elements) {
    return elements / blocks[type].elements * blocks[type].bytes;
}

static void decode_4_or_5_bits(int32_t type, const uint8_t *block, float *target) {
    float scale = read_half(block);
    int with_minimum = type == GATUN_Q4_1 || type == GATUN_Q5_1;
    int five_bits = type == GATUN_Q5_0 || type == GATUN_Q5_1;
    float minimum = with_minimum ? read_half(block + 2) : 0;
    const uint8_t *fifth = block + (with_minimum ? 4 : 2);
    const uint8_t *nibbles = fifth + (five_bits ? 4 : 0);
    int middle = with_minimum ? 0 : five_bits ? 16 : 8;
    for (int i = 0; i < 32; i++) {
        int code = i < 16 ? nibbles[i] & 15 : nibbles[i - 16] >> 4;
        if (five_bits) {
            code |= (fifth[i / 8] >> i % 8 & 1) << 4;
        }
        target[i] = scale * (float)(code - middle) + minimum;
    }
}

static void decode_q4_k_or_q5_k(int32_t type, const uint8_t *block, float *target) {
    float scale = read_half(block);
    float minimum = read_half(block + 2);
    const uint8_t *packed = block + 4;
    const uint8_t *fifth = block + 16;
    const uint8_t *nibbles = block + (type == GATUN_Q5_K ? 48 : 16);
    for (int part = 0; part < 8; part++) {
        int sub_scale;
        int sub_minimum;
        if (part < 4) {
            sub_scale = packed[part] & 63;
            sub_minimum = packed[part + 4] & 63;
        } else {
            sub_scale = (packed[part + 4] & 15) | packed[part - 4] >> 6 << 4;
            sub_minimum = packed[part + 4] >> 4 | packed[part] >> 6 << 4;
        }
        for (int i = 0; i < 32; i++) {
            int byte = nibbles[part / 2 * 32 + i];
            int code = part % 2 == 0 ? byte & 15 : byte >> 4;
            if (type == GATUN_Q5_K) {
                code |= (fifth[i] >> part & 1) << 4;
            }
            target[part * 32 + i] = scale * (float)sub_scale * (float)code - minimum * (float)sub_minimum;
        }
    }
}

static void decode_q6_k(const uint8_t *block, float *target) {
    float scale = read_half(block + 208);
    for (int i = 0; i < 256; i++) {
        int half = i / 128;
        int quarter = i % 128 / 32;
        int place = i % 32;
        int low = block[half * 64 + quarter % 2 * 32 + place];
        int high = block[128 + half * 32 + place] >> 2 * quarter & 3;
        int code = (quarter < 2 ? low & 15 : low >> 4) | high << 4;
        int8_t sub_scale = (int8_t)block[192 + i / 16];
        target[i] = scale * (float)sub_scale * (float)(code - 32);
    }
}

static void decode_block(int32_t type, const uint8_t *block, float *target) {
    switch (type) {
        case GATUN_F32:
            memcpy(target, block, 4);
            break;
        case GATUN_F16:
            *target = read_half(block);
            break;
        case GATUN_BF16: {
            uint32_t bits = (uint32_t)read16(block) << 16;
            memcpy(target, &bits, 4);
            break;
        }
        case GATUN_Q8_0:
            for (int i = 0; i < 32; i++) {
                target[i] = read_half(block) * (float)(int8_t)block[2 + i];
            }
            break;
        case GATUN_Q4_K:
        case GATUN_Q5_K:
            decode_q4_k_or_q5_k(type, block, target);
            break;
        case GATUN_Q6_K:
            decode_q6_k(block, target);
            break;
        default:
            decode_4_or_5_bits(type, block, target);
    }
}

void gatun_decode(int32_t type, const uint8_t *source, float *target, int64_t elements) {
    for (int64_t done = 0; done < elements; done += blocks[type].elements) {
        decode_block(type, source, target + done);
        source += blocks[type].bytes;
    }
}
