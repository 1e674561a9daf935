// One tile row of the rows' means and squared deviations.
#pragma once

#include "../blocks.h"
#include "statistic.h"

namespace esr {
namespace ESR_ISA {

ESR_INLINE float sum_of_lanes(Vec v) {
  float sum = 0;
  ESR_UNROLL
  for (int i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}

// The first of the row's pixels, the others beside it zero.
ESR_INLINE void store_pixel(float* at, float number) {
  store(at, keep_first(splat(number), 1));
  ESR_UNROLL
  for (int p = 1; p < kTile; ++p) store(at + p * kLanes, splat(0.f));
}

inline void row_statistic(const RowStatisticRow& r) {
  const Geometry &g = *r.geometry, &to = *r.result;
  for (int row = 0; row < r.rows; ++row) {
    for (int c = 0; c < r.source.channels; ++c) {
      const float* in = r.source.row[row] + kLanes + c * g.channel_stride();
      Vec sum[kTile] = {}, square[kTile] = {};
      for (int block = 0; block < g.blocks; ++block) {
        ESR_UNROLL
        for (int p = 0; p < kTile; ++p) sum[p] += load(in + block * g.block_stride() + p * kLanes);
      }
      const float mean = sum_of_lanes((sum[0] + sum[1]) + (sum[2] + sum[3])) / (float)g.width;
      for (int block = 0; block < g.blocks; ++block) {
        ESR_UNROLL
        for (int p = 0; p < kTile; ++p) {
          const Vec d = keep_first(load(in + block * g.block_stride() + p * kLanes) - mean,
                                   lanes_inside(g, block, p));
          square[p] = fma(d, d, square[p]);
        }
      }
      float* out = r.out[row] + kLanes + c * to.channel_stride();
      store_pixel(out, mean);
      store_pixel(out + r.source.channels * to.channel_stride(),
                  sum_of_lanes((square[0] + square[1]) + (square[2] + square[3])));
    }
    store_pixel(r.out[row] + kLanes + 2 * r.source.channels * to.channel_stride(), g.width);
  }
}

}  // namespace ESR_ISA
}  // namespace esr
