// One tile row of a 3x3 convolution by Winograd F(4x4, 3x3).
//
// Up to kPanel blocks at a time are transformed for all input channels; then, for each group
// of kGroup output channels, 36 small matrix products and the output transform with the epilogue,
// so that a group's products are consumed while they are in the first-level cache.
#pragma once

#include "../sums.h"
#include "winograd.h"

namespace esr {
namespace ESR_ISA {

constexpr int kPositions = 36;
constexpr size_t kPanelFloats = size_t(kPanel) * kLanes;

inline size_t conv3x3_scratch(int in_channels) {
  return kPositions * kPanelFloats * (in_channels + kGroup);
}

template <int kVectors>
inline void products(const float* in, const float* weight, int depth, float* out) {
  for (int p = 0; p < kPositions; ++p) {
    Vec sum[kGroup][kVectors] = {};
    accumulate(sum, in, kPanelFloats, weight, depth);
    ESR_UNROLL
    for (int g = 0; g < kGroup; ++g) {
      ESR_UNROLL
      for (int v = 0; v < kVectors; ++v) store(out + g * kPanelFloats + v * kLanes, sum[g][v]);
    }
    in += depth * kPanelFloats;
    weight += depth * kGroup;
    out += kGroup * kPanelFloats;
  }
}

// Output transform, epilogue and store of one channel of one block.
template <Act kAct>
ESR_INLINE void emit(const ConvRow& r, const float* products, int channel, int block) {
  constexpr size_t stride = kGroup * kPanelFloats;
  const Geometry& g = *r.geometry;
  const bool edge = block + 1 == g.blocks;
  const size_t offset = kLanes + channel * g.channel_stride() + block * g.block_stride();
  const size_t next = edge ? g.channel_stride() - block * g.block_stride() : g.block_stride();
  for (int i = 0; i < r.rows; ++i) {
    prefetch_block<1>(r.out[i] + offset + next);
    if (r.residual[i]) prefetch_block<0>(r.residual[i] + offset + next);
  }
  const Vec bias = splat(r.conv->bias[channel]);
  Vec half[kTile][6];
  ESR_UNROLL
  for (int j = 0; j < 6; ++j) {
    Vec m[6], s[kTile];
    ESR_UNROLL
    for (int i = 0; i < 6; ++i) m[i] = load(products + (i * 6 + j) * stride);
    output_transform_1d(m, splat(0.f), s);
    ESR_UNROLL
    for (int i = 0; i < kTile; ++i) half[i][j] = s[i];
  }
  ESR_UNROLL
  for (int i = 0; i < kTile; ++i) {
    if (i >= r.rows) break;
    Vec s[kTile];
    output_transform_1d(half[i], bias, s);
    finish_row<kAct>(r, i, channel, block, s);
  }
}

ESR_INLINE void transform_panel(const ConvRow& r, int block, int count, float* panel) {
  const Geometry& g = *r.geometry;
  const size_t stride = r.conv->in_channels * kPanelFloats;
  for (int s = 0; s < r.source_count; ++s) {
    for (int c = 0; c < r.sources[s].channels; ++c) {
      const size_t offset = kLanes + c * g.channel_stride() + block * g.block_stride();
      for (int v = 0; v < count; ++v) {
        const size_t at = offset + v * g.block_stride();
        for (int i = 0; i < kTile + 2; ++i)
          prefetch_block<0>(r.sources[s].row[i] + at + g.channel_stride());
        input_transform(r.sources[s].row, at, panel + v * kLanes, stride);
      }
      panel += kPanelFloats;
    }
  }
}

template <Act kAct>
inline void conv3x3_row(const ConvRow& r) {
  const Geometry& g = *r.geometry;
  const int depth = r.conv->in_channels;
  float* panel = r.scratch;
  float* sums = panel + kPositions * kPanelFloats * depth;
  for (int block = 0; block < g.blocks; block += kPanel) {
    const int count = g.blocks - block < kPanel ? g.blocks - block : kPanel;
    transform_panel(r, block, count, panel);
    const float* weight = r.conv->weight;
    for (int o = 0; o < r.conv->out_channels; o += kGroup) {
      if (count == kPanel)
        products<kPanel>(panel, weight, depth, sums);
      else if (count == 1)
        products<1>(panel, weight, depth, sums);
      else if (count == 2)
        products<2>(panel, weight, depth, sums);
      else
        products<(kPanel > 3 ? 3 : kPanel)>(panel, weight, depth, sums);
      weight += size_t(kPositions) * depth * kGroup;
      for (int c = 0; c < kGroup && o + c < r.conv->out_channels; ++c)
        for (int v = 0; v < count; ++v)
          emit<kAct>(r, sums + c * kPanelFloats + v * kLanes, o + c, block + v);
    }
  }
}

inline void conv3x3(const ConvRow& r) {
  with_act(r.conv->act, [&]<Act kAct>() { conv3x3_row<kAct>(r); });
}

}  // namespace ESR_ISA
}  // namespace esr
