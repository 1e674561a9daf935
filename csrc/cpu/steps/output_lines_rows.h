// One tile row of lines, shuffled by a factor of 4: the 16 channels of a line are the sub-pixels of
// one colour, four rows of four.
#pragma once

#include "../pixels.h"
#include "output.h"

namespace esr {
namespace ESR_ISA {

// Quarter i of v[j] becomes quarter j of v[i].
ESR_INLINE void transpose_quarters(Vec (&v)[kTile]) {
  Vec upper[2], lower[2];  // quarters 0 and 1 of two vectors, 2 and 3
  ESR_UNROLL
  for (int i = 0; i < 2; ++i) {
    const Vec a = v[2 * i], b = v[2 * i + 1];
    upper[i] =
        __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    lower[i] =
        __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  }
  ESR_UNROLL
  for (int i = 0; i < 2; ++i) {
    const Vec a = i ? lower[0] : upper[0], b = i ? lower[1] : upper[1];
    v[2 * i] =
        __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    v[2 * i + 1] =
        __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
  }
}

// One row of a colour: its sub-pixels' rows are r.picture.row apart. `skip`: of the colour, or
// null.
ESR_INLINE void shuffle_line(const ShuffleRow& r, const float* lines, const float* skip,
                             float* out) {
  const int width = r.geometry->width;
  for (int x = 0; x < width; x += kTile) {
    Vec v[kTile] = {};
    const int inside = width - x < kTile ? width - x : kTile;
    const int tile = x / kTile, under = tile / kLanes * kTile * kLanes + tile % kLanes;
    for (int i = 0; i < inside; ++i) {
      v[i] = load(lines + (x + i) * kPixelFloats);
      if (skip) v[i] = v[i] + skip[under + i * kLanes];
    }
    transpose_quarters(v);
    for (int dy = 0; dy < kTile; ++dy) {
      float* const to = out + dy * r.picture.row + x * kTile;
      if (inside == kTile)
        store_unaligned(to, v[dy]);
      else
        for (int i = 0; i < inside * kTile; ++i) to[i] = v[dy][i];
    }
  }
}

inline void shuffle_lines(const ShuffleRow& r) {
  const Geometry& g = *r.geometry;
  for (int i = 0; i < r.rows; ++i) {
    for (int c = 0; c < r.source.channels / (kTile * kTile); ++c) {
      const float* skip =
          r.skip.channels ? r.skip.row[i] + kLanes + c * g.channel_stride() : nullptr;
      float* out = r.picture.data + c * r.picture.plane + (size_t(r.y + i) * kTile) * r.picture.row;
      shuffle_line(r, r.source.row[i] + c * g.line_stride(), skip, out);
    }
  }
}

}  // namespace ESR_ISA
}  // namespace esr
