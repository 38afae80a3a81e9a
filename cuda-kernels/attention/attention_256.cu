// Attention of heads of 256 elements: see attention.cuh.
#include "attention.cuh"

ATTENTION_KERNELS(256)
