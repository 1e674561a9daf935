// One tile row of a convolution on matrix tiles, applied directly: sums of 16 pixels and up to 32
// output channels stay in two tiles while the filter's places and the sources' slabs pass by.
//
// The tile unit and the vector unit work side by side if a stretch of instructions short enough for
// the processor to reorder has work for both. So the epilogue of an older block of sums is done in
// pieces between the products of a newer one.
#pragma once

#include "../epilogue.h"
#include "../pixels.h"
#include ESR_TILES
#include "tile_conv.h"

namespace esr {
namespace ESR_ISA {

constexpr int kTileFloats = 256;  // of memory that a tile takes

// 16 pixels that are neighbours; or for a result in planes those of one phase of a block, so that
// the sums of one channel, transposed, are a vector.
struct TileBlock {
  const float* sums;  // [16 pixels][2][16]; null: no block
  int row, x;         // the first pixel
  int output, tiles;  // the first output channel; of 16, 1 or 2
};

// Lists the products of a row in the order of the weights; returns how many they are.
inline int list_steps(const TileConvRow& r, int row, TileStep* step) {
  const TileStep* const first = step;
  for (int ky = 0; ky < r.kernel; ++ky) {
    for (int s = 0; s < r.source_count; ++s) {
      const int channels = r.sources[s].channels;
      const float* slab_row = r.sources[s].row[row * r.stride + ky];
      for (int slab = 0; slab < slabs_of(channels); ++slab) {
        const int floats = pixel_floats(channels, slab);
        const float* pixels = slab_row + (1 - r.padding) * floats;
        for (int i = 0; i < products_of(channels, slab, r.kernel); ++i)
          *step++ = {pixels + first_place(channels, slab, r.kernel, i) * floats, floats, 0};
        slab_row += r.sources[s].geometry->slab_stride();
      }
    }
  }
  const int count = int(step - first);
  for (int i = 1; i <= count; ++i) step[i - 1 - count].finished = kTilePixels * i / count;
  return count;
}

// kTiles * 16 output channels of 16 pixels, the first of which is pixel x of the steps, and the
// others `stride` pixels apart. Calls between(step) after each product.
//
// Four tiles and no more: beside another process's tiles on the same core the processor has few
// registers to rename them to, and a loop over all eight then runs at a quarter of its speed.
template <int kTiles, class Between>
ESR_INLINE void tile_products(const TileStep* step, int count, size_t x, size_t stride,
                              const float* weight, const float* bias, float* sums,
                              Between&& between) {
  tile_load<0>(bias, 0);
  if constexpr (kTiles == 2) tile_load<1>(bias + kTileOutputs, 0);
  for (const TileStep* const end = step + count; step < end; ++step) {
    const size_t floats = step->pixel_floats;
    tile_load<2>(step->pixels + x * floats, stride * floats * sizeof(float));
    tile_load<3>(weight, 64);
    tile_dot<0, 2, 3>();
    if constexpr (kTiles == 2) tile_load<3>(weight + kTileFloats, 64);
    if constexpr (kTiles == 2) tile_dot<1, 2, 3>();
    weight += kTiles * kTileFloats;
    between(*step);
  }
  tile_store<0>(sums, 2 * 64);
  if constexpr (kTiles == 2) tile_store<1>(sums + kTileOutputs, 2 * 64);
}

template <Act kAct, int kTiles>
ESR_INLINE void finish_pixel(const float* sums, float slope, const float* residual, float* out) {
  Vec half[kTiles];
  ESR_UNROLL
  for (int t = 0; t < kTiles; ++t) {
    const Vec u = residual ? load_half(residual, t) : splat(0.f);
    half[t] = epilogue<kAct, AsBfloat16>(load(sums + t * kLanes), slope, residual, u);
  }
  if constexpr (kTiles == 2)
    store_pixel(out, half[0], half[1]);
  else
    store_half_pixel(out, half[0]);
}

// The epilogue of a block as pixels, piece by piece.
template <Act kAct>
class PixelsFinisher {
 public:
  ESR_INLINE PixelsFinisher(const TileConvRow& r, const TileBlock& b) : slope_(r.slope) {
    if (!b.sums) return;
    floats_ = b.tiles == 2 ? kPixelFloats : kPixelFloats / 2;
    const size_t at = b.output / kSlab * r.geometry->slab_stride() + size_t(b.x + 1) * floats_;
    sums_ = b.sums;
    out_ = r.out[b.row] + at;
    residual_ = r.residual ? r.residual[b.row] + at : nullptr;
    inside_ = r.geometry->width - b.x;
  }
  // All pixels before this one.
  ESR_INLINE void until(int pixel) {
    for (const int end = pixel < inside_ ? pixel : inside_; done_ < end; ++done_) {
      const float* residual = residual_ ? residual_ + done_ * floats_ : nullptr;
      const float* const sums = sums_ + done_ * kSlab;
      if (floats_ == kPixelFloats)
        finish_pixel<kAct, 2>(sums, slope_, residual, out_ + done_ * floats_);
      else
        finish_pixel<kAct, 1>(sums, slope_, residual, out_ + done_ * floats_);
    }
  }

