// Attention over a cache of q8_0: see attention.cuh.
#include "attention.cuh"

ATTENTION_KERNELS(q8_0)
