// One tile row of a convolution with stride 2, applied directly.
//
// Pixels 2t and 2t+1 of a row read columns of the source's tile t and at most one beside it. So
// stride 2 takes no more shuffles than stride 1, until at the end the sums of two of the source's
// blocks become one block of the result.
#pragma once

#include "../sums.h"
#include "strided_conv.h"

namespace esr {
namespace ESR_ISA {

// kGroup output channels of the even and odd pixels that one of the source's blocks makes.
template <int kSize, int kPadding>
ESR_INLINE void strided_sums(const ConvRow& r, int row, int block, const float* weight,
                             const float* bias, Vec (&even)[kGroup], Vec (&odd)[kGroup]) {
  const SourceRows& source = r.sources[0];
  const Geometry& g = *source.geometry;
  ESR_UNROLL
  for (int k = 0; k < kGroup; ++k) even[k] = odd[k] = splat(bias[k]);
  for (int c = 0; c < source.channels; ++c) {
    const size_t at = kLanes + c * g.channel_stride() + block * g.block_stride();
    for (int ky = 0; ky < kSize; ++ky) {
      Vec d[kSize + 2];  // from the first column of the even pixel to the last of the odd one
      ESR_UNROLL
      for (int j = 0; j < kSize + 2; ++j)
        d[j] = load_column(source.row[2 * row + ky] + at, j - kPadding + 1);
      ESR_UNROLL
      for (int k = 0; k < kGroup; ++k) {
        ESR_UNROLL
        for (int kx = 0; kx < kSize; ++kx) {
          even[k] = fma(weight[kx * kGroup + k], d[kx], even[k]);
          odd[k] = fma(weight[kx * kGroup + k], d[kx + 2], odd[k]);
        }
      }
      weight += kSize * kGroup;
    }
  }
}

template <Act kAct, int kSize, int kPadding>
inline void strided_conv_row(const ConvRow& r) {
  const int last = r.sources[0].geometry->blocks - 1;
  const size_t group_weights = size_t(r.conv->in_channels) * kSize * kSize;
  for (int row = 0; row < r.rows; ++row) {
    for (int block = 0; block < r.geometry->blocks; ++block) {
      for (int o = 0; o < r.conv->out_channels; o += kGroup) {
        Vec even[2][kGroup], odd[2][kGroup];
        for (int half = 0; half < 2; ++half) {
          // A block beyond the last would make pixels outside the width only.
          const int from = 2 * block + half < last ? 2 * block + half : last;
          strided_sums<kSize, kPadding>(r, row, from, r.conv->weight + o * group_weights,
                                        r.conv->bias + o, even[half], odd[half]);
        }
        for (int c = 0; c < kGroup && o + c < r.conv->out_channels; ++c) {
          Vec sums[kTile];  // pixel 4t+p of the result is pixel 2(2t) + p of the sums
          deinterleave(even[0][c], even[1][c], sums[0], sums[2]);
          deinterleave(odd[0][c], odd[1][c], sums[1], sums[3]);
          finish_row<kAct>(r, row, o + c, block, sums);
        }
      }
    }
  }
}

inline void strided_conv(const ConvRow& r) {
  with_act(r.conv->act, [&]<Act kAct>() {
    switch (r.conv->taps.rows * 2 + r.conv->padding) {
      case 4: return strided_conv_row<kAct, 2, 0>(r);
      case 6: return strided_conv_row<kAct, 3, 0>(r);
      case 7: return strided_conv_row<kAct, 3, 1>(r);
      case 9: return strided_conv_row<kAct, 4, 1>(r);
    }
  });
}

}  // namespace ESR_ISA
}  // namespace esr
