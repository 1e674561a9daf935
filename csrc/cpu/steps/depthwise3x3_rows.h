// One tile row of a depthwise 3x3 convolution: each channel's 3x3 filter, applied directly. (With
// one input channel for each output channel there is no product that Winograd's transforms would
// pay for.)
#pragma once

#include "../sums.h"

namespace esr {
namespace ESR_ISA {

// One pixel row of one channel of one block, from the three rows that start at `rows`.
template <Act kAct>
ESR_INLINE void filter_row(const ConvRow& r, const float* const* rows, int row, int channel,
                           int block, const Vec (&filter)[9], Vec bias) {
  const Geometry& g = *r.geometry;
  const size_t offset = kLanes + channel * g.channel_stride() + block * g.block_stride();
  Vec sum[kTile];
  ESR_UNROLL
  for (int j = 0; j < kTile; ++j) sum[j] = bias;
  ESR_UNROLL
  for (int i = 0; i < 3; ++i) {
    Vec d[kTile + 2];
    ESR_UNROLL
    for (int j = 0; j < kTile + 2; ++j) d[j] = load_column(rows[i] + offset, j);
    ESR_UNROLL
    for (int k = 0; k < 3; ++k) {
      ESR_UNROLL
      for (int j = 0; j < kTile; ++j) sum[j] = fma(filter[3 * i + k], d[j + k], sum[j]);
    }
  }
  finish_row<kAct>(r, row, channel, block, sum);
}

template <Act kAct>
inline void depthwise3x3_row(const ConvRow& r) {
  for (int channel = 0; channel < r.conv->out_channels; ++channel) {
    Vec filter[9];
    ESR_UNROLL
    for (int i = 0; i < 9; ++i) filter[i] = splat(r.conv->weight[9 * channel + i]);
    const Vec bias = splat(r.conv->bias[channel]);
    for (int row = 0; row < r.rows; ++row)
      for (int block = 0; block < r.geometry->blocks; ++block)
        filter_row<kAct>(r, r.sources[0].row + row, row, channel, block, filter, bias);
  }
}

inline void depthwise3x3(const ConvRow& r) {
  with_act(r.conv->act, [&]<Act kAct>() { depthwise3x3_row<kAct>(r); });
}

}  // namespace ESR_ISA
}  // namespace esr
