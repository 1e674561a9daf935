// Weights in the order the kernels read them, transformed in double and rounded once.
#pragma once

#include <vector>

#include "buffer.h"

namespace esr {

// weight [out][in][3][3] -> [ceil(out / group)][36][in][group]; missing channels are zero.
Buffer pack_winograd(const double* weight, int out, int in, int group);

// weight [out][in] -> [ceil(out / group)][in][group]
Buffer pack_pointwise(const double* weight, int out, int in, int group);

// Several of these one after the other: weight [groups][out][in], each padded to whole groups.
Buffer pack_groups(const double* weight, int groups, int out, int in, int group);

// weight [out][sum of `sources`][k][k] in bfloat16, as matrix tiles read it (steps/tile_conv.h). A
// source that is a picture is multiplied in three parts (layout.h).
Buffer pack_tiles(const double* weight, int out, const std::vector<int>& sources, int kernel);

// values [count], or null for zeros -> floats, zeros up to a multiple of group
Buffer pack_bias(const double* values, int count, int group);

}  // namespace esr
