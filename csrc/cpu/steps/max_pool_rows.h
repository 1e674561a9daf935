// One tile row of a max pooling: columns first, then along the row.
#pragma once

#include "../blocks.h"
#include "../functions.h"
#include "max_pool.h"

namespace esr {
namespace ESR_ISA {

// The largest of `count` rows from `rows` on, pixels in their order.
ESR_INLINE void largest_of_rows(const float* const* rows, int count, size_t channel,
                                const Geometry& g, float* pixels) {
  for (int block = 0; block < g.blocks; ++block) {
    const size_t at = channel + block * g.block_stride();
    Vec v[kTile];
    ESR_UNROLL
    for (int p = 0; p < kTile; ++p) v[p] = load(rows[0] + at + p * kLanes);
    for (int i = 1; i < count; ++i) {
      ESR_UNROLL
      for (int p = 0; p < kTile; ++p) v[p] = maximum(v[p], load(rows[i] + at + p * kLanes));
    }
    store_in_order(v, pixels + block * g.block_stride());
  }
}

// Each of the first `width` pixels becomes the largest of the `kernel` from itself on: of 2, then
// of 4, and so on. Pixels near the end take in what lies behind, and are not read.
ESR_INLINE void largest_ahead(float* pixels, int width, int kernel) {
  for (int covered = 1; covered < kernel;) {
    const int step = covered < kernel - covered ? covered : kernel - covered;
    for (int x = 0; x < width; x += kLanes) {
      const Vec here = load_unaligned(pixels + x), ahead = load_unaligned(pixels + x + step);
      store_unaligned(pixels + x, maximum(here, ahead));
    }
    covered += step;
  }
}

// The rows of the window of the result's row y that exist, from `first` of the window on.
struct PoolRows {
  int first, count;

  PoolRows(const Sampling& s, int y, int height) {
    const int top = y * s.stride - s.padding;
    first = top < 0 ? -top : 0;
    count = (top + s.kernel < height ? s.kernel : height - top) - first;
  }
};

// What is beside a row's pixels is never the largest.
ESR_INLINE void lower_outside(float* pixels, int width, const Sampling& s) {
  for (int i = 1; i <= s.padding; ++i) pixels[-i] = -__builtin_inff();
  for (int i = 0; i < s.padding; ++i) pixels[width + i] = -__builtin_inff();
}

inline void max_pool(const MaxPoolRow& r) {
  const Geometry &from = *r.source.geometry, &to = *r.geometry;
  const Sampling& s = r.sampling;
  const IntVec lane = lane_numbers();
  float* const pixels = r.scratch + pool_margin(s, kLanes);
  for (int row = 0; row < r.rows; ++row) {
    const PoolRows rows(s, r.y + row, from.height);
    for (int c = 0; c < r.source.channels; ++c) {
      largest_of_rows(r.source.row + row * s.stride + rows.first, rows.count,
                      kLanes + c * from.channel_stride(), from, pixels);
      lower_outside(pixels, from.width, s);
      largest_ahead(pixels - s.padding, from.width + s.padding, s.kernel);
      float* out = r.out[row] + kLanes + c * to.channel_stride();
      for (int block = 0; block < to.blocks; ++block) {
        for (int p = 0; p < kTile; ++p) {
          const IntVec x = kTile * (block * kLanes + lane) + p;
          const Vec y = gather(pixels - s.padding, x < to.width ? x * s.stride : x - x);
          store(out + block * to.block_stride() + p * kLanes,
                keep_first(y, lanes_inside(to, block, p)));
        }
      }
    }
  }
}

}  // namespace ESR_ISA
}  // namespace esr
