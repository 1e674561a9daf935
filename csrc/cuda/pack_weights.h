// Convolution weights as the kernels read them.
#pragma once

#include <vector>

#include "../conv_spec.h"
#include "slabs.h"

namespace esr::cuda {

// [layer][slab][tap][8 tiles columns][32 bytes]: of each column the numbers of one slab's
// channels, its 16-byte halves placed as pixels' halves are (halo.cuh). `sources`: the channels of
// each value that the convolution reads, which begin a slab of their own. Numbers are rounded once,
// TF32 too; what no channel or column fills is zero.
std::vector<char> pack_weights(Format format, const ConvSpec& spec, const std::vector<int>& sources,
                               int tiles);

// [layer][8 tiles columns]
std::vector<float> pack_bias(const ConvSpec& spec, int tiles);

}  // namespace esr::cuda
