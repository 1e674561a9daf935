// One tile row of nearest pixels.
#pragma once

#include "../blocks.h"
#include "nearest.h"

namespace esr {
namespace ESR_ISA {

// One row of one channel, pixels in their order.
ESR_INLINE void order_row(const float* row, const Geometry& g, float* pixels) {
  for (int block = 0; block < g.blocks; ++block) {
    const size_t x = block * g.block_stride();
    Vec v[kTile];
    ESR_UNROLL
    for (int p = 0; p < kTile; ++p) v[p] = load(row + x + p * kLanes);
    store_in_order(v, pixels + x);
  }
}

ESR_INLINE IntVec nearest_columns(int x0, int in, int out) {
  const Vec x = (float)kTile * __builtin_convertvector(lane_numbers(), Vec) + (float)x0;
  const IntVec at = __builtin_convertvector(x * ((float)in / out), IntVec);
  return at < in - 1 ? at : at - at + (in - 1);
}

inline void nearest(const NearestRow& r) {
  const Geometry &from = *r.source.geometry, &to = *r.geometry;
  const size_t stride = from.row_stride(r.source.channels);
  for (int row = 0; row < r.rows; ++row) {
    const int y = (int)((float)(r.y + row) * ((float)from.height / to.height));
    const float* in = r.source.first + (y < from.height ? y : from.height - 1) * stride;
    for (int c = 0; c < r.source.channels; ++c) {
      order_row(in + kLanes + c * from.channel_stride(), from, r.scratch);
      float* out = r.out[row] + kLanes + c * to.channel_stride();
      for (int block = 0; block < to.blocks; ++block) {
        for (int p = 0; p < kTile; ++p) {
          const IntVec x = nearest_columns(block * kTile * kLanes + p, from.width, to.width);
          store(out + block * to.block_stride() + p * kLanes,
                keep_first(gather(r.scratch, x), lanes_inside(to, block, p)));
        }
      }
    }
  }
}

}  // namespace ESR_ISA
}  // namespace esr
