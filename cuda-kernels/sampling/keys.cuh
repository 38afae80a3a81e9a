// Logits as whole numbers that order them: by value, then by falling id. -0 equals +0, NaN counts as minus infinity.
#pragma once

using Key = unsigned long long;

// Larger than 0, which stands for no element.
__device__ __forceinline__ Key key_of(float value, int id) {
    const float ordered = isnan(value) ? -INFINITY : value + 0.0f;
    const unsigned bits = __float_as_uint(ordered);
    const unsigned rising = bits ^ (bits >> 31 ? 0xffffffffu : 0x80000000u);
    return static_cast<Key>(rising) << 32 | ~static_cast<unsigned>(id);
}

__device__ __forceinline__ int id_of(Key key) {
    return static_cast<int>(~static_cast<unsigned>(key));
}

__device__ __forceinline__ float value_of(Key key) {
    const unsigned rising = static_cast<unsigned>(key >> 32);
    return __uint_as_float(rising ^ (rising >> 31 ? 0x80000000u : 0xffffffffu));
}
