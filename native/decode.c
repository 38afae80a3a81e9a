/*
 * Stored elements to floats, for every type of enum gatun_type: what org.gatun.quantize.Codec defines, in C. Used for rows of
 * an embedding table, and to take quantized rows apart for repacking.
 *
 * Layouts (little-endian, f16 scales): Q8_0 d, s8[32]: d·q. Q4_0 d, 16 bytes of nibbles, low ones first: d·(q - 8). Q4_1 d, m:
 * d·q + m. Q5_0 and Q5_1 have 32 fifth bits before the nibbles. Q4_K, Q5_K: d, dmin, eight 6-bit scales and minimums in
 * 12 bytes. Q6_K: 128 low nibbles, 64 bytes of high pairs, 16 s8 scales, d. NF4, FP4: f32 scale, 32 bytes of nibbles, high ones
 * first: scale · codebook[code]. MXFP4: a byte e, 16 bytes of nibbles as in Q4_0: 2^(e - 127) · codebook[code]. INT8: f32 scale of the
 * row, s8 elements. Sparse types, a block of 64: the values that are kept, as f16, as in INT8 or as in NF4, then their places
 * within their groups, a stream of 2, 3 or 4 bits each.
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

/* Rounded to nearest even. */
static uint16_t float_to_half(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    uint32_t sign = bits >> 16 & 0x8000;
    uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) {
        return (uint16_t)(sign | 0x7e00);
    }
    if (magnitude >= 0x477ff000) {
        return (uint16_t)(sign | 0x7c00);
    }
    if (magnitude < 0x38800000) {
        float scaled;
        memcpy(&scaled, &magnitude, 4);
        scaled += 0.5f; /* the sum's last bits are the subnormal's, rounded */
        memcpy(&magnitude, &scaled, 4);
        return (uint16_t)(sign | (magnitude - 0x3f000000));
    }
    return (uint16_t)(sign | (magnitude + 0xc8000fff + (magnitude >> 13 & 1)) >> 13);
}

void gatun_round_to_halves(uint16_t *target, const float *source, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        target[i] = float_to_half(source[i]);
    }
}

static uint16_t read16(const uint8_t *source) {
    return (uint16_t)(source[0] | source[1] << 8);
}

static float bfloat_to_float(uint16_t source) {
    uint32_t bits = (uint32_t)source << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
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
    [GATUN_Q5_K] = {256, 176}, [GATUN_Q6_K] = {256, 210}, [GATUN_NF4] = {64, 36}, [GATUN_FP4] = {64, 36}, [GATUN_INT8] = {1, 1},
    [GATUN_SPARSE_2_4_F16] = {64, 72}, [GATUN_SPARSE_2_4_INT8] = {64, 40}, [GATUN_SPARSE_2_4_NF4] = {64, 28},
    [GATUN_SPARSE_1_4_F16] = {64, 36}, [GATUN_SPARSE_2_8_F16] = {64, 38}, [GATUN_SPARSE_4_8_F16] = {64, 76},
    [GATUN_SPARSE_1_16_F16] = {64, 10}, [GATUN_SPARSE_2_16_F16] = {64, 20}, [GATUN_MXFP4] = {32, 17},
};

/* Bytes before the blocks of a row: of its scale. */
static int64_t header_bytes(int32_t type) {
    return type == GATUN_INT8 || type == GATUN_SPARSE_2_4_INT8 ? 4 : 0;
}

int64_t gatun_file_bytes(int32_t type, int64_t elements) {
    return header_bytes(type) + elements / blocks[type].elements * blocks[type].bytes;
}

static float read_float(const uint8_t *source) {
    float value;
    memcpy(&value, source, sizeof value);
    return value;
}

/* Place number `index` of a stream of `bits` bits each. */
static int read_place(const uint8_t *places, int64_t index, int bits) {
    int place = 0;
    for (int i = 0; i < bits; i++) {
        int64_t bit = index * bits + i;
        place |= (places[bit / 8] >> bit % 8 & 1) << i;
    }
    return place;
}

static int place_bits(int group) {
    return group == 4 ? 2 : group == 8 ? 3 : 4;
}

