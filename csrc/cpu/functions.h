// Elementary functions of a vector, with about as few wrong bits as a math library's: their results
// are compared with torch's directly, where those of an epilogue hide behind a convolution's.
#pragma once

#include "simd.h"

namespace esr {
namespace ESR_ISA {

// A NaN on either side wins, as in torch.
ESR_INLINE Vec minimum(Vec a, Vec b) { return ((b < a) | (b != b)) ? b : a; }
ESR_INLINE Vec maximum(Vec a, Vec b) { return ((b > a) | (b != b)) ? b : a; }

ESR_INLINE Vec absolute(Vec x) { return (Vec)((IntVec)x & 0x7fffffff); }

ESR_INLINE Vec square_root(Vec x) {
#if defined(__AVX512F__)
  return (Vec)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX2__)
  return (Vec)_mm256_sqrt_ps((__m256)x);
#elif defined(__SSE2__) && ESR_LANES == 4
  return (Vec)_mm_sqrt_ps((__m128)x);
#elif defined(__aarch64__) && ESR_LANES == 4
  return (Vec)vsqrtq_f32((float32x4_t)x);
#else
  ESR_UNROLL
  for (int i = 0; i < kLanes; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}

// x = n ln 2 + r with n an integer and |r| <= ln(2) / 2; `rest` is exp(r) - 1.
struct Exponent {
  IntVec n;
  Vec rest;
};

// For |x| < 2^21. ln 2 in two parts, the first of so few bits that its product with n is exact.
ESR_INLINE Exponent exponent(Vec x) {
  constexpr float kRound = 12582912.f;  // 1.5 * 2^23: leaves an integer in the low bits
  const Vec shifted = fma(1.44269504f, x, splat(kRound));
  const Vec n = shifted - kRound;
  const Vec r = fma(2.12194440e-4f, n, fma(-0.693359375f, n, x));
  Vec p = splat(1.f / 5040);
  p = fma(p, r, splat(1.f / 720));
  p = fma(p, r, splat(1.f / 120));
  p = fma(p, r, splat(1.f / 24));
  p = fma(p, r, splat(1.f / 6));
  p = fma(p, r, splat(.5f));
  return {(IntVec)shifted - (IntVec)splat(kRound), fma(r * r, p, r)};
}

ESR_INLINE Vec power_of_two(IntVec n) { return (Vec)((n + 127) << 23); }  // -126 <= n <= 127

// In two factors, so that results near the ends of the range come out, inf and denormals too.
ESR_INLINE Vec exponential(Vec x) {
  x = max_keep_nan(splat(-104.f), min_keep_nan(splat(89.f), x));
  const Exponent e = exponent(x);
  const IntVec half = e.n >> 1;
  return (1.f + e.rest) * power_of_two(half) * power_of_two(e.n - half);
}

// exp(x) - 1 for x <= 80, exact near 0; -1 from -80 down.
ESR_INLINE Vec exponential_minus_1(Vec x) {
  const Exponent e = exponent(max_keep_nan(splat(-80.f), x));
  const Vec scale = power_of_two(e.n);
  return fma(scale, e.rest, scale - 1.f);
}

ESR_INLINE Vec logistic(Vec x) { return 1.f / (1.f + exponential(-x)); }

// Up to 0.625 an odd polynomial, fitted to tanh(x) / x in x^2; beyond, 1 - 2 / (exp(2 |x|) + 1)
// with what rounding takes from the sum, the quotient and the difference given back.
ESR_INLINE Vec hyperbolic_tangent(Vec x) {
  const Vec z = x * x, u = min_keep_nan(splat(10.f), absolute(x));
  Vec p = splat(0.002295840509f);
  p = fma(p, z, splat(-0.008346979685f));
  p = fma(p, z, splat(0.0217699606f));
  p = fma(p, z, splat(-0.05395940585f));
  p = fma(p, z, splat(0.1333330428f));
  p = fma(p, z, splat(-0.3333333318f));
  const Vec e = exponential(2.f * u), d = e + 1.f, q = 2.f / d, y = 1.f - q;
  const Vec left = fma(-d, q, splat(2.f)) - (e - (d - 1.f)) * q;  // of 2 after the division
  const Vec large = y + (((1.f - y) - q) - .5f * q * left);
  const Vec far = x < 0.f ? -large : large;
  return absolute(x) < .625f ? fma(x * z, p, x) : far;
}

// log(1 + f) for the mantissa 1 + f in [sqrt(1/2), sqrt(2)), plus n ln 2. With s = f / (2 + f) it
// is f - f^2/2 + s (f^2/2 + R), R = 2/3 s^2 + 2/5 s^4 + ...
ESR_INLINE Vec log_of(Vec f, Vec n) {
  const Vec s = f / (2.f + f), z = s * s, h = .5f * f * f;
  Vec r = splat(2.f / 11);
  r = fma(r, z, splat(2.f / 9));
  r = fma(r, z, splat(2.f / 7));
  r = fma(r, z, splat(2.f / 5));
  r = fma(r, z, splat(2.f / 3));
  const Vec low = fma(s, fma(r, z, h), -2.12194440e-4f * n);
  return fma(0.693359375f, n, f + (low - h));
}

// For x >= 2^-126 and finite.
ESR_INLINE Vec log_of_normal(Vec x) {
  constexpr int32_t kRootOfHalf = 0x3f3504f3, kOne = 0x3f800000;
  const IntVec moved = (IntVec)x + (kOne - kRootOfHalf);
  const IntVec mantissa = (moved & 0x007fffff) + kRootOfHalf;
  return log_of((Vec)mantissa - 1.f, __builtin_convertvector((moved >> 23) - 127, Vec));
}

ESR_INLINE Vec logarithm(Vec x) {
  const Vec small = x < 0x1p-126f ? x * 0x1p25f : x;
  Vec y = log_of_normal(small);
  y = x < 0x1p-126f ? y - 25.f * 0.69314718056f : y;
  const float inf = __builtin_inff();
  y = x == 0.f ? splat(-inf) : y;
  y = x < 0.f ? splat(__builtin_nanf("")) : y;
  return ((x == inf) | (x != x)) ? x : y;
}

// log(1 + exp(x)). What 1 + u loses of u = exp(-|x|) comes back to first order.
ESR_INLINE Vec softplus(Vec x) {
  const Vec u = exponential(-absolute(x)), w = 1.f + u;
  return max_keep_nan(splat(0.f), x) + (log_of_normal(w) + (u - (w - 1.f)) / w);
}

}  // namespace ESR_ISA
}  // namespace esr
