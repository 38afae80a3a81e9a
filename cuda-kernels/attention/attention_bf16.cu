// Attention over a cache of bf16: see attention.cuh.
#include "attention.cuh"

ATTENTION_KERNELS(bf16)