uint16_t gatun_read_kept(int32_t type, const uint8_t *row, int64_t index, int *place) {
    struct gatun_sparsity sparsity = gatun_sparsity_of(type);
    int64_t kept = 64 / sparsity.group * sparsity.kept;
    const uint8_t *block = row + index / kept * blocks[type].bytes;
    *place = read_place(block + 2 * kept, index % kept, place_bits(sparsity.group));
    return read16(block + 2 * (index % kept));
}

/* Codes of two a byte, the first in the high half. */
static void read_nibbles(const uint8_t *nibbles, int count, uint8_t *codes) {
    for (int i = 0; i < count; i++) {
        codes[i] = i % 2 == 0 ? nibbles[i / 2] >> 4 : nibbles[i / 2] & 15;
    }
}

/* One half of a sparse block whose values are bytes or codes of four bits. */
static void read_sparse_codes(int32_t type, const uint8_t *block, int half, struct gatun_codes *result) {
    const uint8_t *places = block + blocks[type].bytes - 8 + 4 * half;
    for (int i = 0; i < 16; i++) {
        result->places[i] = (uint8_t)read_place(places, i, 2);
    }
    if (type == GATUN_SPARSE_2_4_NF4) {
        result->scale = read_float(block);
        read_nibbles(block + 4 + 8 * half, 16, result->codes);
    } else {
        memcpy(result->codes, block + 16 * half, 16);
    }
}

