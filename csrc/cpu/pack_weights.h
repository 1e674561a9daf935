// Weights in the order the kernels read them, transformed in double and rounded once.
#pragma once

#include "buffer.h"

namespace esr {

// weight [out][in][3][3] -> [ceil(out / group)][36][in][group]; missing channels are zero.
Buffer pack_winograd(const double* weight, int out, int in, int group);

// weight [out][in] -> [ceil(out / group)][in][group]
Buffer pack_pointwise(const double* weight, int out, int in, int group);

// values [count], or null for zeros -> floats, zeros up to a multiple of group
Buffer pack_bias(const double* values, int count, int group);

}  // namespace esr
