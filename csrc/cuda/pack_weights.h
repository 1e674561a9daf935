// Convolution weights as the kernels read them.
#pragma once

#include <vector>

#include "../conv_spec.h"
#include "slabs.h"

namespace esr::cuda {

// [layer][slab][tap][8 n_tiles columns][32 bytes]: of each column the numbers of one slab's
// channels, its two chunks of 16 bytes placed as pixels' are (halo.cuh). `sources`: the channels of
// each value that the convolution reads, which begin a slab of their own. Numbers are rounded once,
// TF32 too; what no channel or column fills is zero.
std::vector<char> pack_weights(Format format, const ConvSpec& spec, const std::vector<int>& sources,
                               int n_tiles);

// [layer][8 n_tiles columns]
std::vector<float> pack_bias(const ConvSpec& spec, int n_tiles);

}  // namespace esr::cuda
