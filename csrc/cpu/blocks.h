// Blocks of rows as vectors; layout.h describes them.
#pragma once

#include "layout.h"
#include "simd.h"

namespace esr {
namespace ESR_ISA {

// How many of a block's lanes lie inside the width for each phase; kLanes for inner blocks.
ESR_INLINE int lanes_inside(const Geometry& g, int block, int phase) {
  return (g.width - phase + kTile - 1) / kTile - block * kLanes;
}

// Column j - 1 (0..5) around the tiles of the block at `p`; beside the block lies the guard or
// another block.
ESR_INLINE Vec load_column(const float* p, int j) {
  if (j == 0) return shift_in_left(load(p - kLanes), load(p + 3 * kLanes));
  if (j == 5) return shift_in_right(load(p), load(p + 4 * kLanes));
  return load(p + (j - 1) * kLanes);
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

// The four phases of a block as its pixels in their order.
ESR_INLINE void store_in_order(Vec (&phases)[kTile], float* pixels) {
  interleave_all<kTile>(phases);
  ESR_UNROLL
  for (int i = 0; i < kTile; ++i) store(pixels + i * kLanes, phases[i]);
}

}  // namespace ESR_ISA
}  // namespace esr
