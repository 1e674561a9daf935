// One tile row of a 3x3 convolution with stride 2 and no padding, applied directly.
//
// Output pixel 2t of a row reads phases 0, 1, 2 of the source's tile t; pixel 2t+1 reads phases 2,
// 3 and the next tile's phase 0. So stride 2 takes no more shuffles than stride 1, until at the end
// the sums of two of the source's blocks become one block of the result.
#pragma once

#include "../sums.h"
#include "strided_conv3x3.h"

namespace esr {
namespace ESR_ISA {

// kGroup output channels of the even and odd pixels that one of the source's blocks makes.
ESR_INLINE void strided_sums(const ConvRow& r, int row, int block, const float* weight,
                             const float* bias, Vec (&even)[kGroup], Vec (&odd)[kGroup]) {
  const SourceRows& source = r.sources[0];
  const Geometry& g = *source.geometry;
  ESR_UNROLL
  for (int k = 0; k < kGroup; ++k) even[k] = odd[k] = splat(bias[k]);
  for (int c = 0; c < source.channels; ++c) {
    const size_t at = kLanes + c * g.channel_stride() + block * g.block_stride();
    for (int ky = 0; ky < 3; ++ky) {
      const float* p = source.row[2 * row + ky] + at;
      const Vec d0 = load(p), d1 = load(p + kLanes), d2 = load(p + 2 * kLanes);
      const Vec d3 = load(p + 3 * kLanes), d4 = shift_in_right(d0, load(p + 4 * kLanes));
      ESR_UNROLL
      for (int k = 0; k < kGroup; ++k) {
        const float w0 = weight[k], w1 = weight[kGroup + k], w2 = weight[2 * kGroup + k];
        even[k] = fma(w0, d0, fma(w1, d1, fma(w2, d2, even[k])));
        odd[k] = fma(w0, d2, fma(w1, d3, fma(w2, d4, odd[k])));
      }
      weight += 3 * kGroup;
    }
  }
}

template <Act kAct>
inline void strided_conv3x3_row(const ConvRow& r) {
  const int last = r.sources[0].geometry->blocks - 1;
  const size_t group_weights = size_t(r.conv->in_channels) * 9;
  for (int row = 0; row < r.rows; ++row) {
    for (int block = 0; block < r.geometry->blocks; ++block) {
      for (int o = 0; o < r.conv->out_channels; o += kGroup) {
        Vec even[2][kGroup], odd[2][kGroup];
        for (int half = 0; half < 2; ++half) {
          // A block beyond the last would make pixels outside the width only.
          const int from = 2 * block + half < last ? 2 * block + half : last;
          strided_sums(r, row, from, r.conv->weight + o * group_weights, r.conv->bias + o,
                       even[half], odd[half]);
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

inline void strided_conv3x3(const ConvRow& r) {
  with_act(r.conv->act, [&]<Act kAct>() { strided_conv3x3_row<kAct>(r); });
}

}  // namespace ESR_ISA
}  // namespace esr
