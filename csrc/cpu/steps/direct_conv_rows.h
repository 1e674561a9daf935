// One tile row of a convolution of any odd size, applied directly.
//
// A block at a time: what the taps read of it is laid out for all channels, and each register tile
// of sums runs over all taps. Near taps read columns, which are loaded once for all taps of a row;
// far ones read pixels in their order, where a tap is a load from anywhere.
#pragma once

#include "../stretches.h"
#include "direct_conv.h"

namespace esr {
namespace ESR_ISA {

constexpr int kTogether = kPanel >= 4 ? kGroup : 2;  // outputs of near taps, as registers allow

// The laid out rows: `row` floats from one to the next, `channel` from one channel's to the next's.
struct LaidOut {
  const float* first;
  size_t row, channel;
};

// What a register tile computes: kGroup output channels, of which `count` exist, from `channels`.
struct DirectTile {
  int channels, count;
  const float *weight, *bias;
};

template <int kOutputs, int kVectors>
ESR_INLINE void set_to_bias(Vec (&sum)[kOutputs][kVectors], const DirectTile& tile, int first) {
  ESR_UNROLL
  for (int g = 0; g < kOutputs; ++g) {
    ESR_UNROLL
    for (int v = 0; v < kVectors; ++v)
      sum[g][v] = splat(first + g < tile.count ? tile.bias[first + g] : 0.f);
  }
}

// kTogether outputs from `first` on: four phases each at `sums`.
template <int kColumns, int kDilation>
ESR_INLINE void sum_near(const LaidOut& in, const Taps& taps, const DirectTile& tile, int first,
                         float* sums) {
  constexpr int kLoaded = kTile + kColumns / 2 * kDilation * 2;
  Vec sum[kTogether][kTile];
  set_to_bias(sum, tile, first);
  const float* weight = tile.weight + first;
  for (int c = 0; c < tile.channels; ++c) {
    for (int i = 0; i < taps.rows; ++i, weight += kColumns * kGroup) {
      const float* columns = in.first + c * in.channel + i * taps.dilation * in.row;
      Vec d[kLoaded];
      ESR_UNROLL
      for (int j = 0; j < kLoaded; ++j) {
        d[j] = load(columns + j * kLanes);
        if constexpr (kPanel >= 4) d[j] = held(d[j]);
      }
      ESR_UNROLL
      for (int k = 0; k < kColumns; ++k) {
        ESR_UNROLL
        for (int g = 0; g < kTogether; ++g) {
          ESR_UNROLL
          for (int p = 0; p < kTile; ++p)
            sum[g][p] = fma(weight[k * kGroup + g], d[p + k * kDilation], sum[g][p]);
        }
      }
    }
  }
  store_sums(sum, sums, kTile * kLanes);
}

// All outputs: kRowVectors vectors of pixels in their order from those at `sums` on.
ESR_INLINE void sum_far(const LaidOut& in, const Taps& taps, const DirectTile& tile, float* sums) {
  Vec sum[kGroup][kRowVectors];
  set_to_bias(sum, tile, 0);
  const float* weight = tile.weight;
  for (int c = 0; c < tile.channels; ++c) {
    for (int i = 0; i < taps.rows; ++i) {
      const float* pixels = in.first + c * in.channel + i * taps.dilation * in.row;
      for (int k = 0; k < taps.columns; ++k, pixels += taps.dilation, weight += kGroup) {
        Vec d[kRowVectors];
        ESR_UNROLL
        for (int v = 0; v < kRowVectors; ++v) d[v] = held(load_unaligned(pixels + v * kLanes));
        ESR_UNROLL
        for (int g = 0; g < kGroup; ++g) {
          ESR_UNROLL
          for (int v = 0; v < kRowVectors; ++v) sum[g][v] = fma(weight[g], d[v], sum[g][v]);
        }
      }
    }
  }
  store_sums(sum, sums, kTile * kLanes);
}

// The sums of a block in one row, [kGroup][pixels]. Not inlined: one for all activations.
ESR_NOINLINE void sum_block(const LaidOut& in, const Taps& taps, const DirectTile& tile,
                            float* sums) {
  with_taps(
      taps,
      [&]<int kColumns, int kDilation>() {
        for (int first = 0; first < kGroup; first += kTogether)
          sum_near<kColumns, kDilation>(in, taps, tile, first, sums + first * kTile * kLanes);
      },
      [&] {
        LaidOut from = in;
        from.first += Stretch(taps, kLanes, 1).margin - taps.beside();
        for (int v = 0; v < kTile; v += kRowVectors, from.first += kRowVectors * kLanes)
          sum_far(from, taps, tile, sums + v * kLanes);
      });
}

// A block of a channel's row as columns: what near taps read.
template <int kReach>
ESR_INLINE void lay_out_columns(const float* channel, const Geometry& g, int block, float* to) {
  const size_t size = g.block_stride();
  const float* p = channel + block * size;
  Vec d[kTile + 2 * kReach];
  load_columns<kReach>(p, block ? p - size : kOutside, block + 1 < g.blocks ? p + size : kOutside,
                       d);
  ESR_UNROLL
  for (int j = 0; j < kTile + 2 * kReach; ++j) store(to + j * kLanes, d[j]);
}

// Of a block, [channel of all sources][row of the window], `floats` each, by the function of a
// channel's row and a place for it.
template <class LayOut>
inline LaidOut lay_out_sources(const ConvRow& r, float* to, size_t floats, LayOut&& lay_out_row) {
  const int rows = 2 * r.conv->taps.above() + kTile;
  const LaidOut laid_out{to, floats, rows * floats};
  for (int s = 0; s < r.source_count; ++s) {
    const SourceRows& source = r.sources[s];
    for (int c = 0; c < source.channels; ++c)
      for (int i = 0; i < rows; ++i, to += floats)
        lay_out_row(source.row[i] + kLanes + c * source.geometry->channel_stride(), to);
  }
  return laid_out;
}

ESR_NOINLINE LaidOut lay_out_block(const ConvRow& r, int block, float* to) {
  const Geometry& g = *r.geometry;
  LaidOut laid_out{};
  with_taps(
      r.conv->taps,
      [&]<int kColumns, int kDilation>() {
        constexpr int kReach = kColumns / 2 * kDilation;
        laid_out = lay_out_sources(
            r, to, (kTile + 2 * kReach) * kLanes,
            [&](const float* row, float* at) { lay_out_columns<kReach>(row, g, block, at); });
      },
      [&] {
        const Stretch stretch(r.conv->taps, kLanes, 1);
        laid_out = lay_out_sources(r, to, stretch.floats(), [&](const float* row, float* at) {
          lay_out(row, g, stretch, block, at);
        });
      });
  return laid_out;
}

inline int channels_of(const ConvRow& r) {
  int channels = 0;
  for (int s = 0; s < r.source_count; ++s) channels += r.sources[s].channels;
  return channels;
}

template <Act kAct>
inline void finish_tile(const ConvRow& r, int row, int channel, int count, int block,
                        const float* sums, bool in_order) {
  for (int g = 0; g < count; ++g) {
    Vec phases[kTile];
    ESR_UNROLL
    for (int p = 0; p < kTile; ++p) phases[p] = load(sums + (g * kTile + p) * kLanes);
    if (in_order) take_apart(phases);
    finish_row<kAct>(r, row, channel + g, block, phases);
  }
}

template <Act kAct>
inline void direct_conv_row(const ConvRow& r) {
  const Taps& taps = r.conv->taps;
  const int depth = r.conv->in_channels, groups = channels_of(r) / depth;
  const int made = r.conv->out_channels / groups;  // by each group
  const size_t tile_weights = size_t(depth) * taps.rows * taps.columns * kGroup;
  const bool in_order = are_far(taps);
  float *sums = r.scratch, *pixels = sums + kGroup * kTile * kLanes;
  for (int block = 0; block < r.geometry->blocks; ++block) {
    LaidOut in = lay_out_block(r, block, pixels);
    DirectTile tile{depth, 0, r.conv->weight, nullptr};
    for (int group = 0; group < groups; ++group, in.first += depth * in.channel) {
      for (int o = 0; o < made; o += kGroup, tile.weight += tile_weights) {
        const int channel = group * made + o;
        tile.count = made - o < kGroup ? made - o : kGroup;
        tile.bias = r.conv->bias + channel;
        for (int row = 0; row < r.rows; ++row) {
          sum_block({in.first + row * in.row, in.row, in.channel}, taps, tile, sums);
          finish_tile<kAct>(r, row, channel, tile.count, block, sums, in_order);
        }
      }
    }
  }
}

inline void direct_conv(const ConvRow& r) {
  with_act(r.conv->act, [&]<Act kAct>() { direct_conv_row<kAct>(r); });
}

}  // namespace ESR_ISA
}  // namespace esr
