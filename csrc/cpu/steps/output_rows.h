// One tile row into a picture, shuffled where its pixels are neighbours.
#pragma once

#include "../blocks.h"
#include "output.h"

namespace esr {
namespace ESR_ISA {

// One block of one output row: kFactor sub-pixels of each of its 4 * kLanes pixels.
template <int kFactor>
ESR_INLINE void shuffle_block(const float* in, size_t channel_stride, const float* skip, float* out,
                              int count) {
  constexpr int kCount = kTile * kFactor;
  Vec v[kCount];  // in the order of the output's pixels: phase, then sub-pixel
  ESR_UNROLL
  for (int p = 0; p < kTile; ++p) {
    const Vec base = skip ? load(skip + p * kLanes) : splat(0.f);
    ESR_UNROLL
    for (int d = 0; d < kFactor; ++d)
      v[p * kFactor + d] = load(in + d * channel_stride + p * kLanes) + base;
  }
  alignas(64) float flat[kCount * kLanes];
  if constexpr ((kFactor & (kFactor - 1)) == 0) {
    interleave_all<kCount>(v);
    if (count >= kCount * kLanes) {
      ESR_UNROLL
      for (int i = 0; i < kCount; ++i) store_unaligned(out + i * kLanes, v[i]);
      return;
    }
    ESR_UNROLL
    for (int i = 0; i < kCount; ++i) store(flat + i * kLanes, v[i]);
  } else {
    ESR_UNROLL
    for (int i = 0; i < kCount; ++i)
      for (int lane = 0; lane < kLanes; ++lane) flat[lane * kCount + i] = v[i][lane];
  }
  const int inside = count < kCount * kLanes ? count : kCount * kLanes;
  for (int i = 0; i < inside; ++i) out[i] = flat[i];
}

template <int kFactor>
inline void shuffle_row(const ShuffleRow& r) {
  const Geometry& g = *r.geometry;
  const int colours = r.source.channels / (kFactor * kFactor);
  for (int i = 0; i < r.rows; ++i) {
    for (int c = 0; c < colours; ++c) {
      const float* skip =
          r.skip.channels ? r.skip.row[i] + kLanes + c * g.channel_stride() : nullptr;
      for (int dy = 0; dy < kFactor; ++dy) {
        const int first = (c * kFactor + dy) * kFactor;
        const float* in = r.source.row[i] + kLanes + first * g.channel_stride();
        float* out =
            r.picture.data + c * r.picture.plane + (size_t(r.y + i) * kFactor + dy) * r.picture.row;
        for (int block = 0; block < g.blocks; ++block) {
          const int x = block * kTile * kLanes;
          shuffle_block<kFactor>(in + x, g.channel_stride(), skip ? skip + x : nullptr,
                                 out + size_t(x) * kFactor, (g.width - x) * kFactor);
        }
      }
    }
  }
}

// kLanes channels of one phase of a block into its pixels. `skip`: what is added, or null.
ESR_INLINE void store_pixels(const ShuffleRow& r, const float* in, const float* skip, int inside,
                             float* pixels) {
  const size_t stride = r.geometry->channel_stride();
  Vec v[kLanes];
  ESR_UNROLL
  for (int c = 0; c < kLanes; ++c)
    v[c] = skip ? load(in + c * stride) + load(skip + c * stride) : load(in + c * stride);
  transpose(v);
  for (int i = 0; i < kLanes && i < inside; ++i)
    store_unaligned(pixels + i * kTile * r.picture.pixel, v[i]);
}

// The same of fewer channels than a vector has.
ESR_INLINE void scatter_pixels(const ShuffleRow& r, const float* in, const float* skip, int inside,
                               float* pixels) {
  const size_t stride = r.geometry->channel_stride();
  for (int c = 0; c < r.source.channels; ++c) {
    const Vec v = skip ? load(in + c * stride) + load(skip + c * stride) : load(in + c * stride);
    for (int i = 0; i < kLanes && i < inside; ++i) pixels[i * kTile * r.picture.pixel + c] = v[i];
  }
}

// Not shuffled.
inline void write_pixels(const ShuffleRow& r) {
  const Geometry& g = *r.geometry;
  const int channels = r.source.channels, group = channels < kLanes ? channels : kLanes;
  for (int i = 0; i < r.rows; ++i) {
    for (int next = 0; next < channels; next += group) {
      // The last group ends at the last channel, and has some for the second time.
      const int first = next + group <= channels ? next : channels - group;
      const size_t plane = kLanes + first * g.channel_stride();
      for (int v = 0; v < g.blocks * kTile; ++v) {
        const int block = v / kTile, phase = v % kTile, inside = lanes_inside(g, block, phase);
        const size_t x = block * kTile * kLanes + phase, at = plane + v * kLanes;
        const float* in = r.source.row[i] + at;
        const float* skip = r.skip.channels ? r.skip.row[i] + at : nullptr;
        float* pixels = r.picture.data + (r.y + i) * r.picture.row + x * r.picture.pixel + first;
        if (group == kLanes)
          store_pixels(r, in, skip, inside, pixels);
        else
          scatter_pixels(r, in, skip, inside, pixels);
      }
    }
  }
}

inline void pixel_shuffle(const ShuffleRow& r) {
  if (r.picture.pixel != 1) return write_pixels(r);
  switch (r.factor) {
    case 1: return shuffle_row<1>(r);
    case 2: return shuffle_row<2>(r);
    case 3: return shuffle_row<3>(r);
    case 4: return shuffle_row<4>(r);
    case 5: return shuffle_row<5>(r);
    case 6: return shuffle_row<6>(r);
    case 7: return shuffle_row<7>(r);
    case 8: return shuffle_row<8>(r);
  }
}

}  // namespace ESR_ISA
}  // namespace esr
