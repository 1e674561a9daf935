// One tile row of an adaptive max pooling: a window's rows first, then its columns.
#pragma once

#include "../blocks.h"
#include "../functions.h"
#include "adaptive_max_pool.h"

namespace esr {
namespace ESR_ISA {

// Pixels first .. last - 1 of `in` that window `at` of `out` has.
struct Span {
  int first, last;
};

ESR_INLINE Span span_of(int at, int in, int out) {
  return {(int)((long)at * in / out), (int)(((long)(at + 1) * in + out - 1) / out)};
}

// The largest of these rows of one channel, pixels in their order.
ESR_INLINE void largest_in_span(const SourceRows& source, Span rows, int channel, float* pixels) {
  const Geometry& g = *source.geometry;
  const size_t stride = g.row_stride(source.channels);
  const float* in = source.first + kLanes + channel * g.channel_stride();
  for (int block = 0; block < g.blocks; ++block) {
    const float* at = in + rows.first * stride + block * g.block_stride();
    Vec v[kTile];
    ESR_UNROLL
    for (int p = 0; p < kTile; ++p) v[p] = load(at + p * kLanes);
    for (int y = rows.first + 1; y < rows.last; ++y) {
      at += stride;
      ESR_UNROLL
      for (int p = 0; p < kTile; ++p) v[p] = maximum(v[p], load(at + p * kLanes));
    }
    store_in_order(v, pixels + block * g.block_stride());
  }
}

inline void adaptive_max_pool(const AdaptiveMaxPoolRow& r) {
  const Geometry &from = *r.source.geometry, &to = *r.geometry;
  for (int row = 0; row < r.rows; ++row) {
    const Span rows = span_of(r.y + row, from.height, to.height);
    for (int c = 0; c < r.source.channels; ++c) {
      largest_in_span(r.source, rows, c, r.scratch);
      float* out = r.out[row] + kLanes + c * to.channel_stride();
      for (int v = 0; v < to.blocks * kTile; ++v) store(out + v * kLanes, splat(0.f));
      for (int x = 0; x < to.width; ++x) {
        const Span columns = span_of(x, from.width, to.width);
        float most = r.scratch[columns.first];
        for (int i = columns.first + 1; i < columns.last; ++i) {
          const float here = r.scratch[i];
          most = here > most || here != here ? here : most;
        }
        const int tile = x / kTile;
        out[tile / kLanes * to.block_stride() + x % kTile * kLanes + tile % kLanes] = most;
      }
    }
  }
}

}  // namespace ESR_ISA
}  // namespace esr
