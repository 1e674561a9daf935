// One tile row of a 1x1 convolution, as a plain product.
#pragma once

#include "../sums.h"

namespace esr {
namespace ESR_ISA {

// kVectors vectors of one pixel row, all sources, one group of output channels.
template <Act kAct, int kVectors>
ESR_INLINE void conv1x1_vectors(const ConvRow& r, int row, int vector, int o, const float* weight) {
  const Geometry& g = *r.geometry;
  const size_t stride = g.channel_stride(), offset = kLanes + size_t(vector) * kLanes;
  Vec sum[kGroup][kVectors];
  ESR_UNROLL
  for (int c = 0; c < kGroup; ++c) {
    ESR_UNROLL
    for (int v = 0; v < kVectors; ++v) sum[c][v] = splat(r.conv->bias[o + c]);
  }
  for (int s = 0; s < r.source_count; ++s) {
    accumulate(sum, r.sources[s].row[row] + offset, stride, weight, r.sources[s].channels);
    weight += r.sources[s].channels * kGroup;
  }
  for (int c = 0; c < kGroup && o + c < r.conv->out_channels; ++c) {
    const size_t to = offset + (o + c) * stride;
    ESR_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const int block = (vector + v) / kTile, phase = (vector + v) % kTile;
      const float* residual = r.residual[row] ? r.residual[row] + to + v * kLanes : nullptr;
      Vec y = epilogue<kAct>(sum[c][v], r.conv->slope, residual);
      if (__builtin_expect(block + 1 == g.blocks, 0))
        y = keep_first(y, lanes_inside(g, block, phase));
      store(r.out[row] + to + v * kLanes, y);
    }
  }
}

template <Act kAct>
inline void conv1x1_row(const ConvRow& r) {
  const size_t group_weights = size_t(r.conv->in_channels) * kGroup;
  for (int row = 0; row < r.rows; ++row)
    for (int vector = 0; vector < r.geometry->blocks * kTile; vector += kRowVectors)
      for (int o = 0; o < r.conv->out_channels; o += kGroup)
        conv1x1_vectors<kAct, kRowVectors>(r, row, vector, o,
                                           r.conv->weight + o / kGroup * group_weights);
}

inline void conv1x1(const ConvRow& r) {
  with_act(r.conv->act, [&]<Act kAct>() { conv1x1_row<kAct>(r); });
}

}  // namespace ESR_ISA
}  // namespace esr
