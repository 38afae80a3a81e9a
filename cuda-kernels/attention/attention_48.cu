// Attention of heads of 48 elements: see attention.cuh.
#include "attention.cuh"

ATTENTION_KERNELS(48)
