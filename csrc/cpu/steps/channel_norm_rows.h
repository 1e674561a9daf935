// One tile row of a norm over channels, block by block: a block of all channels is read three
// times, twice of them from the first-level cache; twice where there is no mean to take away.
#pragma once

#include "../blocks.h"
#include "../functions.h"
#include "channel_norm.h"

namespace esr {
namespace ESR_ISA {

// What the deviations from the mean are multiplied by: `squares` is the sum of their squares.
template <Norm kNorm>
ESR_INLINE Vec norm_scale(Vec squares, Vec rest, float channels, float eps) {
  if constexpr (kNorm == Norm::length) return 1.f / max_keep_nan(splat(eps), square_root(squares));
  const Vec variance = squares / channels - rest * rest;
  return 1.f / square_root(max_keep_nan(splat(0.f), variance) + eps);
}

// Of a layer norm the deviations' squares and not those of the numbers: a mean far from zero
// cancels nothing. What rounding took from the mean is the mean of the deviations from it.
template <Norm kNorm>
ESR_INLINE void normalise_block(const ChannelNormRow& r, const float* in, float* out, int block) {
  const Geometry& g = *r.geometry;
  const int channels = r.source.channels;
  const size_t stride = g.channel_stride();
  Vec mean[kTile] = {}, rest[kTile] = {}, scale[kTile] = {};
  for (int c = 0; c < channels && kNorm == Norm::layer; ++c) {
    ESR_UNROLL
    for (int p = 0; p < kTile; ++p) mean[p] += load(in + c * stride + p * kLanes);
  }
  ESR_UNROLL
  for (int p = 0; p < kTile; ++p) mean[p] = mean[p] / (float)channels;
  for (int c = 0; c < channels; ++c) {
    ESR_UNROLL
    for (int p = 0; p < kTile; ++p) {
      const Vec d = load(in + c * stride + p * kLanes) - mean[p];
      if constexpr (kNorm == Norm::layer) rest[p] += d;
      scale[p] = fma(d, d, scale[p]);
    }
  }
  ESR_UNROLL
  for (int p = 0; p < kTile; ++p) {
    rest[p] = rest[p] / (float)channels;
    scale[p] = norm_scale<kNorm>(scale[p], rest[p], channels, r.eps);
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

template <Norm kNorm>
inline void channel_norm_row(const ChannelNormRow& r) {
  const Geometry& g = *r.geometry;
  for (int row = 0; row < r.rows; ++row)
    for (int block = 0; block < g.blocks; ++block) {
      const size_t at = kLanes + block * g.block_stride();
      normalise_block<kNorm>(r, r.source.row[row] + at, r.out[row] + at, block);
    }
}

inline void channel_norm(const ChannelNormRow& r) {
  switch (r.norm) {
    case Norm::layer: return channel_norm_row<Norm::layer>(r);
    case Norm::rms: return channel_norm_row<Norm::rms>(r);
    case Norm::length: return channel_norm_row<Norm::length>(r);
  }
}

}  // namespace ESR_ISA
}  // namespace esr
