// The way from blocks to pixels in their order and back; taps.h says what for.
#pragma once

#include "sums.h"
#include "taps.h"

namespace esr {
namespace ESR_ISA {

// The pixels of the block at `p` in their order.
ESR_INLINE void load_in_order(const float* p, Vec (&pixels)[kTile]) {
  ESR_UNROLL
  for (int i = 0; i < kTile; ++i) pixels[i] = load(p + i * kLanes);
  interleave_all<kTile>(pixels);
}

// `vectors` vectors of a channel's pixels from vector `first` on, which may lie outside the
// picture: zeros.
ESR_INLINE void lay_out_margin(const float* channel, const Geometry& g, int first, int vectors,
                               float* pixels) {
  for (int v = first; v < first + vectors; ++v, pixels += kLanes) {
    Vec block[kTile] = {};
    if (v >= 0 && v < g.blocks * kTile)
      load_in_order(channel + v / kTile * g.block_stride(), block);
    store(pixels, block[v & (kTile - 1)]);
  }
}

// A channel's pixels from `block` on, with those beside them.
ESR_INLINE void lay_out(const float* channel, const Geometry& g, const Stretch& stretch, int block,
                        float* pixels) {
  const int blocks = stretch.blocks, beside = stretch.margin / kLanes, first = block * kTile;
  const size_t size = g.block_stride(), next = g.channel_stride();
  lay_out_margin(channel, g, first - beside, beside, pixels);
  pixels += stretch.margin;
  const float* from = channel + block * size;
  for (int b = 0; b < blocks; ++b, from += size, pixels += size) {
    prefetch_block<0>(from + next);
    Vec v[kTile];
    load_in_order(from, v);
    ESR_UNROLL
    for (int i = 0; i < kTile; ++i) store(pixels + i * kLanes, v[i]);
  }
  lay_out_margin(channel, g, first + blocks * kTile, beside, pixels);
}

}  // namespace ESR_ISA
}  // namespace esr
