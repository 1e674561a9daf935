// Where kernels find the pixels under the taps of a filter: in blocks as they lie, as long as the
// taps are near, or in rows laid out for them (taps.h).
#pragma once

#include "sums.h"
#include "taps.h"

namespace esr {
namespace ESR_ISA {

alignas(64) constexpr float kOutside[kTile * kLanes] = {};  // a block beside the picture

// Runs near.operator()<columns, dilation>() for taps that are found in the blocks as they lie, as
// columns of tiles beside each other; far() for others.
template <class Near, class Far>
ESR_INLINE void with_taps(const Taps& taps, Near&& near, Far&& far) {
  const int dilation = taps.beside() ? taps.dilation : 1;
  switch (dilation < kTile && !taps.reflect ? taps.columns * kTile + dilation : 0) {
#define ESR_CASE(columns, dilation) \
  case columns* kTile + dilation: return near.template operator()<columns, dilation>();
    // clang-format off
    ESR_CASE(1, 1) ESR_CASE(3, 1) ESR_CASE(3, 2) ESR_CASE(3, 3)
    ESR_CASE(5, 1) ESR_CASE(5, 2) ESR_CASE(7, 1) ESR_CASE(9, 1)
    // clang-format on
#undef ESR_CASE
  }
  far();
}

// True for those that need their pixels laid out in their order.
inline bool are_far(const Taps& taps) {
  bool far = false;
  with_taps(taps, []<int, int>() {}, [&] { far = true; });
  return far;
}

// The pixels of a block as vectors of one column each, from `reach` columns before the tiles to
// `reach` behind. `before` and `after`: the blocks beside.
template <int kReach>
ESR_INLINE void load_columns(const float* p, const float* before, const float* after,
                             Vec (&d)[kTile + 2 * kReach]) {
  ESR_UNROLL
  for (int i = 0; i < kTile + 2 * kReach; ++i) {
    const int column = i - kReach, phase = (column + kTile) % kTile * kLanes;
    d[i] = load(p + phase);
    if (column < 0) d[i] = shift_in_left(load(before + phase), d[i]);
    if (column >= kTile) d[i] = shift_in_right(d[i], load(after + phase));
    if constexpr (kPanel >= 4) d[i] = held(d[i]);
  }
}

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

// Laid out from `block` on, as far as the pixels there reach: those outside the picture that
// `reach` columns of taps find become those inside.
inline void reflect_edges(const Geometry& g, const Stretch& stretch, int block, int reach,
                          float* pixels) {
  float* const first = pixels + stretch.margin;  // of the stretch
  const int x = block * kTile * g.lanes, beyond = int(stretch.pixels()) + stretch.margin;
  for (int i = 1; i <= reach && x == 0; ++i) first[-i] = first[i];
  float* const last = first + (g.width - 1 - x);
  for (int i = 1; i <= reach && g.width - 1 - x + i < beyond; ++i) last[i] = last[-i];
}

}  // namespace ESR_ISA
}  // namespace esr
