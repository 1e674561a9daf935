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

// Starts fetching a block. Rows come from the second-level cache at best, and each block is too
// short a run for the processor to fetch ahead by itself: 6% of SPAN's time.
template <int kForWriting>
ESR_INLINE void prefetch_block(const float* p) {
  constexpr int kLineFloats = 16;
  for (int i = 0; i < kTile * kLanes; i += kLineFloats) __builtin_prefetch(p + i, kForWriting, 3);
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

// A block's pixels in their order become its phases.
ESR_INLINE void take_apart(Vec (&v)[kTile]) {
  Vec even0, even1, odd0, odd1;
  deinterleave(v[0], v[1], even0, odd0);
  deinterleave(v[2], v[3], even1, odd1);
  deinterleave(even0, even1, v[0], v[2]);
  deinterleave(odd0, odd1, v[1], v[3]);
}

// Lane i of vector j becomes lane j of vector i.
ESR_INLINE void transpose(Vec (&v)[kLanes]) { interleave_all<kLanes>(v); }

// The four phases of a block as its pixels in their order.
ESR_INLINE void store_in_order(Vec (&phases)[kTile], float* pixels) {
  interleave_all<kTile>(phases);
  ESR_UNROLL
  for (int i = 0; i < kTile; ++i) store(pixels + i * kLanes, phases[i]);
}

}  // namespace ESR_ISA
}  // namespace esr
