// One tile row of a convolution of any odd size, applied directly.
//
// A block at a time: its pixels and those beside it are laid out in their order for all channels
// that are read, so that a tap is a load, and each register tile of sums runs over all taps.
#pragma once

#include "../stretches.h"
#include "direct_conv.h"

namespace esr {
namespace ESR_ISA {

// The laid out rows: `row` floats from one to the next, `channel` from one channel's to the next's.
struct LaidOut {
  const float* first;
  size_t row, channel;
};

// kVectors vectors of kGroup output channels, from the first tap of the first channel on.
template <int kVectors>
ESR_INLINE void sum_taps(const LaidOut& in, const Taps& taps, int channels, const float* weight,
                         Vec (&sum)[kGroup][kVectors]) {
  for (int c = 0; c < channels; ++c) {
    for (int i = 0; i < taps.rows; ++i) {
      const float* pixels = in.first + c * in.channel + i * taps.dilation * in.row;
      for (int k = 0; k < taps.columns; ++k, pixels += taps.dilation, weight += kGroup) {
        Vec d[kVectors];
        ESR_UNROLL
        for (int v = 0; v < kVectors; ++v) d[v] = held(load_unaligned(pixels + v * kLanes));
        ESR_UNROLL
        for (int g = 0; g < kGroup; ++g) {
          ESR_UNROLL
          for (int v = 0; v < kVectors; ++v) sum[g][v] = fma(weight[g], d[v], sum[g][v]);
        }
      }
    }
  }
}

// The sums of a block in one row, [kGroup][pixels]. Not inlined: one for all activations.
ESR_NOINLINE void sum_block(LaidOut in, const Taps& taps, int channels, const float* weight,
                            const float* bias, int count, float* sums) {
  for (int x = 0; x < kTile; x += kRowVectors, in.first += kRowVectors * kLanes) {
    Vec sum[kGroup][kRowVectors];
    ESR_UNROLL
    for (int g = 0; g < kGroup; ++g) {
      ESR_UNROLL
      for (int v = 0; v < kRowVectors; ++v) sum[g][v] = splat(g < count ? bias[g] : 0.f);
    }
    sum_taps(in, taps, channels, weight, sum);
    ESR_UNROLL
    for (int g = 0; g < kGroup; ++g) {
      ESR_UNROLL
      for (int v = 0; v < kRowVectors; ++v) store(sums + (g * kTile + x + v) * kLanes, sum[g][v]);
    }
  }
}

// `pixels`: [channel of all sources][row of the window][stretch].
inline LaidOut lay_out_sources(const ConvRow& r, const Stretch& stretch, int block, float* pixels) {
  const int rows = 2 * r.conv->taps.above() + kTile;
  const LaidOut laid_out{pixels, stretch.floats(), rows * stretch.floats()};
  for (int s = 0; s < r.source_count; ++s) {
    const SourceRows& source = r.sources[s];
    for (int c = 0; c < source.channels; ++c) {
      const size_t at = kLanes + c * source.geometry->channel_stride();
      for (int i = 0; i < rows; ++i, pixels += stretch.floats())
        lay_out(source.row[i] + at, *source.geometry, stretch, block, pixels);
    }
  }
  return laid_out;
}

inline int channels_of(const ConvRow& r) {
  int channels = 0;
  for (int s = 0; s < r.source_count; ++s) channels += r.sources[s].channels;
  return channels;
}

template <Act kAct>
inline void finish_tile(const ConvRow& r, int row, int channel, int count, int block,
                        const float* sums) {
  for (int g = 0; g < count; ++g) {
    Vec phases[kTile];
    ESR_UNROLL
    for (int p = 0; p < kTile; ++p) phases[p] = load(sums + (g * kTile + p) * kLanes);
    take_apart(phases);
    finish_row<kAct>(r, row, channel + g, block, phases);
  }
}

template <Act kAct>
inline void direct_conv_row(const ConvRow& r) {
  const Taps& taps = r.conv->taps;
  const int depth = r.conv->in_channels, groups = channels_of(r) / depth;
  const int made = r.conv->out_channels / groups;  // by each group
  const size_t tile_weights = size_t(depth) * taps.rows * taps.columns * kGroup;
  const Stretch stretch(taps, kLanes, 1);
  float *sums = r.scratch, *pixels = sums + kGroup * stretch.pixels();
  for (int block = 0; block < r.geometry->blocks; ++block) {
    const LaidOut all = lay_out_sources(r, stretch, block, pixels);
    const float* weight = r.conv->weight;
    for (int group = 0; group < groups; ++group) {
      LaidOut in = all;
      in.first += group * depth * all.channel + stretch.margin - taps.beside();
      for (int o = 0; o < made; o += kGroup, weight += tile_weights) {
        const int channel = group * made + o, count = made - o < kGroup ? made - o : kGroup;
        for (int row = 0; row < r.rows; ++row) {
          const LaidOut here{in.first + row * in.row, in.row, in.channel};
          sum_block(here, taps, depth, weight, r.conv->bias + channel, count, sums);
          finish_tile<kAct>(r, row, channel, count, block, sums);
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
