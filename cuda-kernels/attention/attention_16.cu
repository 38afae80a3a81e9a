// Attention of heads of 16 elements: see attention.cuh.
#include "attention.cuh"

ATTENTION_KERNELS(16)
