// Matrix tiles (AMX): registers of 16 rows of 64 bytes. A tile of bfloat16 numbers is 16
// pixels of 32 channels, or the weights of 32 input and 16 output channels as 16 rows of pairs; a
// tile of floats is the sums of 16 pixels and 16 output channels. The tests have functions of the
// same names, which run anywhere and check every access.
//
// Written as assembly because the compilers' own functions take no register from a template.
#pragma once

#include <cstddef>
#include <cstdint>

namespace esr {
namespace ESR_ISA {

constexpr int kTileRows = 16, kTileFloats = 256;  // rows of a tile; floats of memory

// What the processor wants to know of its tiles: four of the full size.
struct TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16};
};

// Before the first tile of a thread's work, and after the last: in between other libraries may
// have tiles of their own, and a thread without tiles is cheaper to switch.
inline void tiles_begin() {
  static const TileConfig config;
  asm volatile("ldtilecfg %0" ::"m"(config));
}
inline void tiles_end() { asm volatile("tilerelease"); }

template <int kTo>
inline __attribute__((always_inline)) void tile_zero() {
  asm volatile("tilezero %%tmm%c0" ::"i"(kTo));
}

// Rows `stride` bytes apart.
template <int kTo>
inline __attribute__((always_inline)) void tile_load(const float* from, size_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(kTo) : "memory");
}
template <int kFrom>
inline __attribute__((always_inline)) void tile_store(float* to, size_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(kFrom) : "memory");
}

// sums += pixels * weights
template <int kSums, int kPixels, int kWeights>
inline __attribute__((always_inline)) void tile_dot() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSums), "i"(kPixels), "i"(kWeights));
}

}  // namespace ESR_ISA
}  // namespace esr
