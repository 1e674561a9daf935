// One vector type for every instruction set, over the compiler's vector extensions.
//
// A translation unit is compiled once per instruction set, with ESR_ISA naming it and ESR_LANES
// its width in floats. Everything lives in namespace esr::ESR_ISA and is inlined; nothing from the
// standard library is instantiated here, or the linker could keep an AVX-512 copy of a template
// that a lesser processor then runs.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define ESR_INLINE inline __attribute__((always_inline))
#define ESR_NOINLINE inline __attribute__((noinline))
#define ESR_UNROLL _Pragma("GCC unroll 36")

namespace esr {
namespace ESR_ISA {

constexpr int kLanes = ESR_LANES;

typedef float Vec __attribute__((vector_size(4 * ESR_LANES), may_alias));
typedef int32_t IntVec __attribute__((vector_size(4 * ESR_LANES), may_alias));
typedef float UnalignedVec __attribute__((vector_size(4 * ESR_LANES), may_alias, aligned(4)));

ESR_INLINE Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
ESR_INLINE void store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }
ESR_INLINE Vec load_unaligned(const float* p) { return *reinterpret_cast<const UnalignedVec*>(p); }
ESR_INLINE void store_unaligned(float* p, Vec v) { *reinterpret_cast<UnalignedVec*>(p) = v; }
// Written lane by lane, GCC may gather several splats in memory and wait for the stores.
ESR_INLINE Vec splat(float s) { return s - Vec{}; }
// As a register: GCC would load it again for every product, which costs more than one load when it
// lies across two cache lines.
ESR_INLINE Vec held(Vec v) {
#if defined(__AVX512F__) || (defined(__AVX__) && ESR_LANES == 8) || \
    (defined(__x86_64__) && ESR_LANES == 4)
  asm("" : "+v"(v));
#elif defined(__aarch64__)
  asm("" : "+w"(v));
#endif
  return v;
}
// Contracted to one rounding: the build passes -ffp-contract=fast.
ESR_INLINE Vec fma(Vec a, Vec b, Vec c) { return a * b + c; }
ESR_INLINE Vec fma(float a, Vec b, Vec c) { return a * b + c; }

// min and max return x where x is NaN, so that a NaN is never hidden.
ESR_INLINE Vec min_keep_nan(Vec bound, Vec x) {
#if defined(__AVX512F__)
  return (Vec)_mm512_min_ps((__m512)bound, (__m512)x);
#elif defined(__AVX2__)
  return (Vec)_mm256_min_ps((__m256)bound, (__m256)x);
#else
  return bound < x ? bound : x;
#endif
}
ESR_INLINE Vec max_keep_nan(Vec bound, Vec x) {
#if defined(__AVX512F__)
  return (Vec)_mm512_max_ps((__m512)bound, (__m512)x);
#elif defined(__AVX2__)
  return (Vec)_mm256_max_ps((__m256)bound, (__m256)x);
#else
  return bound > x ? bound : x;
#endif
}

// 1 / d for d in [1, inf): the processor's estimate and Newton steps to within 1 ulp or so.
ESR_INLINE Vec reciprocal(Vec d) {
#if defined(__AVX512F__)
  const Vec r = (Vec)_mm512_rcp14_ps((__m512)d);
  return fma(fma(-d, r, splat(1.f)), r, r);
#elif defined(__AVX2__)
  const Vec r = (Vec)_mm256_rcp_ps((__m256)d);
  return fma(fma(-d, r, splat(1.f)), r, r);
#else
  return 1.f / d;
#endif
}

// Lane i of the result is lane i-1 of `here`; lane 0 is the last lane of `before`.
ESR_INLINE Vec shift_in_left(Vec before, Vec here) {
#if ESR_LANES == 16
  return __builtin_shufflevector(before, here, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
                                 28, 29, 30);
#elif ESR_LANES == 8
  return __builtin_shufflevector(before, here, 7, 8, 9, 10, 11, 12, 13, 14);
#else
  return __builtin_shufflevector(before, here, 3, 4, 5, 6);
#endif
}

// Lane i of the result is lane i+1 of `here`; the last lane is lane 0 of `after`.
ESR_INLINE Vec shift_in_right(Vec here, Vec after) {
#if ESR_LANES == 16
  return __builtin_shufflevector(here, after, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
                                 16);
#elif ESR_LANES == 8
  return __builtin_shufflevector(here, after, 1, 2, 3, 4, 5, 6, 7, 8);
#else
  return __builtin_shufflevector(here, after, 1, 2, 3, 4);
#endif
}

// a0 b0 a1 b1 ...: the first and second half of the interleaved pair.
ESR_INLINE void interleave(Vec a, Vec b, Vec& low, Vec& high) {
#if ESR_LANES == 16
  low = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  high =
      __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif ESR_LANES == 8
  low = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  high = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
  low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
#endif
}

// The inverse: even and odd elements of the pair (a, b).
ESR_INLINE void deinterleave(Vec a, Vec b, Vec& even, Vec& odd) {
#if ESR_LANES == 16
  even = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  odd = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#elif ESR_LANES == 8
  even = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
  odd = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
#else
  even = __builtin_shufflevector(a, b, 0, 2, 4, 6);
  odd = __builtin_shufflevector(a, b, 1, 3, 5, 7);
#endif
}

// 0, 1, 2, ...
ESR_INLINE IntVec lane_numbers() {
  IntVec lane;
  ESR_UNROLL
  for (int i = 0; i < kLanes; ++i) lane[i] = i;
  return lane;
}

// table[index[i]] in lane i.
ESR_INLINE Vec gather(const float* table, IntVec index) {
#if defined(__AVX512F__)
  return (Vec)_mm512_i32gather_ps((__m512i)index, table, sizeof(float));
#elif defined(__AVX2__)
  return (Vec)_mm256_i32gather_ps(table, (__m256i)index, sizeof(float));
#else
  Vec v;
  ESR_UNROLL
  for (int i = 0; i < kLanes; ++i) v[i] = table[index[i]];
  return v;
#endif
}

// The same where all indices are below kLanes, and kLanes floats can be read: registers hold them.
ESR_INLINE Vec look_up(const float* table, IntVec index) {
#if defined(__AVX512F__)
  return (Vec)_mm512_permutexvar_ps((__m512i)index, (__m512)load_unaligned(table));
#elif defined(__AVX2__)
  return (Vec)_mm256_permutevar8x32_ps((__m256)load_unaligned(table), (__m256i)index);
#else
  return gather(table, index);
#endif
}

// Zeroes the lanes from `count` on (count <= 0: all of them).
ESR_INLINE Vec keep_first(Vec v, int count) { return lane_numbers() < count ? v : splat(0.f); }

// 2^f for f in [0, 1): a minimax polynomial, relative error 8e-8.
ESR_INLINE Vec exp2_fraction(Vec f) {
  Vec p = splat(0.001877576679f);
  p = fma(p, f, splat(0.008989340395f));
  p = fma(p, f, splat(0.05582631746f));
  p = fma(p, f, splat(0.2401536174f));
  p = fma(p, f, splat(0.6931530731f));
  return fma(p, f, splat(0.9999999251f));
}

// exp(x) for x <= 87, relative error below 1e-6: 2^n 2^f with n + f = x log2(e), n an integer.
// Not below exp(-87) where 2^n is put into the exponent bits by hand.
ESR_INLINE Vec exp_below_87(Vec x) {
  constexpr float kLog2e = 1.44269504f;
#if defined(__AVX512DQ__)
  const Vec scaled = kLog2e * x;
  const Vec f = (Vec)_mm512_reduce_ps((__m512)scaled, 1);  // minus its floor
  return (Vec)_mm512_scalef_ps((__m512)exp2_fraction(f), (__m512)scaled);
#else
  const Vec scaled = kLog2e * max_keep_nan(splat(-87.f), x);
  // Adding 1.5 * 2^23 - 1/2 leaves the rounded-down n in the low bits of the sum.
  const Vec shifted = (scaled - .5f) + 12582912.f;
  const Vec f = scaled - (shifted - 12582912.f);
  return (Vec)((IntVec)exp2_fraction(f) + ((IntVec)shifted << 23));
#endif
}

#if defined(__AVX512DQ__)
// 1 / (1 + exp(-x)) to 12 bits, for results that are rounded to the 8 of bfloat16: half as many
// instructions.
ESR_INLINE Vec sigmoid_12_bits(Vec x) {
  const Vec scaled = -1.44269504f * x;
  const Vec f = (Vec)_mm512_reduce_ps((__m512)scaled, 1);  // minus its floor
  Vec p = splat(0.07802452f);                              // 2^f, relative error 8e-5
  p = fma(p, f, splat(0.22606716f));
  p = fma(p, f, splat(0.69583354f));
  p = fma(p, f, splat(0.99992522f));
  const Vec power = (Vec)_mm512_scalef_ps((__m512)p, (__m512)scaled);
  return (Vec)_mm512_rcp14_ps((__m512)(1.f + power));
}
#else
ESR_INLINE Vec sigmoid(Vec x);
ESR_INLINE Vec sigmoid_12_bits(Vec x) { return sigmoid(x); }
#endif

ESR_INLINE Vec sigmoid_above_minus_87(Vec x) { return reciprocal(1.f + exp_below_87(-x)); }
ESR_INLINE Vec sigmoid(Vec x) { return sigmoid_above_minus_87(max_keep_nan(splat(-87.f), x)); }

}  // namespace ESR_ISA
}  // namespace esr
