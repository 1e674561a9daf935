// The small maps of esa, see esa.h: conv2 with its pooling, and conv3.
#pragma once

#include "epilogue.cuh"
#include "halo.cuh"
#include "steps/esa.h"

namespace esr::cuda {

// A NaN wins, as in torch.
ESR_DEVICE float larger(float a, float b) { return b > a || b != b ? b : a; }

template <class F, int kNTiles>
class EsaPoolBlock {
 public:
  ESR_DEVICE explicit EsaPoolBlock(const EsaParameters& p) : p_(p) {
    const int row = block_index() / p.geometry.across;
    batch_ = row / p.geometry.down;
    top_ = row % p.geometry.down * Tile::kPooled;
    left_ = block_index() % p.geometry.across * Tile::kPooled;
  }

  ESR_DEVICE void run() const {
    load_weights();
    float sum[Tile::kWarpRows][kNTiles][4] = {};
    for (int slab = 0; slab < p_.geometry.slabs; ++slab) {
      load_slab(slab);
      commit_copies();
      wait_copies<0>();
      sync_block();
      multiply(slab, sum);
      sync_block();  // the slab's place is free
    }
    store_sums(sum);
    sync_block();
    pool();
  }

 private:
  using Tile = EsaPoolTile;
  static constexpr int kChannels = 8 * kNTiles;
  static constexpr int kTapBytes = kChannels * kPixelBytes;

  ESR_DEVICE uint32_t tile_address() const { return p_.geometry.slabs * 9 * kTapBytes; }
  ESR_DEVICE static int warp_row() { return thread_index() / 32 * Tile::kWarpRows; }

  ESR_DEVICE void load_weights() const {
    const int bytes = p_.geometry.slabs * 9 * kTapBytes;
    ESR_ROLLED
    for (int at = 16 * thread_index(); at < bytes; at += 16 * Tile::kThreads)
      copy_async(at, p_.conv2 + at, true);
  }

  ESR_DEVICE void load_slab(int slab) const {
    const Size& size = p_.size;
    constexpr int kPieces = 2 * Tile::kInput * Tile::kInput;
    ESR_ROLLED
    for (int i = thread_index(); i < kPieces; i += Tile::kThreads) {
      const int chunk = i % 2, column = i / 2 % Tile::kInput, row = i / 2 / Tile::kInput;
      const int y = 6 * top_ + row, x = 6 * left_ + column;
      const bool valid = y < size.height && x < size.width;
      const int line = (slab * size.batch + batch_) * size.height + y;
      const int64_t from = valid ? (int64_t(line) * size.width + x) * kPixelBytes + 16 * chunk : 0;
      const int place = column / 2 + column % 2 * Tile::kEvenColumns;
      copy_async(row_address(row) + swizzled_address(place, chunk), p_.a + from, valid);
    }
  }
  ESR_DEVICE uint32_t row_address(int row) const {
    return tile_address() + row * Tile::kInput * kPixelBytes;
  }

  ESR_DEVICE void multiply(int slab, float (&sum)[Tile::kWarpRows][kNTiles][4]) const {
    ESR_UNROLL
    for (int tap = 0; tap < 9; ++tap) {
      const int dy = tap / 3, dx = tap % 3;
      const int place = dx / 2 + dx % 2 * Tile::kEvenColumns;
      uint32_t b[kNTiles / 2][4];
      ESR_UNROLL
      for (int t = 0; t < kNTiles; t += 2)
        load_columns((slab * 9 + tap) * kTapBytes, 8 * t, b[t / 2]);
      ESR_UNROLL
      for (int r = 0; r < Tile::kWarpRows; ++r) {
        uint32_t a[4];
        load_pixels<F>(row_address(2 * (warp_row() + r) + dy), place, a);
        ESR_UNROLL
        for (int t = 0; t < kNTiles; ++t)
          F::multiply(sum[r][t], a, b[t / 2][t % 2 * 2], b[t / 2][t % 2 * 2 + 1]);
      }
    }
  }

  // Of a pixel of conv2.
  ESR_DEVICE uint32_t sum_address(int row, int column, int channel) const {
    return tile_address() + (row * Tile::kSide + column) * Tile::pixel_bytes(kNTiles) + 4 * channel;
  }

