// One tile row from planes to pixels, and back.
#pragma once

#include "../pixels.h"
#include "format.h"

namespace esr {
namespace ESR_ISA {

// Channels of a slab at 16 pixels, from planes; a picture's in three parts (layout.h).
ESR_INLINE void gather_slab(const FormatRow& r, const float* at, int slab, int count,
                            Vec* channel) {
  const size_t stride = r.geometry->channel_stride();
  const bool split = is_split(r.channels);
  for (int i = 0; i < count; ++i) {
    const int c = split ? i % r.channels : slab * kSlab + i, part = split ? i / r.channels : 0;
    if (c >= r.channels || part > 2) {
      channel[i] = splat(0.f);
      continue;
    }
    const Vec v = load(at + c * stride);
    channel[i] = part == 1 ? v - rounded(v) : v;
  }
}

// One row of a slab.
template <bool kHalf>
inline void to_slab(const FormatRow& r, const float* source, int slab, float* out) {
  constexpr int kFloats = kHalf ? kPixelFloats / 2 : kPixelFloats;
  const Geometry& g = *r.geometry;
  for (int vector = 0; vector < g.blocks * kTile; ++vector) {
    const int block = vector / kTile, phase = vector % kTile;
    Vec channel[2][kLanes];
    gather_slab(r, source + kLanes + vector * kLanes, slab, kHalf ? kLanes : kSlab, channel[0]);
    transpose(channel[0]);
    if constexpr (!kHalf) transpose(channel[1]);
    const int inside = lanes_inside(g, block, phase);
    float* pixel = out + (1 + block * kTile * kLanes + phase) * kFloats;
    for (int i = 0; i < kLanes && i < inside; ++i, pixel += kTile * kFloats) {
      if constexpr (kHalf)
        store_half_pixel(pixel, channel[0][i]);
      else
        store_pixel(pixel, channel[0][i], channel[1][i]);
    }
  }
}

inline void to_pixels(const FormatRow& r) {
  for (int row = 0; row < r.rows; ++row) {
    for (int slab = 0; slab < slabs_of(r.channels); ++slab) {
      float* const out = r.out[row] + slab * r.geometry->slab_stride();
      if (is_half(r.channels, slab))
        to_slab<true>(r, r.source[row], slab, out);
      else
        to_slab<false>(r, r.source[row], slab, out);
    }
  }
}

inline void to_planes(const FormatRow& r) {
  const Geometry& g = *r.geometry;
  for (int row = 0; row < r.rows; ++row) {
    for (int first = 0; first < r.channels; first += kLanes) {
      const int floats = pixel_floats(r.channels, first / kSlab);
      const float* from = r.source[row] + first / kSlab * g.slab_stride() + floats;
      for (int vector = 0; vector < g.blocks * kTile; ++vector) {
        const int block = vector / kTile, phase = vector % kTile;
        const float* pixel = from + (block * kTile * kLanes + phase) * floats;
        const int inside = lanes_inside(g, block, phase);
        Vec channel[kLanes];
        for (int i = 0; i < kLanes; ++i)
          channel[i] =
              i < inside ? load_half(pixel + i * kTile * floats, first / kLanes % 2) : splat(0.f);
        transpose(channel);
        float* out = r.out[row] + kLanes + first * g.channel_stride() + vector * kLanes;
        for (int c = 0; c < kLanes && first + c < r.channels; ++c)
          store(out + c * g.channel_stride(), channel[c]);
      }
    }
  }
}

}  // namespace ESR_ISA
}  // namespace esr
