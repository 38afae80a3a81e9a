// Attention of heads of 128 elements: see attention.cuh.
#include "attention.cuh"

ATTENTION_KERNELS(128)