  ESR_DEVICE void store_sums(const float (&sum)[Tile::kWarpRows][kNTiles][4]) const {
    ESR_UNROLL
    for (int t = 0; t < kNTiles; ++t) {
      const int channel = 8 * t + lane_index() % 4 * 2;
      const float low = load_global(p_.bias2 + channel), high = load_global(p_.bias2 + channel + 1);
      ESR_UNROLL
      for (int i = 0; i < 2 * Tile::kWarpRows; ++i) {
        const float* pair = sum[i / 2][t] + i % 2 * 2;
        store_shared(sum_address(warp_row() + i / 2, lane_index() / 4 + i % 2 * 8, channel),
                     Bytes8{{pair[0] + low, pair[1] + high}});
      }
    }
  }

  ESR_DEVICE void pool() const {
    const EsaGeometry& g = p_.geometry;
    constexpr int kValues = Tile::kPooled * Tile::kPooled * kChannels;
    for (int i = thread_index(); i < kValues; i += Tile::kThreads) {
      const int channel = i % kChannels, pixel = i / kChannels;
      const int row = pixel / Tile::kPooled, column = pixel % Tile::kPooled;
      const int y = top_ + row, x = left_ + column;
      if (y >= g.height || x >= g.width) continue;
      float best = load_shared<float>(sum_address(3 * row, 3 * column, channel));
      ESR_UNROLL
      for (int k = 1; k < 49; ++k)
        best = larger(
            best, load_shared<float>(sum_address(3 * row + k / 7, 3 * column + k % 7, channel)));
      const int64_t at = (int64_t(batch_) * g.height + y) * g.width + x;
      store_global(p_.pooled + at * kChannels + channel, channel < p_.a_channels ? best : 0.f);
    }
  }

  const EsaParameters& p_;
  int batch_, top_, left_;
};

ESR_DEVICE void load_floats(const float* from, float (&value)[4]) {
  const Bytes16 bytes = load_global(reinterpret_cast<const Bytes16*>(from));
  ESR_UNROLL
  for (int i = 0; i < 4; ++i) value[i] = float_of_bits(bytes.word[i]);
}

// sum += the products of one pixel under one tap.
ESR_DEVICE void add_tap(const float* pixel, const float* weights, int channels, float (&sum)[4]) {
  ESR_ROLLED
  for (int c = 0; c < channels; c += 4) {
    float value[4];
    load_floats(pixel + c, value);
    ESR_UNROLL
    for (int i = 0; i < 4; ++i) {
      float weight[4];
      load_floats(weights + (c + i) * channels, weight);
      ESR_UNROLL
      for (int o = 0; o < 4; ++o) sum[o] += value[i] * weight[o];
    }
  }
}

// Four channels of one pixel of the map.
ESR_DEVICE void make_map(const EsaParameters& p) {
  const EsaGeometry& g = p.geometry;
  const int channels = 8 * g.n_tiles, parts = channels / 4;
  const int i = block_index() * thread_count() + thread_index();
  const int pixel = i / parts, first = i % parts * 4;
  if (pixel >= p.size.batch * g.height * g.width) return;
  const int y = pixel / g.width % g.height, x = pixel % g.width;
  float sum[4];
  load_floats(p.bias3 + first, sum);
  ESR_ROLLED
  for (int tap = 0; tap < 9; ++tap) {
    const int dy = tap / 3 - 1, dx = tap % 3 - 1;
    if (y + dy < 0 || y + dy >= g.height || x + dx < 0 || x + dx >= g.width) continue;
    add_tap(p.pooled + int64_t(pixel + dy * g.width + dx) * channels,
            p.conv3 + tap * channels * channels + first, channels, sum);
  }
  Bytes16 bytes;
  ESR_UNROLL
  for (int o = 0; o < 4; ++o) bytes.word[o] = bits_of_float(sum[o]);
  store_global(reinterpret_cast<Bytes16*>(p.map + int64_t(pixel) * channels + first), bytes);
}

}  // namespace esr::cuda
