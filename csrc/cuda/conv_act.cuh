// conv_act, 3x3 or 1x1: an implicit GEMM over slabs, for as many picture tiles as there are.
//
// A block takes the picture's tiles in turns, and a tile slab by slab; these items pass through a
// ring of stages in shared memory, loads of later ones under way while one is multiplied. Weights
// that fit stay there; others pass through with their slab.
#pragma once

#include "epilogue.cuh"
#include "halo.cuh"
#include "picture.cuh"
#include "pixel_shuffle.cuh"
#include "steps/conv_launch.h"

namespace esr::cuda {

template <class F, int kTaps, int kNTiles, ConvEnds kEnds>
class ConvBlock {
 public:
  ESR_DEVICE explicit ConvBlock(const ConvParameters& p) : p_(p) {}

  ESR_DEVICE void run() {
    const ConvGeometry& g = p_.geometry;
    if (g.resident)
      for (int slab = 0; slab < p_.slabs; ++slab) load_weights(slab, slab);
    if constexpr (kEnds == ConvEnds::to_pointwise) {
      const PointwiseParameters& p = p_.pointwise;
      load_constants(halo_address(g.stages), p.weights, p.slabs * slab_weight_bytes(1, kNTiles));
    }
    Item loaded{block_index()};
    for (int i = 0; i < g.stages - 1; ++i) load(loaded);
    const int tiles = tile_count(g, p_.size);
    int stage = 0;
    for (int tile = block_index(); tile < tiles; tile += block_count()) {
      float sum[kRows][kNTiles][4];
      start_sums<kRows>(p_.bias + block_layer() * 8 * kNTiles, sum);
      for (int slab = 0; slab < p_.slabs; ++slab) {
        g.stages == 3 ? wait_copies<1>() : wait_copies<0>();
        sync_block();  // this item is here, and the stage of the last one is free
        load(loaded);
        multiply({tile, slab, stage}, sum);
        if (++stage == g.stages) stage = 0;
      }
      store(tile, sum);
    }
    wait_copies<0>();
  }

 private:
  static constexpr int kRows = ConvTile::kWarpRows;
  static constexpr int kHalo = kTaps == 9 ? 1 : 0;
  static constexpr int kPitch = ConvTile::kColumns + 2 * kHalo;
  static constexpr int kPixels = (ConvTile::kRows + 2 * kHalo) * kPitch;
  static constexpr int kSlabs = kNTiles / Slab<F>::kNTiles;  // of the block's columns
  static constexpr int kWeightBytes = slab_weight_bytes(kTaps, kNTiles);

  // A slab of a tile, and the stage that it passes through.
  struct Item {
    int tile, slab = 0, stage = 0;
  };
  ESR_DEVICE void advance(Item& item) const {
    if (++item.stage == p_.geometry.stages) item.stage = 0;
    if (++item.slab < p_.slabs) return;
    item.slab = 0;
    item.tile += block_count();
  }

  ESR_DEVICE uint32_t weights(const Item& item) const {
    return (p_.geometry.resident ? item.slab : item.stage) * kWeightBytes;
  }
  ESR_DEVICE uint32_t stage(const Item& item) const { return halo_address(item.stage); }
  ESR_DEVICE uint32_t halo_address(int stage) const {
    const int slots = p_.geometry.resident ? p_.slabs : p_.geometry.stages;
    return slots * kWeightBytes + stage * halo_bytes(kTaps);
  }

  // Every call commits one group, so that groups count items.
  ESR_DEVICE void load(Item& item) const {
    const ConvGeometry& g = p_.geometry;
    if (item.tile < tile_count(g, p_.size)) {
      const Corner t = tile_corner(g, item.tile);
      if constexpr (kEnds == ConvEnds::from_picture)
        load_picture(t, stage(item));
      else
        load_slab(t, item.slab, stage(item));
      if (!g.resident) load_weights(item.slab, item.stage);
      advance(item);
    }
    commit_copies();
  }

  ESR_DEVICE void load_weights(int slab, int slot) const {
    const size_t first = size_t(block_layer()) * p_.slabs + slab;
    load_constants(slot * kWeightBytes, p_.weights + first * kWeightBytes, kWeightBytes);
  }
  ESR_DEVICE static void load_constants(uint32_t to, const char* from, int bytes) {
    ESR_ROLLED
    for (int at = 16 * thread_index(); at < bytes; at += 16 * ConvTile::kThreads)
      copy_async(to + at, from + at, true);
  }

  // Calls f(address of the pixel's row, column, part, y, x) for this thread's parts of pixels.
  template <int kParts, class Each>
  ESR_DEVICE void for_pixels(const Corner& t, uint32_t stage, Each f) const {
    ESR_ROLLED  // registers hold the sums while this runs
    for (int i = thread_index(); i < kParts * kPixels; i += ConvTile::kThreads) {
      const int row = i / kParts / kPitch, column = i / kParts % kPitch;
      f(stage + row * kPitch * kPixelBytes, column, i % kParts, t.y - kHalo + row,
        t.x - kHalo + column);
    }
  }
  ESR_DEVICE bool inside(int y, int x) const {
    return y >= 0 && y < p_.size.height && x >= 0 && x < p_.size.width;
  }

