// Launch geometry: how a kernel covers a picture on a device. Pure functions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "slabs.h"

namespace esr::cuda {

// What the geometry of a launch depends on.
struct Device {
  int sm_count;      // streaming multiprocessors
  int shared_bytes;  // that one block may have
  bool fast_half_sums = false;
};

struct Size {
  int batch, height, width;
};

constexpr int divide_up(int a, int b) { return (a + b - 1) / b; }

// A convolution's block makes 16 rows of 32 pixels; each of its 8 warps 4 rows of 16.
struct ConvTile {
  static constexpr int kRows = 16, kColumns = 32, kWarpRows = 4, kThreads = 256;
};

struct ConvGeometry {
  int n_tiles;       // products of 8 columns that a block makes: 2, 4, 6 or 8
  int layers;        // of blocks, that share the output channels
  int stages;        // slabs of a picture tile that are in flight
  bool resident;     // all weights of the block stay in shared memory; else they come with a slab
  int down, across;  // tiles of the picture
  int blocks;        // of each layer
  int shared_bytes;
};

// Shared memory of each stage, and of one slab's weights.
constexpr int halo_bytes(int taps) {
  const int halo = taps == 9 ? 2 : 0;
  return (ConvTile::kRows + halo) * (ConvTile::kColumns + halo) * kPixelBytes;
}
constexpr int slab_weight_bytes(int taps, int tiles) { return taps * 8 * tiles * kPixelBytes; }

// The tiles whose blocks take the least time together: a block's products, and reading what all
// blocks read, which costs about as much as 16 columns.
constexpr int conv_tiles(Format format, int out_channels) {
  const int columns = slab_count(format, out_channels) * slab_channels(format);
  const auto cost = [columns](int tiles) {
    return divide_up(columns, 8 * tiles) * (8 * tiles + 16);
  };
  int best = 8;
  for (int tiles : {6, 4, 2})
    if (cost(tiles) < cost(best)) best = tiles;
  return best;
}

// Blocks of so many products that a multiprocessor's registers hold.
constexpr int conv_blocks_per_sm(Format format, int n_tiles) {
  return n_tiles <= (format == Format::half_sums ? 2 : 4) ? 2 : 1;
}

// So many slabs of a 1x1 convolution's weights fit beside a 3x3 one's on every device.
constexpr int kMaxPointwiseSlabs = 12;

// What the geometry of a convolution depends on beside the device and the picture.
struct ConvShape {
  Format format;
  int taps, slabs, out_channels, n_tiles;
  int pointwise = 0;      // slabs that a 1x1 convolution of the result reads; 0 where there is none
  int blocks_per_sm = 0;  // forced; 0: as many as fit
};

// Throws std::invalid_argument where a block, or the forced number of them, does not fit.
inline ConvGeometry conv_geometry(const Device& device, const ConvShape& shape, const Size& size) {
  ConvGeometry g{};
  g.n_tiles = shape.n_tiles;
  g.layers = divide_up(shape.out_channels, 8 * g.n_tiles);
  g.down = divide_up(size.height, ConvTile::kRows);
  g.across = divide_up(size.width, ConvTile::kColumns);
  const int halo = halo_bytes(shape.taps), weights = slab_weight_bytes(shape.taps, g.n_tiles);
  const auto bytes = [&](int stages, bool resident) {
    return stages * halo + (resident ? shape.slabs : stages) * weights +
           shape.pointwise * slab_weight_bytes(1, g.n_tiles);
  };
  const int most = conv_blocks_per_sm(shape.format, g.n_tiles);
  const int least = std::max(shape.blocks_per_sm, 1);
  // A multiprocessor has 1 KiB more than a block may have, and every block costs 1 KiB.
  int together = shape.blocks_per_sm ? shape.blocks_per_sm : most;
  for (; together >= least; --together) {
    const int limit = (device.shared_bytes + 1024) / together - 1024;
    g.resident = bytes(2, true) <= limit;
    g.stages = bytes(3, g.resident) <= limit ? 3 : 2;
    g.shared_bytes = bytes(g.stages, g.resident);
    if (g.shared_bytes <= limit) break;
  }
  if (together > most || (together < least && shape.blocks_per_sm))
    throw std::invalid_argument("convolutions of " + std::to_string(g.n_tiles) + " tiles and " +
                                std::to_string(shape.slabs) + " slabs cannot run in " +
                                std::to_string(shape.blocks_per_sm) +
                                (together > most ? " blocks per SM: they need more registers"
                                                 : " blocks per SM: they need more shared memory"));
  if (together < least)
    throw std::invalid_argument("a convolution of " + std::to_string(g.n_tiles) + " tiles needs " +
                                std::to_string(g.shared_bytes) + " bytes of shared memory, and a " +
                                "block may have " + std::to_string(device.shared_bytes));
  const int64_t all = int64_t(size.batch) * g.down * g.across;
  const int64_t limit = std::max(1, device.sm_count * together / g.layers);
  g.blocks = int(std::min(all, limit));
  return g;
}

// Of pack and unpack, which take a pixel of a slab at a time.
constexpr int kConvertThreads = 256;
inline int convert_blocks(const Device& device, int slabs, const Size& size) {
  const int64_t pixels = int64_t(slabs) * size.batch * size.height * size.width;
  const int64_t all = (pixels + kConvertThreads - 1) / kConvertThreads;
  return int(std::min<int64_t>(all, 8 * int64_t(device.sm_count)));
}

// The first pixel of a convolution's tile.
struct Corner {
  int n, y, x;
};
constexpr Corner tile_corner(const ConvGeometry& g, int tile) {
  const int row = tile / g.across;
  return {row / g.down, row % g.down * ConvTile::kRows, tile % g.across * ConvTile::kColumns};
}
constexpr int tile_count(const ConvGeometry& g, const Size& size) {
  return size.batch * g.down * g.across;
}

// The form of a fused spab: slabs of its channels, rows of a step, and patches of 16 columns, of
// which the last four make no result.
template <int kSlabs, int kRows, int kPatches>
struct SpabShape {
  static constexpr int kColumns = 16 * kPatches, kOutColumns = kColumns - 4;
  static constexpr int kThreads = 3 * 32 * kPatches;
  static constexpr int kPitch = kColumns + 2;
  static constexpr int kRingRows = 3 * kRows;
  static constexpr int kRingBytes = kSlabs * kRingRows * kPitch * kPixelBytes;
  static constexpr int kWeightBytes = 3 * kSlabs * slab_weight_bytes(9, 2 * kSlabs);
  static constexpr int kSharedBytes = kWeightBytes + 3 * kRingBytes;
};

// Calls body<slabs, rows, patches>() for every form that there is, those that run best first.
template <class Body>
constexpr void for_spab_shapes(Body body) {
  body.template operator()<2, 4, 4>();
  body.template operator()<2, 2, 4>();
  body.template operator()<2, 2, 2>();
  body.template operator()<3, 2, 3>();
}

struct SpabGeometry {
  int slabs, rows, patches;  // 0 where no form of it fits the device
  int strips, bands, band_rows;
  int64_t steps;  // of the processor that has most of them
  int blocks, threads, shared_bytes;
};

inline SpabGeometry spab_geometry(const Device& device, Format format, int channels,
                                  const Size& size) {
  SpabGeometry g{};
  for_spab_shapes([&]<int kSlabs, int kRows, int kPatches>() {
    using Shape = SpabShape<kSlabs, kRows, kPatches>;
    if (g.slabs || format == Format::tf32 || slab_count(format, channels) != kSlabs) return;
    if (Shape::kSharedBytes > device.shared_bytes) return;
    g = {kSlabs, kRows, kPatches, divide_up(size.width, Shape::kOutColumns)};
    g.threads = Shape::kThreads;
    g.shared_bytes = Shape::kSharedBytes;
  });
  if (!g.slabs) return g;
  // As many bands as make the longest processor's work shortest.
  g.steps = INT64_MAX;
  for (int bands = 1; bands <= size.height; ++bands) {
    const int rows = divide_up(size.height, bands);
    const int64_t rounds = divide_up(g.strips * bands * size.batch, device.sm_count);
    const int64_t steps = rounds * (divide_up(rows + 4, g.rows) + 2);
    if (steps >= g.steps) continue;
    g.steps = steps;
    g.band_rows = rows;
  }
  g.bands = divide_up(size.height, g.band_rows);
  g.blocks = g.strips * g.bands * size.batch;
  return g;
}

// Whether one kernel is to be preferred to three convolutions, by an estimate that no GPU has
// confirmed. Both are counted in rows of 16 pixels that a processor multiplies, and a launch as 30
// of them: 2 microseconds of an H100. Strips begin and end with rows and columns that nobody keeps;
// the memory that they save is worth some of those, and less than those of small pictures.
inline bool spab_pays(const SpabGeometry& g, const Device& device, const Size& size) {
  if (!g.slabs) return false;
  constexpr int64_t kLaunch = 30, kTile = ConvTile::kRows * (ConvTile::kColumns / 16);
  const int64_t tiles = int64_t(size.batch) * divide_up(size.height, ConvTile::kRows) *
                        divide_up(size.width, ConvTile::kColumns);
  const int64_t rounds = (tiles + device.sm_count - 1) / device.sm_count;
  const int64_t apart = 3 * (rounds * kTile + kLaunch);
  return 100 * (g.steps * 3 * g.rows * g.patches + kLaunch) <= 115 * apart;
}

// What a block of spab makes: rows top..bottom - 1 of a strip from column left on.
struct Band {
  int n, top, bottom, left;
};
constexpr Band spab_band(const SpabGeometry& g, const Size& size, int block) {
  const int top = block / g.strips % g.bands * g.band_rows;
  return {block / g.strips / g.bands, top, std::min(top + g.band_rows, size.height),
          block % g.strips * (16 * g.patches - 4)};
}

}  // namespace esr::cuda
