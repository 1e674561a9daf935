// One tile row of a picture into rows of a value.
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

// The shift stops at the picture's edge: what lies outside stays zero.
inline void pack_planes(const PackRow& r) {
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

// kLanes channels from `first` on of one phase of a block, a pixel's after the other's.
ESR_INLINE void load_pixels(const PackRow& r, const float* pixels, int first, int inside,
                            Vec (&channel)[kLanes]) {
  ESR_UNROLL
  for (int i = 0; i < kLanes; ++i)
    channel[i] = i < inside ? load_unaligned(pixels + i * kTile * r.picture.pixel + first) : Vec{};
  transpose(channel);
}

// The same of fewer channels than a vector has.
ESR_INLINE void gather_pixels(const PackRow& r, const float* pixels, int inside, Vec* channel) {
  for (int c = 0; c < r.channels; ++c) {
    channel[c] = Vec{};
    for (int i = 0; i < kLanes && i < inside; ++i)
      channel[c][i] = pixels[i * kTile * r.picture.pixel + c];
  }
}

inline void pack_pixels(const PackRow& r) {
  const Geometry& g = *r.geometry;
  const int group = r.channels < kLanes ? r.channels : kLanes;
  for (int i = 0; i < r.rows; ++i) {
    const float* const row = r.picture.data + (r.y + i) * r.picture.row;
    for (int next = 0; next < r.channels; next += group) {
      // The last group ends at the last channel, and has some for the second time.
      const int first = next + group <= r.channels ? next : r.channels - group;
      for (int v = 0; v < g.blocks * kTile; ++v) {
        const int block = v / kTile, phase = v % kTile, inside = lanes_inside(g, block, phase);
        const float* pixels = row + (block * kTile * kLanes + phase) * r.picture.pixel;
        Vec channel[kLanes];
        if (group == kLanes)
          load_pixels(r, pixels, first, inside, channel);
        else
          gather_pixels(r, pixels, inside, channel);
        float* out = r.out[i] + kLanes + first * g.channel_stride() + v * kLanes;
        for (int c = 0; c < group; ++c, out += g.channel_stride())
          store(out, keep_first(channel[c] + r.shift[first + c], inside));
      }
    }
  }
}

// Picture rows into rows, plus a shift per channel.
inline void pack(const PackRow& r) { r.picture.pixel == 1 ? pack_planes(r) : pack_pixels(r); }

}  // namespace ESR_ISA
}  // namespace esr
