// One tile row of a bilinear interpolation as pixels: rows of the source are interpolated first and
// laid out with channels inner, so that each pixel of the result is a sum of two vectors.
#pragma once

#include "../pixels.h"
#include "bilinear_rows.h"

namespace esr {
namespace ESR_ISA {

// The source's row that lies where row y of the result does: kLanes channels from `first` on of one
// pixel after the other, zeros beyond the last channel.
ESR_INLINE void interpolate_row_of_pixels(const BilinearRow& r, int y, int first, float* pixels) {
  const Geometry& g = *r.source.geometry;
  const Between at = between(y, g.height, r.geometry->height);
  const size_t row = g.row_stride(r.source.channels);
  const float* upper = r.source.first + kLanes + first * g.channel_stride() + at.first * row;
  const float* lower = upper + (at.second - at.first) * row;
  for (int vector = 0; vector < g.blocks * kTile; ++vector) {
    Vec v[kLanes];
    size_t from = size_t(vector) * kLanes;
    for (int c = 0; c < kLanes; ++c, from += g.channel_stride()) {
      if (first + c >= r.source.channels) {
        v[c] = splat(0.f);
        continue;
      }
      const Vec a = load(upper + from), b = load(lower + from);
      v[c] = fma(at.weight, b - a, a);
    }
    transpose(v);
    float* to = pixels + (vector / kTile * kTile * kLanes + vector % kTile) * kLanes;
    for (int i = 0; i < kLanes; ++i, to += kTile * kLanes) store(to, v[i]);
  }
}

// `pixels`: the rows as they are laid out, [channels / kLanes] of each, `stride` floats apart.
ESR_INLINE void interpolate_pixel(const BilinearRow& r, int x, const float* pixels, size_t stride) {
  const Between at = between(x, r.source.geometry->width, r.geometry->width);
  const float *a = pixels + at.first * kLanes, *b = pixels + at.second * kLanes;
  const auto next = [&] {
    const Vec low = load(a), high = load(b);
    a += stride;
    b += stride;
    return fma(at.weight, high - low, low);
  };
  for (int row = 0; row < r.rows; ++row) {
    for (int slab = 0; slab < slabs_of(r.source.channels); ++slab) {
      const int floats = pixel_floats(r.source.channels, slab);
      float* out = r.out[row] + slab * r.geometry->slab_stride() + size_t(x + 1) * floats;
      const Vec low = next();
      if (floats == kPixelFloats)
        store_pixel(out, low, next());
      else
        store_half_pixel(out, low);
    }
  }
}

inline void bilinear_pixels(const BilinearRow& r) {
  const size_t stride = r.source.geometry->blocks * r.source.geometry->block_stride() * kLanes;
  float* pixels = r.scratch;
  for (int row = 0; row < r.rows; ++row)
    for (int first = 0; first < r.source.channels; first += kLanes, pixels += stride)
      interpolate_row_of_pixels(r, r.y + row, first, pixels);
  for (int x = 0; x < r.geometry->width; ++x) interpolate_pixel(r, x, r.scratch, stride);
}

}  // namespace ESR_ISA
}  // namespace esr
