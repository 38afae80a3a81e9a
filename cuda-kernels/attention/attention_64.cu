// Attention of heads of 64 elements: see attention.cuh.
#include "attention.cuh"

ATTENTION_KERNELS(64)
