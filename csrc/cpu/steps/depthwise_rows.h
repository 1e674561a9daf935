// One tile row of a depthwise convolution of any odd size, applied directly. (With one input
// channel for each output channel there is no product that Winograd's transforms would pay for.)
//
// A pixel that is loaded serves all rows of the tile row that have a tap there. Taps not farther
// than a tile are found in the blocks as they lie; for others the rows are laid out first.
#pragma once

#include "../stretches.h"
#include "depthwise.h"

namespace esr {
namespace ESR_ISA {

constexpr int kTall = kPanel >= 4 ? 4 : 2;  // rows of near taps: with their pixels, the registers

// Runs add.operator()<rows>() for a set of rows: neighbours, or some that are a dilation apart.
template <class Add>
ESR_INLINE void with_rows(int rows, Add&& add) {
  switch (rows) {
#define ESR_CASE(set) \
  case set: return add.template operator()<set>();
    // clang-format off
    ESR_CASE(1) ESR_CASE(2) ESR_CASE(3) ESR_CASE(4) ESR_CASE(5) ESR_CASE(7)
    ESR_CASE(8) ESR_CASE(9) ESR_CASE(10) ESR_CASE(12) ESR_CASE(14) ESR_CASE(15)
    // clang-format on
#undef ESR_CASE
  }
}

// Calls add(set, i, tap) for each row i of the source that some of kRows rows read: the first of
// the set with its row `tap` of taps, the next with the row before that, and so on.
template <int kRows, class Add>
ESR_INLINE void each_source_row(const Taps& taps, Add&& add) {
  for (int top = 0; top < taps.dilation && top < kRows; ++top) {
    const int sharing = (kRows - 1 - top) / taps.dilation + 1;  // rows that read the same ones
    for (int i = 0; i < taps.rows + sharing - 1; ++i) {
      const int first = i < taps.rows ? 0 : i - taps.rows + 1;
      const int last = i < sharing ? i : sharing - 1;
      int set = 0;
      for (int n = first; n <= last; ++n) set |= 1 << (top + n * taps.dilation);
      add(set, top + i * taps.dilation, i - first);
    }
  }
}

template <int kRows, int kVectors>
ESR_INLINE void set_sums(Vec (&sum)[kRows][kVectors], Vec bias) {
  ESR_UNROLL
  for (int row = 0; row < kRows; ++row) {
    ESR_UNROLL
    for (int v = 0; v < kVectors; ++v) sum[row][v] = bias;
  }
}

// Of pixels in their order: kRowVectors vectors of all rows from `pixels` on, where the first tap
// lies.
ESR_INLINE void far_taps(const float* pixels, size_t stride, const Taps& taps, const float* weight,
                         Vec bias, float* out, size_t out_stride) {
  Vec sum[kTile][kRowVectors];
  set_sums(sum, bias);
  each_source_row<kTile>(taps, [&](int set, int i, int tap) __attribute__((always_inline)) {
    const float *from = pixels + i * stride, *w = weight + tap * taps.columns;
    with_rows(set, [&]<int kSet>() __attribute__((always_inline)) {
      for (int k = 0; k < taps.columns; ++k) {
        Vec d[kRowVectors];
        ESR_UNROLL
        for (int v = 0; v < kRowVectors; ++v)
          d[v] = held(load_unaligned(from + k * taps.dilation + v * kLanes));
        const float* number = w + k;
        ESR_UNROLL
        for (int row = 0; row < kTile; ++row) {
          if (!(kSet >> row & 1)) continue;
          ESR_UNROLL
          for (int v = 0; v < kRowVectors; ++v) sum[row][v] = fma(*number, d[v], sum[row][v]);
          number -= taps.columns;
        }
      }
    });
  });
  store_sums(sum, out, out_stride);
}

// Of the block at `at` in each of the rows: its sums in kTall rows, phase by phase.
template <int kColumns, int kDilation>
ESR_INLINE void near_taps(const float* const* rows, size_t at, const float* before,
                          const float* after, const Taps& taps, const float* weight, Vec bias,
                          float* out, size_t out_stride) {
  constexpr int kReach = kColumns / 2 * kDilation;
  Vec sum[kTall][kTile];
  set_sums(sum, bias);
  each_source_row<kTall>(taps, [&](int set, int i, int tap) __attribute__((always_inline)) {
    const float *p = rows[i] + at, *w = weight + tap * kColumns;
    Vec d[kTile + 2 * kReach];
    load_columns<kReach>(p, before ? before : p - kTile * kLanes,
                         after ? after : p + kTile * kLanes, d);
    with_rows(set, [&]<int kSet>() __attribute__((always_inline)) {
      const float* numbers = w;
      ESR_UNROLL
      for (int row = 0; row < kTall; ++row) {
        if (!(kSet >> row & 1)) continue;
        ESR_UNROLL
        for (int k = 0; k < kColumns; ++k) {
          ESR_UNROLL
          for (int p = 0; p < kTile; ++p)
            sum[row][p] = fma(numbers[k], d[p + k * kDilation], sum[row][p]);
        }
        numbers -= kColumns;
      }
    });
  });
  store_sums(sum, out, out_stride);
}

// A channel's rows and constants.
struct DepthwiseChannel {
  const float* const* rows;
  size_t at;  // of block 0
  const float* weight;
  Vec bias;
};

// The sums of `blocks` blocks from `block` on, [kTile][pixels], phase by phase.
template <int kColumns, int kDilation>
inline void near_blocks(const ConvRow& r, const DepthwiseChannel& c, int block, int blocks,
                        float* sums) {
  const Geometry& g = *r.geometry;
  const size_t stride = blocks * g.block_stride();
  for (int b = block; b < block + blocks; ++b, sums += g.block_stride()) {
    const float *before = b == 0 ? kOutside : nullptr,
                *after = b + 1 == g.blocks ? kOutside : nullptr;
    for (int row = 0; row < kTile; row += kTall)
      near_taps<kColumns, kDilation>(c.rows + row, c.at + b * g.block_stride(), before, after,
                                     r.conv->taps, c.weight, c.bias, sums + row * stride, stride);
  }
}

// The same with pixels in their order.
ESR_NOINLINE void far_blocks(const ConvRow& r, const DepthwiseChannel& c, int block, int blocks,
                             float* sums, float* pixels) {
  const Taps& taps = r.conv->taps;
  const Stretch stretch(taps, kLanes, blocks);
  for (int i = 0; i < 2 * taps.above() + kTile; ++i) {
    float* const row = pixels + i * stretch.floats();
    lay_out(c.rows[i] + c.at, *r.geometry, stretch, block, row);
    if (taps.reflect) reflect_edges(*r.geometry, stretch, block, taps.beside(), row);
  }
  const size_t first = stretch.margin - taps.beside();
  for (size_t x = 0; x < stretch.pixels(); x += kRowVectors * kLanes)
    far_taps(pixels + first + x, stretch.floats(), taps, c.weight, c.bias, sums + x,
             stretch.pixels());
}

// Sums by the kernel for the taps. Not inlined: one for all activations.
ESR_NOINLINE void sum_blocks(const ConvRow& r, const DepthwiseChannel& c, int block, int blocks,
                             float* sums, float* pixels) {
  with_taps(
      r.conv->taps,
      [&]<int kColumns, int kDilation>() {
        near_blocks<kColumns, kDilation>(r, c, block, blocks, sums);
      },
      [&] { far_blocks(r, c, block, blocks, sums, pixels); });
}

template <Act kAct>
inline void finish_blocks(const ConvRow& r, int channel, int block, int blocks, const float* sums,
                          bool in_order) {
  const Geometry& g = *r.geometry;
  for (int row = 0; row < r.rows; ++row) {
    const float* from = sums + row * blocks * g.block_stride();
    float* next = r.out[row] + kLanes + (channel + 1) * g.channel_stride();
    for (int b = block; b < block + blocks; ++b, from += g.block_stride()) {
      prefetch_block<1>(next + b * g.block_stride());
      Vec phases[kTile];
      ESR_UNROLL
      for (int p = 0; p < kTile; ++p) phases[p] = load(from + p * kLanes);
      if (in_order) take_apart(phases);
      finish_row<kAct>(r, row, channel, b, phases);
    }
  }
}

template <Act kAct>
inline void depthwise_row(const ConvRow& r) {
  const Geometry& g = *r.geometry;
  const Taps& taps = r.conv->taps;
  const int most = depthwise_blocks(g);
  float *sums = r.scratch, *pixels = sums + kTile * most * g.block_stride();
  for (int channel = 0; channel < r.conv->out_channels; ++channel) {
    const DepthwiseChannel c{r.sources[0].row, kLanes + channel * g.channel_stride(),
                             r.conv->weight + size_t(channel) * taps.rows * taps.columns,
                             splat(r.conv->bias[channel])};
    for (int block = 0; block < g.blocks; block += most) {
      const int blocks = g.blocks - block < most ? g.blocks - block : most;
      sum_blocks(r, c, block, blocks, sums, pixels);
      finish_blocks<kAct>(r, channel, block, blocks, sums, are_far(taps));
    }
  }
}

inline void depthwise(const ConvRow& r) {
  with_act(r.conv->act, [&]<Act kAct>() { depthwise_row<kAct>(r); });
}

}  // namespace ESR_ISA
}  // namespace esr
