// Between pictures (NCHW) and rows: pack on the way in, pixel shuffle on the way out.
#pragma once

#include "kernels.h"
#include "simd.h"

namespace esr {
namespace ESR_ISA {

// Pixels 4t+p of up to kLanes tiles into one vector per phase, zeros from `count` pixels on.
ESR_INLINE void load_phases(const float* pixels, int count, Vec* phase) {
  Vec v[kTile];
  if (count >= kTile * kLanes) {
    ESR_UNROLL
    for (int i = 0; i < kTile; ++i) v[i] = load_unaligned(pixels + i * kLanes);
  } else {
    alignas(64) float padded[kTile * kLanes] = {};
    for (int i = 0; i < count; ++i) padded[i] = pixels[i];
    ESR_UNROLL
    for (int i = 0; i < kTile; ++i) v[i] = load(padded + i * kLanes);
  }
  Vec even0, even1, odd0, odd1;
  deinterleave(v[0], v[1], even0, odd0);
  deinterleave(v[2], v[3], even1, odd1);
  deinterleave(even0, even1, phase[0], phase[2]);
  deinterleave(odd0, odd1, phase[1], phase[3]);
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
          const int inside = (g.width - p + kTile - 1) / kTile - block * kLanes;
          store(out + x + p * kLanes, keep_first(phase[p] + r.shift[c], inside));
        }
      }
    }
  }
}

// v[0..kCount) element by element: v[0][0] v[1][0] ... v[0][1] ... . Each stage interleaves the
// first half with the second, which rotates the index bits by one.
template <int kCount>
ESR_INLINE void interleave_all(Vec* v) {
  ESR_UNROLL
  for (int stage = 1; stage < kCount; stage *= 2) {
    Vec w[kCount];
    ESR_UNROLL
    for (int i = 0; i < kCount / 2; ++i)
      interleave(v[i], v[i + kCount / 2], w[2 * i], w[2 * i + 1]);
    ESR_UNROLL
    for (int i = 0; i < kCount; ++i) v[i] = w[i];
  }
}

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

inline void pixel_shuffle(const ShuffleRow& r) {
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
