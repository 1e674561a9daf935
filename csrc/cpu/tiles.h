// Instructions on matrix tiles (AMX): registers of 16 rows of 64 bytes. A tile of bfloat16 numbers
// is 16 pixels of 32 channels, or the weights of 32 input and 16 output channels as 16 rows of
// pairs; a tile of floats is the sums of 16 pixels and 16 output channels.
//
// All that the kernels ask of the tile unit goes through these functions; the tests have functions
// of the same names, which run anywhere and check every access. Written as assembly because the
// compilers' own functions take no register from a template, and GCC 12 forgets most of the
// configuration.
#pragma once

#include <cstddef>

#include "simd.h"
#include "tile_config.h"

namespace esr {
namespace ESR_ISA {

// Before the first tile of a thread's work, and after the last: in between other libraries may
// have tiles of their own, and a thread without tiles is cheaper to switch.
ESR_INLINE void tile_configure(const TileConfig& config) {
  asm volatile("ldtilecfg %0" ::"m"(config));
}
ESR_INLINE void tile_release() { asm volatile("tilerelease"); }

// Rows `stride` bytes apart.
template <int kTo>
ESR_INLINE void tile_load(const float* from, size_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(kTo) : "memory");
}
template <int kFrom>
ESR_INLINE void tile_store(float* to, size_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(kFrom) : "memory");
}

// sums += pixels * weights
template <int kSums, int kPixels, int kWeights>
ESR_INLINE void tile_dot() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSums), "i"(kPixels), "i"(kWeights));
}

}  // namespace ESR_ISA
}  // namespace esr
