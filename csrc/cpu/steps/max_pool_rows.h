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

inline void max_pool(const MaxPoolRow& r) {
  const Geometry &from = *r.source.geometry, &to = *r.geometry;
  const IntVec lane = lane_numbers();
  for (int row = 0; row < r.rows; ++row) {
    for (int c = 0; c < r.source.channels; ++c) {
      largest_of_rows(r.source.row + row * r.sampling.stride, r.sampling.kernel,
                      kLanes + c * from.channel_stride(), from, r.scratch);
      largest_ahead(r.scratch, from.width, r.sampling.kernel);
      float* out = r.out[row] + kLanes + c * to.channel_stride();
      for (int block = 0; block < to.blocks; ++block) {
        for (int p = 0; p < kTile; ++p) {
          const IntVec x = kTile * (block * kLanes + lane) + p;
          const Vec y = gather(r.scratch, x < to.width ? x * r.sampling.stride : x - x);
          store(out + block * to.block_stride() + p * kLanes,
                keep_first(y, lanes_inside(to, block, p)));
        }
      }
    }
  }
}

}  // namespace ESR_ISA
}  // namespace esr
