// What follows a convolution's sum, once for every kernel: the activation, then the residual.
#pragma once

#include "blocks.h"
#include "steps/conv_step.h"

namespace esr {
namespace ESR_ISA {

// Gaussian error linear unit x * Phi(x). erfc(z) = exp(-z P(z)) with P fitted to
// -log(erfc(z)) / z on [0, 4.5]; beyond, P keeps its last value and the result is below 1e-9.
ESR_INLINE Vec gelu(Vec x) {
  const Vec z = 0.70710678118654752f * max_keep_nan(x, -x);
  const Vec u = min_keep_nan(splat(4.5f), z);
  Vec p = splat(-5.414030626e-08f);
  p = fma(p, u, splat(1.538087605e-06f));
  p = fma(p, u, splat(-1.926936465e-05f));
  p = fma(p, u, splat(0.0001387008386f));
  p = fma(p, u, splat(-0.0006133021501f));
  p = fma(p, u, splat(0.001499649581f));
  p = fma(p, u, splat(0.0001584713061f));
  p = fma(p, u, splat(-0.01944755713f));
  p = fma(p, u, splat(0.1029158439f));
  p = fma(p, u, splat(0.6365904797f));
  p = fma(p, u, splat(1.128380928f));
  const Vec tail = .5f * exp_below_87(-z * p);  // Phi(-|x|), not quite 0 where it should be
  const Vec held = min_keep_nan(splat(14.f), max_keep_nan(splat(-14.f), x));
  return x < 0.f ? held * tail : x - held * tail;
}

// How exactly a result needs its activation.
struct AsFloat32 {
  static ESR_INLINE Vec sigmoid(Vec x) { return ESR_ISA::sigmoid(x); }
  // Below -87 the true value is 0 in float; held at -87 e^-87.
  static ESR_INLINE Vec silu(Vec x) {
    x = max_keep_nan(splat(-87.f), x);
    return x * sigmoid_above_minus_87(x);
  }
};
struct AsBfloat16 {
  static ESR_INLINE Vec sigmoid(Vec x) { return sigmoid_12_bits(x); }
  static ESR_INLINE Vec silu(Vec x) { return x * sigmoid_12_bits(x); }
};

template <Act kAct, class Digits>
ESR_INLINE Vec activate(Vec y, float slope) {
  if constexpr (kAct == Act::relu) return max_keep_nan(splat(0.f), y);
  if constexpr (kAct == Act::lrelu) return y < 0.f ? slope * y : y;
  if constexpr (kAct == Act::silu) return Digits::silu(y);
  if constexpr (kAct == Act::gelu) return gelu(y);
  return y;
}

template <Act kAct, class Digits = AsFloat32>
ESR_INLINE Vec epilogue(Vec y, float slope, bool has_residual, Vec u) {
  if constexpr (kAct == Act::span_gate) return (y + u) * (Digits::sigmoid(y) - .5f);
  if constexpr (kAct == Act::gate) return u * Digits::sigmoid(y);
  y = activate<kAct, Digits>(y, slope);
  return has_residual ? y + u : y;
}

// residual: of this vector, or null
template <Act kAct>
ESR_INLINE Vec epilogue(Vec y, float slope, const float* residual) {
  return epilogue<kAct>(y, slope, residual, residual ? load(residual) : splat(0.f));
}

// Runs body.operator()<act>() for the activation known at run time.
template <class Body>
ESR_INLINE void with_act(Act act, Body&& body) {
  switch (act) {
#define ESR_CASE(name) \
  case Act::name: return body.template operator()<Act::name>();
    ESR_FOR_EACH_ACT(ESR_CASE)
#undef ESR_CASE
  }
}

}  // namespace ESR_ISA
}  // namespace esr
