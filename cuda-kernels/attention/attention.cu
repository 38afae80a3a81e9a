// Attention over a cache of f16: see attention.cuh.
#include "attention.cuh"

ATTENTION_KERNELS(f16)
