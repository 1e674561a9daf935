// One tile row of the variance in windows: a vector holds windows beside each other.
#pragma once

#include "../blocks.h"
#include "window_variance.h"

namespace esr {
namespace ESR_ISA {

// A channel's rows of a window with their pixels in their order, the first of the padding first.
ESR_INLINE void lay_out_windows(const float* const* rows, size_t channel, const Geometry& g,
                                const Sampling& s, float* pixels) {
  const size_t floats = window_floats(s, g), beside = (floats - g.blocks * g.block_stride()) / 2;
  for (int i = 0; i < s.kernel; ++i, pixels += floats) {
    float* const first = pixels + beside;
    for (int block = 0; block < g.blocks; ++block) {
      const size_t at = block * g.block_stride();
      Vec v[kTile];
      ESR_UNROLL
      for (int p = 0; p < kTile; ++p) v[p] = load(rows[i] + channel + at + p * kLanes);
      store_in_order(v, first + at);
    }
    for (int k = 1; k <= s.padding; ++k) {
      first[-k] = first[k];
      first[g.width - 1 + k] = first[g.width - 1 - k];
    }
  }
}

// Of the windows whose first pixels are `at` in each row: the sum of their squared deviations from
// `mean`, or of their pixels where kSquared is false.
template <bool kSquared>
ESR_INLINE Vec sum_of_windows(const float* pixels, size_t floats, int kernel, IntVec at, Vec mean) {
  Vec sum = splat(0.f);
  for (int i = 0; i < kernel; ++i, pixels += floats)
    for (int k = 0; k < kernel; ++k) {
      const Vec d = gather(pixels + k, at) - mean;
      sum += kSquared ? d * d : d;
    }
  return sum;
}

inline void window_variance(const WindowVarianceRow& r) {
  const Geometry &from = *r.source.geometry, &to = *r.geometry;
  const Sampling& s = r.sampling;
  const size_t floats = window_floats(s, from);
  const float* const pixels = r.scratch + (floats - from.blocks * from.block_stride()) / 2;
  const float count = s.kernel * s.kernel;
  const IntVec lane = lane_numbers();
  for (int row = 0; row < r.rows; ++row) {
    for (int c = 0; c < r.source.channels; ++c) {
      lay_out_windows(r.source.row + row * s.stride, kLanes + c * from.channel_stride(), from, s,
                      r.scratch);
      float* out = r.out[row] + kLanes + c * to.channel_stride();
      for (int block = 0; block < to.blocks; ++block) {
        for (int p = 0; p < kTile; ++p) {
          const IntVec x = kTile * (block * kLanes + lane) + p;
          const IntVec at = (x < to.width ? x * s.stride : x - x) - s.padding;
          const Vec mean = sum_of_windows<false>(pixels, floats, s.kernel, at, splat(0.f)) / count;
          const Vec y = sum_of_windows<true>(pixels, floats, s.kernel, at, mean) / (count - 1.f);
          store(out + block * to.block_stride() + p * kLanes,
                keep_first(y, lanes_inside(to, block, p)));
        }
      }
    }
  }
}

}  // namespace ESR_ISA
}  // namespace esr
