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

// Sums of a pixel's channels, kLanes at a time: the two pixels that it lies between are `stride`
// floats from one to the next.
struct PixelSums {
  const float *low, *high;
  size_t stride;
  float weight;  // of high

  ESR_INLINE Vec next() {
    const Vec a = load(low), b = load(high);
    low += stride;
    high += stride;
    return fma(weight, b - a, a);
  }
};

inline void bilinear_pixels(const BilinearRow& r) {
  const Geometry &from = *r.source.geometry, &to = *r.geometry;
  const size_t stride = from.blocks * from.block_stride() * kLanes, slab_stride = to.slab_stride();
  float* pixels = r.scratch;
  for (int row = 0; row < r.rows; ++row)
    for (int first = 0; first < r.source.channels; first += kLanes, pixels += stride)
      interpolate_row_of_pixels(r, r.y + row, first, pixels);
  const int last = slabs_of(r.source.channels) - 1, rows = r.rows, width = to.width;
  const int last_floats = pixel_floats(r.source.channels, last);
  for (int x = 0; x < width; ++x) {
    const Between at = between(x, from.width, width);
    PixelSums sums{r.scratch + at.first * kLanes, r.scratch + at.second * kLanes, stride,
                   at.weight};
    for (int row = 0; row < rows; ++row) {
      float* out = r.out[row];
      for (int slab = 0; slab < last; ++slab, out += slab_stride) {
        const Vec low = sums.next();
        store_pixel(out + (x + 1) * kPixelFloats, low, sums.next());
      }
      out += (x + 1) * last_floats;
      const Vec low = sums.next();
      if (last_floats == kPixelFloats)
        store_pixel(out, low, sums.next());
      else
        store_half_pixel(out, low);
    }
  }
}

}  // namespace ESR_ISA
}  // namespace esr
