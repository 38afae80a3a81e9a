// Attention of heads of 80 elements: see attention.cuh.
#include "attention.cuh"

ATTENTION_KERNELS(80)
