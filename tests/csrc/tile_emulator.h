// The instructions of csrc/cpu/tiles.h as functions that run on any processor, and say what real
// ones would not: a tile that is not configured is an illegal instruction there, a sum of numbers
// that were never loaded just a wrong picture.
#pragma once

#include <cmath>
#include <cstring>

#include "checks.h"
#include "simd.h"
#include "tile_config.h"

namespace esr {
namespace ESR_ISA {

struct EmulatedTile {
  bool loaded = false;
  alignas(64) uint8_t bytes[16][64];
};

// Of one thread.
struct TileUnit {
  const TileConfig* config = nullptr;
  EmulatedTile tiles[8];
  std::string fault;  // the first one

  void check(bool holds, const char* what) {
    if (!holds && fault.empty()) fault = what;
  }
  EmulatedTile& tile(int number) {
    check(config, "a tile is used without a configuration");
    check(!config || config->rows[number] == 16, "a tile is used that is not configured");
    return tiles[number];
  }
  const EmulatedTile& loaded(int number) {
    check(tile(number).loaded, "a tile is read that was never loaded");
    return tiles[number];
  }
};

inline TileUnit& tile_unit() {
  thread_local TileUnit unit;
  return unit;
}

inline void tile_configure(const TileConfig& config) {
  TileUnit& unit = tile_unit();
  unit.check(config.palette == 1 && config.start_row == 0, "this palette is not known");
  for (uint8_t byte : config.reserved) unit.check(byte == 0, "reserved bytes are not zero");
  for (int i = 0; i < 16; ++i) {
    unit.check(config.rows[i] <= (i < 8 ? 16 : 0), "a tile has too many rows");
    unit.check(config.row_bytes[i] <= (i < 8 ? 64 : 0), "a tile's rows are too long");
    unit.check(!config.rows[i] == !config.row_bytes[i], "a tile has rows of nothing");
  }
  unit.check(!unit.config, "tiles are configured twice");
  unit.config = &config;
  for (EmulatedTile& tile : unit.tiles) tile.loaded = false;
}

inline void tile_release() {
  tile_unit().check(tile_unit().config, "tiles are released that nobody configured");
  tile_unit().config = nullptr;
}

template <int kTo>
void tile_load(const float* from, size_t stride) {
  EmulatedTile& tile = tile_unit().tile(kTo);
  for (int row = 0; row < 16; ++row)
    std::memcpy(tile.bytes[row], reinterpret_cast<const uint8_t*>(from) + row * stride, 64);
  tile.loaded = true;
}

template <int kFrom>
void tile_store(float* to, size_t stride) {
  const EmulatedTile& tile = tile_unit().loaded(kFrom);
  tile_unit().check(stride >= 64, "stored rows overlap");
  for (int row = 0; row < 16; ++row)
    std::memcpy(reinterpret_cast<uint8_t*>(to) + row * stride, tile.bytes[row], 64);
}

inline float bfloat16_at(const uint8_t* bytes) {
  uint32_t bits = 0;
  std::memcpy(reinterpret_cast<uint8_t*>(&bits) + 2, bytes, 2);
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

template <int kSums, int kPixels, int kWeights>
void tile_dot() {
  const EmulatedTile &pixels = tile_unit().loaded(kPixels), &weights = tile_unit().loaded(kWeights);
  tile_unit().loaded(kSums);
  auto& sums = reinterpret_cast<float (&)[16][16]>(tile_unit().tiles[kSums].bytes);
  for (int m = 0; m < 16; ++m)
    for (int k = 0; k < 16; ++k)
      for (int n = 0; n < 16; ++n)
        for (int half = 0; half < 4; half += 2)
          sums[m][n] += bfloat16_at(pixels.bytes[m] + 4 * k + half) *
                        bfloat16_at(weights.bytes[k] + 4 * n + half);
}

}  // namespace ESR_ISA
}  // namespace esr
