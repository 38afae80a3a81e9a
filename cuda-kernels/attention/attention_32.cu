// Attention of heads of 32 elements: see attention.cuh.
#include "attention.cuh"

ATTENTION_KERNELS(32)
