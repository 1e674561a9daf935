// One tile row of a layer norm over channels, block by block: a block of all channels is read three
// times, twice of them from the first-level cache.
#pragma once

#include "../blocks.h"
#include "../functions.h"
#include "channel_norm.h"

namespace esr {
namespace ESR_ISA {

// The deviations' squares and not those of the numbers: a mean far from zero cancels nothing. What
// rounding took from the mean is the mean of the deviations from it.
ESR_INLINE void normalise_block(const ChannelNormRow& r, const float* in, float* out, int block) {
  const Geometry& g = *r.geometry;
  const int channels = r.source.channels;
  const size_t stride = g.channel_stride();
  Vec mean[kTile] = {}, rest[kTile] = {}, scale[kTile] = {};
  for (int c = 0; c < channels; ++c) {
    ESR_UNROLL
    for (int p = 0; p < kTile; ++p) mean[p] += load(in + c * stride + p * kLanes);
  }
  ESR_UNROLL
  for (int p = 0; p < kTile; ++p) mean[p] = mean[p] / (float)channels;
  for (int c = 0; c < channels; ++c) {
    ESR_UNROLL
    for (int p = 0; p < kTile; ++p) {
      const Vec d = load(in + c * stride + p * kLanes) - mean[p];
      rest[p] += d;
      scale[p] = fma(d, d, scale[p]);
    }
  }
  ESR_UNROLL
  for (int p = 0; p < kTile; ++p) {
    rest[p] = rest[p] / (float)channels;
    const Vec variance = scale[p] / (float)channels - rest[p] * rest[p];
    scale[p] = 1.f / square_root(max_keep_nan(splat(0.f), variance) + r.eps);
  }
  for (int c = 0; c < channels; ++c) {
    ESR_UNROLL
    for (int p = 0; p < kTile; ++p) {
      const Vec d = (load(in + c * stride + p * kLanes) - mean[p]) - rest[p];
      Vec y = fma(r.weight[c] * scale[p], d, splat(r.bias[c]));
      if (__builtin_expect(block + 1 == g.blocks, 0)) y = keep_first(y, lanes_inside(g, block, p));
      store(out + c * stride + p * kLanes, y);
    }
  }
}

inline void channel_norm(const ChannelNormRow& r) {
  const Geometry& g = *r.geometry;
  for (int row = 0; row < r.rows; ++row)
    for (int block = 0; block < g.blocks; ++block) {
      const size_t at = kLanes + block * g.block_stride();
      normalise_block(r, r.source.row[row] + at, r.out[row] + at, block);
    }
}

}  // namespace ESR_ISA
}  // namespace esr
