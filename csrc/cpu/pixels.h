// Pixels of a slab as vectors of channels, and the way between them and planes; layout.h describes
// both. For instruction sets with 16 lanes.
#pragma once

#include "blocks.h"

namespace esr {
namespace ESR_ISA {

static_assert(kLanes == kPixelFloats, "half of a slab is a vector");

typedef uint16_t HalfLine __attribute__((vector_size(32), may_alias));
typedef uint32_t BitVec __attribute__((vector_size(4 * ESR_LANES), may_alias));

// The bits of the nearest bfloat16 in the low half of each lane; ties to even, a NaN stays one.
ESR_INLINE BitVec rounded_bits(Vec v) {
  const BitVec bits = (BitVec)v;
  const BitVec nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return v != v ? (bits >> 16) | 0x40u : nearest;
}

ESR_INLINE Vec rounded(Vec v) { return (Vec)(rounded_bits(v) << 16); }

// A pixel's 32 channels: the first 16, and the others.
ESR_INLINE void store_pixel(float* pixel, Vec low, Vec high) {
#if defined(__AVX512BF16__)
  const auto line = _mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
  _mm512_store_si512(pixel, (__m512i)line);
#else
  HalfLine* halves = reinterpret_cast<HalfLine*>(pixel);
  halves[0] = __builtin_convertvector(rounded_bits(low), HalfLine);
  halves[1] = __builtin_convertvector(rounded_bits(high), HalfLine);
#endif
}

// A pixel of half a slab.
ESR_INLINE void store_half_pixel(float* pixel, Vec v) {
#if defined(__AVX512BF16__)
  *reinterpret_cast<HalfLine*>(pixel) = (HalfLine)_mm512_cvtneps_pbh((__m512)v);
#else
  *reinterpret_cast<HalfLine*>(pixel) = __builtin_convertvector(rounded_bits(v), HalfLine);
#endif
}

// 16 of a pixel's channels: half 0 or 1.
ESR_INLINE Vec load_half(const float* pixel, int half) {
  const HalfLine bits = reinterpret_cast<const HalfLine*>(pixel)[half];
#if defined(__AVX512F__)  // GCC 12 makes twice as many instructions of the other form
  return (Vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)bits), 16);
#else
  return (Vec)(__builtin_convertvector(bits, BitVec) << 16);
#endif
}

}  // namespace ESR_ISA
}  // namespace esr