  ESR_DEVICE void load_slab(const Corner& t, int slab, uint32_t to) const {
    const char* plane = p_.sources[slab];
    for_pixels<2>(t, to, [&](uint32_t row, int column, int chunk, int y, int x) {
      const bool valid = inside(y, x);
      const int64_t at = valid ? (t.n * p_.size.height + y) * p_.size.width + x : 0;
      const char* from = plane + at * kPixelBytes + 16 * chunk;
      copy_async(row + swizzled_address(column, chunk), from, valid);
    });
  }

  ESR_DEVICE void load_picture(const Corner& t, uint32_t to) const {
    for_pixels<2>(t, to, [&](uint32_t row, int column, int chunk, int y, int x) {
      Bytes16 piece{};
      if (inside(y, x)) piece = colours(pixel_at(p_.picture, t.n, y, x), chunk);
      store_shared16(row + swizzled_address(column, chunk), piece);
    });
  }

  // A chunk of a slab's pixel.
  ESR_DEVICE Bytes16 colours(int64_t at, int chunk) const {
    constexpr int kChunkChannels = Slab<F>::kChannels / 2;
    float value[kChunkChannels] = {};
    ESR_UNROLL
    for (int i = 0; i < kChunkChannels; ++i) {
      const int c = chunk * kChunkChannels + i;
      if (c >= p_.picture_channels) break;
      value[i] = load_element(p_.picture, at + c * p_.picture.channel) + load_global(p_.shift + c);
    }
    return pack_chunk<F>(value);
  }

  ESR_DEVICE int warp_row() const { return thread_index() / 64 * kRows; }
  ESR_DEVICE int warp_column() const { return thread_index() / 32 % 2 * kPatchPixels; }

  ESR_DEVICE void multiply(const Item& item, float (&sum)[kRows][kNTiles][4]) const {
    const uint32_t first = stage(item) + warp_row() * kPitch * kPixelBytes;
    multiply_slab<F, kTaps>(
        sum, [first](int row) { return first + row * kPitch * kPixelBytes; }, warp_column(),
        weights(item));
  }

  ESR_DEVICE void store(int tile, float (&sum)[kRows][kNTiles][4]) const {
    const Corner t = tile_corner(p_.geometry, tile);
    const int y = t.y + warp_row(), x = t.x + warp_column();
    if (x >= p_.size.width) return;  // by all lanes of the warp
    if constexpr (kEnds == ConvEnds::to_picture) {
      store_shuffled(p_, sum, t.n, y, x, block_layer() * 8 * kNTiles);
    } else {
      ESR_UNROLL
      for (int r = 0; r < kRows; ++r) {
        if (y + r >= p_.size.height) return;
        const int at = (t.n * p_.size.height + y + r) * p_.size.width + x;
        if constexpr (kEnds == ConvEnds::to_pointwise)
          store_pointwise(sum[r], at, p_.size.width - x);
        else
          store_slabs(sum[r], at, p_.size.width - x);
      }
    }
  }

  // A patch from pixel number `at` on, of which `count` pixels exist, with all that follows the
  // sum.
  ESR_DEVICE void finish_patch(const float (&sum)[kNTiles][4], int slab, int at, int count,
                               float (&value)[kPatchValues<F>]) const {
    float u[kPatchValues<F>] = {};
    take_patch<F>(sum, slab, value);
    if (p_.residual) load_patch<F>(p_.residual + offset(slab, at), count, u);
    finish(p_.act, p_.slope, value, u);
  }

  ESR_DEVICE void store_slabs(const float (&sum)[kNTiles][4], int at, int count) const {
    ESR_UNROLL
    for (int slab = 0; slab < kSlabs; ++slab) {
      if (block_layer() * kSlabs + slab >= p_.out_slabs) return;
      float value[kPatchValues<F>];
      finish_patch(sum, slab, at, count, value);
      store_patch<F>(p_.out + offset(slab, at), count, value);
    }
  }

  // The 1x1 convolution of this result and others, in the registers that hold it.
  ESR_DEVICE void store_pointwise(const float (&sum)[kNTiles][4], int at, int count) const {
    const PointwiseParameters& p = p_.pointwise;
    const uint32_t weights = halo_address(p_.geometry.stages);
    constexpr int kSlabWeights = slab_weight_bytes(1, kNTiles);
    float total[1][kNTiles][4];
    start_sums<1>(p.bias, total);
    uint32_t a[4];
    ESR_UNROLL
    for (int slab = 0; slab < kSlabs; ++slab) {
      float value[kPatchValues<F>];
      finish_patch(sum, slab, at, count, value);
      patch_fragment<F>(value, a);
      multiply_patch<F>(total[0], a, weights + (p.own + slab) * kSlabWeights);
    }
    ESR_ROLLED
    for (int slab = 0; slab < p.slabs; ++slab) {
      if (slab >= p.own && slab < p.own + kSlabs) continue;
      load_fragment<F>(p.sources[slab] + int64_t(at) * kPixelBytes, count, a);
      multiply_patch<F>(total[0], a, weights + slab * kSlabWeights);
    }
    ESR_UNROLL
    for (int slab = 0; slab < kSlabs; ++slab) {
      if (slab >= p_.out_slabs) return;
      float value[kPatchValues<F>];
      take_patch<F>(total[0], slab, value);
      store_patch<F>(p_.out + offset(slab, at), count, value);
    }
  }

  ESR_DEVICE int64_t offset(int slab, int at) const {
    const int plane = p_.size.batch * p_.size.height * p_.size.width;
    return (int64_t(block_layer() * kSlabs + slab) * plane + at) * kPixelBytes;
  }

  const ConvParameters& p_;
};

}  // namespace esr::cuda