 private:
  const float* sums_ = nullptr;
  const float* residual_ = nullptr;
  float* out_ = nullptr;
  int inside_ = 0, done_ = 0, floats_ = kPixelFloats;
  const float slope_;
};

// As lines.
template <Act kAct>
class LinesFinisher {
 public:
  ESR_INLINE LinesFinisher(const TileConvRow& r, const TileBlock& b) : slope_(r.slope) {
    if (!b.sums) return;
    sums_ = b.sums;
    stride_ = r.geometry->line_stride();
    out_ = r.out[b.row] + b.output / kTileOutputs * stride_ + size_t(b.x) * kPixelFloats;
    inside_ = r.geometry->width - b.x;
    tiles_ = b.tiles;
  }
  ESR_INLINE void until(int pixel) {
    for (const int end = pixel < inside_ ? pixel : inside_; done_ < end; ++done_)
      for (int t = 0; t < tiles_; ++t)
        store(out_ + t * stride_ + done_ * kPixelFloats,
              epilogue<kAct>(load(sums_ + done_ * kSlab + t * kLanes), slope_, nullptr));
  }

 private:
  const float* sums_ = nullptr;
  float* out_ = nullptr;
  size_t stride_ = 0;
  int inside_ = 0, done_ = 0, tiles_ = 0;
  const float slope_;
};

// As planes: all at once, after the last product.
template <Act kAct>
class PlanesFinisher {
 public:
  ESR_INLINE PlanesFinisher(const TileConvRow& r, const TileBlock& b) : r_(r), b_(b) {}
  ESR_INLINE void until(int pixel) {
    for (int tile = 0; b_.sums && pixel == kTilePixels && tile < b_.tiles; ++tile) finish(tile);
  }

 private:
  void finish(int tile) {
    const Geometry& g = *r_.geometry;
    const int block = b_.x / (kTile * kLanes), phase = b_.x % kTile;
    const int first = b_.output + tile * kTileOutputs;
    Vec v[kLanes];
    for (int i = 0; i < kLanes; ++i) v[i] = load(b_.sums + i * kSlab + tile * kLanes);
    transpose(v);
    size_t at = kLanes + first * g.channel_stride() + block * g.block_stride() + phase * kLanes;
    for (int c = 0; c < kLanes && first + c < r_.out_channels; ++c, at += g.channel_stride()) {
      const float* residual = r_.residual ? r_.residual[b_.row] + at : nullptr;
      const Vec y = epilogue<kAct>(v[c], r_.slope, residual);
      store(r_.out[b_.row] + at, keep_first(y, lanes_inside(g, block, phase)));
    }
  }

  const TileConvRow& r_;
  const TileBlock b_;
};

// All blocks of the tile row. Each is finished while the second one after it is summed: the next
// one would wait until its sums have come to memory.
template <class Finisher>
inline void tile_conv_blocks(const TileConvRow& r, int pixel_stride) {
  TileStep* const steps = reinterpret_cast<TileStep*>(r.scratch + kTileBlocks * kBlockFloats);
  int count = 0;
  for (int row = 0; row < r.rows; ++row) count = list_steps(r, row, steps + row * count);
  TileBlock b{}, last{}, older{};
  int turn = 0;
  for (int first = 0; first < r.geometry->width; first += pixel_stride * kTilePixels) {
    const float* weight = r.weight;
    for (b.output = 0; b.output < r.out_channels; b.output += kSlab) {
      b.tiles = r.out_channels - b.output > kTileOutputs ? 2 : 1;
      for (b.row = 0; b.row < r.rows; ++b.row) {
        for (b.x = first; b.x < first + pixel_stride; ++b.x) {
          float* const sums = r.scratch + turn * kBlockFloats;
          Finisher finisher(r, older);
          const auto between = [&](const TileStep& step) { finisher.until(step.finished); };
          const TileStep* const here = steps + b.row * count;
          const float* const bias = r.bias + b.output;
          const size_t x = size_t(b.x) * r.stride, stride = size_t(pixel_stride) * r.stride;
          if (b.tiles == 2)
            tile_products<2>(here, count, x, stride, weight, bias, sums, between);
          else
            tile_products<1>(here, count, x, stride, weight, bias, sums, between);
          older = last;
          last = b;
          last.sums = sums;
          turn = (turn + 1) % kTileBlocks;
        }
      }
      weight += size_t(count) * b.tiles * kTileFloats;
    }
  }
  Finisher(r, older).until(kTilePixels);
  Finisher(r, last).until(kTilePixels);
}

inline void tile_conv(const TileConvRow& r) {
  static constexpr TileConfig config;
  tile_configure(config);
  with_act(r.act, [&]<Act kAct>() {
    if (r.format == Format::planes)
      tile_conv_blocks<PlanesFinisher<kAct>>(r, kTile);
    else if (r.format == Format::lines)
      tile_conv_blocks<LinesFinisher<kAct>>(r, 1);
    else
      tile_conv_blocks<PixelsFinisher<kAct>>(r, 1);
  });
  tile_release();
}

}  // namespace ESR_ISA
}  // namespace esr
