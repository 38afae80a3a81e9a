// Attention of heads of 96 elements: see attention.cuh.
#include "attention.cuh"

ATTENTION_KERNELS(96)
