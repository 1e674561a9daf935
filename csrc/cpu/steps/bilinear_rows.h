// One tile row of a bilinear interpolation: rows of the source are interpolated first, then pixels.
#pragma once

#include "../blocks.h"
#include "bilinear.h"

namespace esr {
namespace ESR_ISA {

// The pixels `first` and first + 1 that a row of the result lies between.
struct Between {
  int first, second;
  float weight;  // of second
};

ESR_INLINE Between between(int at, int in, int out) {
  float source = (at + .5f) * ((float)in / out) - .5f;
  source = source < 0.f ? 0.f : source;
  const int first = (int)source < in - 1 ? (int)source : in - 1;
  return {first, first + 1 < in ? first + 1 : first, source - first};
}

// The same for a vector of columns.
struct BetweenColumns {
  IntVec first, second;
  Vec weight;
};

ESR_INLINE BetweenColumns between_columns(int x0, int in, int out) {
  const Vec x = (float)kTile * __builtin_convertvector(lane_numbers(), Vec) + (float)x0;
  Vec source = (x + .5f) * ((float)in / out) - .5f;
  source = max_keep_nan(splat(0.f), min_keep_nan(splat(in - 1.f), source));
  const IntVec first = __builtin_convertvector(source, IntVec);
  return {first, first + 1 < in ? first + 1 : first, source - __builtin_convertvector(first, Vec)};
}

// The source's row that lies where row y of the result does, one channel, pixels in their order.
ESR_INLINE void interpolate_rows(const BilinearRow& r, int y, int channel, float* pixels) {
  const Geometry& g = *r.source.geometry;
  const Between at = between(y, g.height, r.geometry->height);
  const size_t stride = g.row_stride(r.source.channels);
  const float* first = r.source.first + kLanes + channel * g.channel_stride();
  const float *a = first + at.first * stride, *b = first + at.second * stride;
  for (int block = 0; block < g.blocks; ++block) {
    const size_t x = block * g.block_stride();
    Vec v[kTile];
    ESR_UNROLL
    for (int p = 0; p < kTile; ++p) {
      const Vec low = load(a + x + p * kLanes), high = load(b + x + p * kLanes);
      v[p] = fma(at.weight, high - low, low);
    }
    store_in_order(v, pixels + x);
  }
}

// Columns of one phase of one block of the result, all channels and rows. kNear: they lie between
// fewer than kLanes pixels of the source, from `base` on.
template <bool kNear>
ESR_INLINE void interpolate_columns(const BilinearRow& r, const BetweenColumns& at, int base,
                                    int block, int phase) {
  const Geometry &from = *r.source.geometry, &to = *r.geometry;
  const IntVec first = at.first - base, second = at.second - base;
  const int inside = lanes_inside(to, block, phase);
  const size_t out = kLanes + block * to.block_stride() + phase * kLanes;
  const float* pixels = r.scratch + base;
  for (int row = 0; row < r.rows; ++row) {
    for (int c = 0; c < r.source.channels; ++c) {
      const Vec a = kNear ? look_up(pixels, first) : gather(pixels, first);
      const Vec b = kNear ? look_up(pixels, second) : gather(pixels, second);
      store(r.out[row] + out + c * to.channel_stride(),
            keep_first(fma(at.weight, b - a, a), inside));
      pixels += from.channel_stride();
    }
  }
}

inline void bilinear(const BilinearRow& r) {
  const Geometry &from = *r.source.geometry, &to = *r.geometry;
  for (int row = 0; row < r.rows; ++row)
    for (int c = 0; c < r.source.channels; ++c)
      interpolate_rows(r, r.y + row, c,
                       r.scratch + (size_t(row) * r.source.channels + c) * from.channel_stride());
  for (int block = 0; block < to.blocks; ++block) {
    const int x = block * kTile * kLanes;
    const int base = between_columns(x, from.width, to.width).first[0];
    const int last = between_columns(x + kTile - 1, from.width, to.width).second[kLanes - 1];
    for (int phase = 0; phase < kTile; ++phase) {
      const BetweenColumns at = between_columns(x + phase, from.width, to.width);
      if (last - base < kLanes)
        interpolate_columns<true>(r, at, base, block, phase);
      else
        interpolate_columns<false>(r, at, base, block, phase);
    }
  }
}

}  // namespace ESR_ISA
}  // namespace esr
