// How tokens are sampled, what the rows of a pass follow, and the repetition penalty.
#pragma once

#include "counter_random.cuh"

constexpr int WINDOW = 64; // tokens that the repetition penalty looks at

// How tokens are sampled, SamplingRequest.java. Lists begin so many 32 bits behind the head of the buffer.
struct SamplingRequest {
    unsigned long long seed;
    double top_p;
    float temperature;
    float min_p;
    float repetition_penalty;
    float frequency_penalty;
    float presence_penalty;
    int top_k;
    int stream;
    int prompt_length; // tokens from this position on were generated
    int biases;        // how many
    int first_bias;
    int counts; // distinct tokens generated before the pass
    int first_count;
    int first_mask; // of each row: where its mask begins, or -1; -1 if no row has one
    int recent_tokens;
    int unused[2];
    int recent[WINDOW]; // the latest tokens before the pass, the last one last

    __device__ __forceinline__ RandomSource random() const {
        return {seed, stream};
    }

    __device__ __forceinline__ bool counts_tokens() const {
        return frequency_penalty != 0 || presence_penalty != 0;
    }
};

// What a row follows within the pass.
struct Path {
    const int* rows; // null in a chain
    int length;      // the row itself included

    __device__ __forceinline__ Path(const int* paths, const int* lengths, int stride, int row)
        : rows(paths == nullptr ? nullptr : paths + static_cast<long long>(row) * stride),
          length(paths == nullptr ? row + 1 : lengths[row]) {}

    __device__ __forceinline__ int operator[](int index) const {
        return rows == nullptr ? index : rows[index];
    }

    __device__ __forceinline__ int parent() const {
        return length < 2 ? -1 : (*this)[length - 2];
    }
};

// The tokens that the repetition penalty looks at, and their logits, in shared memory.
struct Window {
    int tokens[WINDOW];
    float logits[WINDOW];
};

// Penalises recent tokens in a part of the logits of a row, in place; what was there can be put back. Begins and ends with all threads
// of the block.
struct Penalty {
    int penalised = -1; // the token of this thread

    __device__ __forceinline__ Penalty(Window& window, float* logits, const SamplingRequest* request, const int* tokens, Path path, int from,
            int to) {
        if (request->repetition_penalty == 1 || from == to) {
            return;
        }
        const int before = request->recent_tokens;
        const int index = max(0, before + path.length - WINDOW) + threadIdx.x;
        if (threadIdx.x < WINDOW) {
            window.tokens[threadIdx.x] = index < before ? request->recent[index]
                    : index < before + path.length ? tokens[path[index - before]] : -1;
        }
        __syncthreads();
        if (threadIdx.x < WINDOW) {
            const int token = window.tokens[threadIdx.x];
            bool first = token >= from && token < to;
            for (int i = 0; i < threadIdx.x; i++) {
                first = first && window.tokens[i] != token;
            }
            if (first) {
                penalised = token;
                const float logit = logits[token];
                window.logits[threadIdx.x] = logit;
                logits[token] = logit > 0 ? __fdiv_rn(logit, request->repetition_penalty) : __fmul_rn(logit, request->repetition_penalty);
            }
        }
        __syncthreads();
    }

    __device__ __forceinline__ void undo(const Window& window, float* logits) const {
        __syncthreads();
        if (penalised >= 0) {
            logits[penalised] = window.logits[threadIdx.x];
        }
    }
};
