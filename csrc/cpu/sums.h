// What convolutions share: register tiles of sums, and how a finished sum becomes a pixel.
#pragma once

#include "epilogue.h"

namespace esr {
namespace ESR_ISA {

constexpr int kGroup = ESR_GROUP;                 // output channels of a register tile
constexpr int kPanel = ESR_PANEL;                 // its vectors; kGroup * kPanel accumulators
constexpr int kRowVectors = kPanel >= 4 ? 4 : 2;  // of a 1x1 product; divides a block's 4

// sum[g][v] += sum_k weight[k][g] * in[k][v] for kVectors vectors v, rows of `in` `stride` apart.
template <int kVectors>
ESR_INLINE void accumulate(Vec (&sum)[kGroup][kVectors], const float* in, size_t stride,
                           const float* weight, int depth) {
  for (int k = 0; k < depth; ++k) {
    Vec d[kVectors];
    ESR_UNROLL
    for (int v = 0; v < kVectors; ++v) d[v] = load(in + v * kLanes);
    ESR_UNROLL
    for (int g = 0; g < kGroup; ++g) {
      ESR_UNROLL
      for (int v = 0; v < kVectors; ++v) sum[g][v] = fma(weight[g], d[v], sum[g][v]);
    }
    in += stride;
    weight += kGroup;
  }
}

template <int kRows, int kVectors>
ESR_INLINE void store_sums(const Vec (&sum)[kRows][kVectors], float* out, size_t stride) {
  ESR_UNROLL
  for (int row = 0; row < kRows; ++row) {
    ESR_UNROLL
    for (int v = 0; v < kVectors; ++v) store(out + row * stride + v * kLanes, sum[row][v]);
  }
}

// Epilogue and store of the sums of one pixel row of one channel of one block.
template <Act kAct>
ESR_INLINE void finish_row(const ConvRow& r, int row, int channel, int block,
                           const Vec (&sums)[kTile]) {
  const Geometry& g = *r.geometry;
  const bool edge = block + 1 == g.blocks;
  const size_t offset = kLanes + channel * g.channel_stride() + block * g.block_stride();
  ESR_UNROLL
  for (int j = 0; j < kTile; ++j) {
    const float* residual = r.residual[row] ? r.residual[row] + offset + j * kLanes : nullptr;
    Vec y = epilogue<kAct>(sums[j], r.conv->slope, residual);
    if (__builtin_expect(edge, 0)) y = keep_first(y, lanes_inside(g, block, j));
    store(r.out[row] + offset + j * kLanes, y);
  }
}

}  // namespace ESR_ISA
}  // namespace esr
