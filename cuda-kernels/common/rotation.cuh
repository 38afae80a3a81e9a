// The rotation of a pair of elements by rotary position embedding.
#pragma once

struct Rotation {
    float cosine;
    float sine;
};

// The angle is f32(position) * inverse_frequency, rounded to f32, then reduced to a turn in f64, so that sine and cosine are right
// to 4e-7 at any position. Both are multiplied by factor.
__device__ __forceinline__ Rotation rotation(int position, float inverse_frequency, float factor) {
    constexpr double TURNS_A_RADIAN = 0.15915494309189535;
    const float angle = static_cast<float>(position) * inverse_frequency;
    const double turns = static_cast<double>(angle) * TURNS_A_RADIAN;
    Rotation result;
    sincospif(static_cast<float>(2 * (turns - rint(turns))), &result.sine, &result.cosine);
    result.cosine *= factor;
    result.sine *= factor;
    return result;
}

__device__ __forceinline__ float2 turn(float2 pair, Rotation by) {
    return {pair.x * by.cosine - pair.y * by.sine, pair.x * by.sine + pair.y * by.cosine};
}

// Which elements of a head form pair i.
struct Split {
    static __device__ __forceinline__ float2 load(const float* head, int i, int pairs) {
        return {head[i], head[i + pairs]};
    }

    template <typename T> static __device__ __forceinline__ void store(T* head, int i, int pairs, float2 pair) {
        head[i] = narrow<T>(pair.x);
        head[i + pairs] = narrow<T>(pair.y);
    }
};

struct Interleaved {
    static __device__ __forceinline__ float2 load(const float* head, int i, int) {
        return reinterpret_cast<const float2*>(head)[i];
    }

    template <typename T> static __device__ __forceinline__ void store(T* head, int i, int, float2 pair) {
        reinterpret_cast<Pack<T, 2>*>(head)[i] = {narrow<T>(pair.x), narrow<T>(pair.y)};
    }
};
