// One tile row of a picture (NCHW) into rows of a value.
#pragma once

#include "../blocks.h"
#include "input.h"

namespace esr {
namespace ESR_ISA {

// Pixels 4t+p of up to kLanes tiles into one vector per phase, zeros from `count` pixels on.
ESR_INLINE void load_phases(const float* pixels, int count, Vec (&phase)[kTile]) {
  if (count >= kTile * kLanes) {
    ESR_UNROLL
    for (int i = 0; i < kTile; ++i) phase[i] = load_unaligned(pixels + i * kLanes);
  } else {
    alignas(64) float padded[kTile * kLanes] = {};
    for (int i = 0; i < count; ++i) padded[i] = pixels[i];
    ESR_UNROLL
    for (int i = 0; i < kTile; ++i) phase[i] = load(padded + i * kLanes);
  }
  take_apart(phase);
}

// Picture rows into rows, plus a shift per channel. The shift stops at the picture's edge: what
// lies outside stays zero.
inline void pack(const PackRow& r) {
  const Geometry& g = *r.geometry;
  for (int i = 0; i < r.rows; ++i) {
    for (int c = 0; c < r.channels; ++c) {
      const float* pixels = r.picture.data + c * r.picture.plane + (r.y + i) * r.picture.row;
      float* out = r.out[i] + kLanes + c * g.channel_stride();
      for (int block = 0; block < g.blocks; ++block) {
        const int x = block * kTile * kLanes;
        Vec phase[kTile];
        load_phases(pixels + x, g.width - x, phase);
        for (int p = 0; p < kTile; ++p) {
          const Vec y = phase[p] + r.shift[c];
          store(out + x + p * kLanes, keep_first(y, lanes_inside(g, block, p)));
        }
      }
    }
  }
}

}  // namespace ESR_ISA
}  // namespace esr