const int8_t gatun_mxfp4_codebook[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* Codes of MXFP4 and, as bf16, half their scale, 2^(e - 128): the unit of the codebook. Two of them have too few bits for an exponent. */
static void read_mxfp4(const uint8_t *block, struct gatun_codes *result) {
    result->scales[0] = (uint16_t)(*block < 2 ? 0x20 << *block : (*block - 1) << 7);
    for (int i = 0; i < 16; i++) {
        result->codes[i] = block[1 + i] & 15;
        result->codes[i + 16] = block[1 + i] >> 4;
    }
}

/* Codes, scale and minimum of a block of 4 or 5 bits. */
static void read_4_or_5_bits(int32_t type, const uint8_t *block, struct gatun_codes *result) {
    int with_minimum = type == GATUN_Q4_1 || type == GATUN_Q5_1;
    int five_bits = type == GATUN_Q5_0 || type == GATUN_Q5_1;
    const uint8_t *fifth = block + (with_minimum ? 4 : 2);
    const uint8_t *nibbles = fifth + (five_bits ? 4 : 0);
    result->scales[0] = read16(block);
    result->minimum = with_minimum ? read16(block + 2) : 0;
    for (int i = 0; i < 16; i++) {
        result->codes[i] = nibbles[i] & 15;
        result->codes[i + 16] = nibbles[i] >> 4;
    }
    for (int i = 0; i < 32 && five_bits; i++) {
        result->codes[i] |= (uint8_t)((fifth[i / 8] >> i % 8 & 1) << 4);
    }
}

int64_t gatun_scale_bytes(int32_t type) {
    switch (type) {
        case GATUN_Q4_K:
        case GATUN_Q5_K: return 16;
        case GATUN_Q6_K: return 18;
        case GATUN_F32:
        case GATUN_F16:
        case GATUN_BF16:
        case GATUN_Q8_0:
        case GATUN_Q4_0:
        case GATUN_Q4_1:
        case GATUN_Q5_0:
        case GATUN_Q5_1:
        case GATUN_MXFP4: return 0;
        default: return -1;
    }
}

/* Where they lie in a block. */
static const uint8_t *scales_of(int32_t type, const uint8_t *block) {
    return type == GATUN_Q6_K ? block + 192 : block;
}

void gatun_take_scales(int32_t type, int64_t elements, const void *source, void *target) {
    const int64_t bytes = gatun_scale_bytes(type);
    for (int64_t block = 0; block < elements / 256; block++) {
        memcpy((uint8_t *)target + block * bytes, scales_of(type, (const uint8_t *)source + block * blocks[type].bytes), (size_t)bytes);
    }
}

/* Scales of the halves of one of the eight parts of a block, and its minimum, before they are rounded to halves. */
static void read_scales(int32_t type, const uint8_t *source, int part, float *scales, float *minimum) {
    if (type == GATUN_Q6_K) {
        for (int i = 0; i < 2; i++) {
            scales[i] = read_half(source + 16) * (float)(int8_t)source[2 * part + i];
        }
        *minimum = 0;
        return;
    }
    const uint8_t *packed = source + 4;
    int six_bits;
    int six_bits_of_minimum;
    if (part < 4) {
        six_bits = packed[part] & 63;
        six_bits_of_minimum = packed[part + 4] & 63;
    } else {
        six_bits = (packed[part + 4] & 15) | packed[part - 4] >> 6 << 4;
        six_bits_of_minimum = packed[part + 4] >> 4 | packed[part] >> 6 << 4;
    }
    scales[0] = read_half(source) * (float)six_bits;
    scales[1] = scales[0];
    *minimum = -read_half(source + 2) * (float)six_bits_of_minimum;
}

/* Codes of one of the eight parts of a block. */
static void read_k_4_or_5(int32_t type, const uint8_t *block, int part, uint8_t *codes) {
    const uint8_t *fifth = block + 16;
    const uint8_t *nibbles = block + (type == GATUN_Q5_K ? 48 : 16) + part / 2 * 32;
    for (int i = 0; i < 32; i++) {
        codes[i] = part % 2 == 0 ? nibbles[i] & 15 : nibbles[i] >> 4;
    }
    for (int i = 0; i < 32 && type == GATUN_Q5_K; i++) {
        codes[i] |= (uint8_t)((fifth[i] >> part & 1) << 4);
    }
}

static void read_q6_k(const uint8_t *block, int part, uint8_t *codes) {
    int half = part / 4;
    int quarter = part % 4;
    const uint8_t *low = block + half * 64 + quarter % 2 * 32;
    const uint8_t *high = block + 128 + half * 32;
    for (int i = 0; i < 32; i++) {
        codes[i] = (uint8_t)((quarter < 2 ? low[i] & 15 : low[i] >> 4) | (high[i] >> 2 * quarter & 3) << 4);
    }
}

void gatun_read_codes(int32_t type, const uint8_t *row, int64_t elements, int64_t block, struct gatun_codes *result) {
    const uint8_t *source = row + header_bytes(type) + block * 32 / blocks[type].elements * blocks[type].bytes;
    int part = (int)(block % 8);
    float scales[2];
    float minimum;
    switch (type) {
        case GATUN_INT8:
            result->scale = read_float(row);
            for (int64_t i = 0; i < 32; i++) {
                result->codes[i] = block * 32 + i < elements ? source[i] ^ 0x80 : 0x80;
            }
            break;
        case GATUN_NF4:
        case GATUN_FP4:
            result->scale = read_float(source);
            read_nibbles(source + 4 + block % 2 * 16, 32, result->codes);
            break;
        case GATUN_MXFP4:
            read_mxfp4(source, result);
            break;
        case GATUN_SPARSE_2_4_INT8:
            result->scale = read_float(row);
            read_sparse_codes(type, source, (int)(block % 2), result);
            break;
        case GATUN_SPARSE_2_4_NF4:
            read_sparse_codes(type, source, (int)(block % 2), result);
            break;
        case GATUN_Q8_0:
            result->scales[0] = read16(source);
            for (int i = 0; i < 32; i++) {
                result->codes[i] = source[2 + i] ^ 0x80;
            }
            break;
        case GATUN_Q4_K:
        case GATUN_Q5_K:
        case GATUN_Q6_K:
            if (type == GATUN_Q6_K) {
                read_q6_k(source, part, result->codes);
            } else {
                read_k_4_or_5(type, source, part, result->codes);
            }
            read_scales(type, scales_of(type, source), part, scales, &minimum);
            gatun_round_to_halves(result->scales, scales, 2);
            result->minimum = float_to_half(minimum);
            break;
        default:
            read_4_or_5_bits(type, source, result);
    }
}

void gatun_decode_codes(int32_t type, const struct gatun_codes *read, const uint8_t *scales, int64_t block, float *target) {
    switch (type) {
        case GATUN_Q8_0:
            for (int i = 0; i < 32; i++) {
                target[i] = half_to_float(read->scales[0]) * (float)(int8_t)(read->codes[i] ^ 0x80);
            }
            break;
        case GATUN_MXFP4:
            for (int i = 0; i < 32; i++) {
                target[i] = bfloat_to_float(read->scales[0]) * gatun_mxfp4_codebook[read->codes[i]];
            }
            break;
        case GATUN_Q4_K:
        case GATUN_Q5_K:
        case GATUN_Q6_K: {
            float factors[2];
            float minimum;
            read_scales(type, scales, (int)(block % 8), factors, &minimum);
            for (int i = 0; i < 32; i++) {
                target[i] = factors[i / 16] * (float)(read->codes[i] - (type == GATUN_Q6_K ? 32 : 0)) + minimum;
            }
            break;
        }
        default: {
            int middle = type == GATUN_Q4_0 ? 8 : type == GATUN_Q5_0 ? 16 : 0;
            for (int i = 0; i < 32; i++) {
                target[i] = half_to_float(read->scales[0]) * (float)(read->codes[i] - middle) + half_to_float(read->minimum);
            }
        }
    }
}

static const float nf4_codebook[16] = {-1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f,
    -0.18477343022823334f, -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f,
    0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f};
static const float fp4_codebook[16] = {0, 0.0052083333f, 0.6666666667f, 1, 0.3333333333f, 0.5f, 0.1666666667f, 0.25f, -0.0f,
    -0.0052083333f, -0.6666666667f, -1, -0.3333333333f, -0.5f, -0.1666666667f, -0.25f};

static void decode_sparse(int32_t type, const uint8_t *block, float *target) {
    struct gatun_sparsity sparsity = gatun_sparsity_of(type);
    memset(target, 0, 64 * sizeof *target);
    for (int i = 0; i < 64 / sparsity.group * sparsity.kept; i++) {
        int place;
        float value;
        if (type == GATUN_SPARSE_2_4_INT8 || type == GATUN_SPARSE_2_4_NF4) {
            struct gatun_codes read;
            read_sparse_codes(type, block, i / 16, &read);
            uint8_t code = read.codes[i % 16];
            value = type == GATUN_SPARSE_2_4_NF4 ? read.scale * nf4_codebook[code] : (float)(int8_t)code;
            place = read.places[i % 16];
        } else {
            value = half_to_float(gatun_read_kept(type, block, i, &place));
        }
        target[i / sparsity.kept * sparsity.group + place] = value;
    }
}

static void decode_block(int32_t type, const uint8_t *block, float *target) {
    switch (type) {
        case GATUN_NF4:
        case GATUN_FP4: {
            uint8_t codes[64];
            read_nibbles(block + 4, 64, codes);
            for (int i = 0; i < 64; i++) {
                target[i] = read_float(block) * (type == GATUN_NF4 ? nf4_codebook : fp4_codebook)[codes[i]];
            }
            break;
        }
        case GATUN_INT8:
            *target = (float)(int8_t)*block;
            break;
        case GATUN_SPARSE_2_4_F16:
        case GATUN_SPARSE_2_4_INT8:
        case GATUN_SPARSE_2_4_NF4:
        case GATUN_SPARSE_1_4_F16:
        case GATUN_SPARSE_2_8_F16:
        case GATUN_SPARSE_4_8_F16:
        case GATUN_SPARSE_1_16_F16:
        case GATUN_SPARSE_2_16_F16:
            decode_sparse(type, block, target);
            break;
        case GATUN_F32:
            memcpy(target, block, 4);
            break;
        case GATUN_F16:
            *target = read_half(block);
            break;
        case GATUN_BF16:
            *target = bfloat_to_float(read16(block));
            break;
        default:
            for (int part = 0; part < blocks[type].elements / 32; part++) {
                struct gatun_codes read;
                gatun_read_codes(type, block, blocks[type].elements, part, &read);
                gatun_decode_codes(type, &read, scales_of(type, block), part, target + 32 * part);
            }
    }
}

void gatun_decode(int32_t type, const uint8_t *source, float *target, int64_t elements) {
    const uint8_t *block = source + header_bytes(type);
    for (int64_t done = 0; done < elements; done += blocks[type].elements) {
        decode_block(type, block, target + done);
        block += blocks[type].bytes;
    }
    for (int64_t i = 0; i < elements && header_bytes(type) != 0; i++) {
        target[i] *= read_float(source);
    }
}
