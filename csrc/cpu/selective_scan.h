// Selective scan: a linear recurrence along a sequence, channels side by side in a vector.
//
// The states of a group of channels stay in the cache nearest to the processor: next to an
// exponential for each of them, a load and a store are free, and any number of states fits.
#pragma once

#include "kernels.h"
#include "simd.h"

namespace esr {
namespace ESR_ISA {

// 2^x, relative error 8e-8; not below 2^-64, which is nothing beside a rounding and keeps products
// with it from being denormal, which are slow. Near 0 it is as
// exact as a float can be, unlike exp_below_87: a decay near 1 is multiplied by itself thousands of
// times, and so is its error.
ESR_INLINE Vec decay(Vec x) {
  const Vec bounded = max_keep_nan(splat(-64.f), min_keep_nan(splat(128.f), x));
  // Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the sum.
  const Vec shifted = bounded + 12582912.f;
  const Vec f = bounded - (shifted - 12582912.f);
  Vec p = splat(0.0001535336196f);  // (2^f - 1) / f on [-1/2, 1/2], minimax
  p = fma(p, f, splat(0.001339887502f));
  p = fma(p, f, splat(0.009618436918f));
  p = fma(p, f, splat(0.05550332367f));
  p = fma(p, f, splat(0.2402264774f));
  p = fma(p, f, splat(0.6931471825f));
  p = fma(p, f, splat(1.f));
  return (Vec)((IntVec)p + ((IntVec)shifted << 23));
}

// `count` channels of some tokens, whatever their strides, as one vector for each token.
ESR_INLINE void take_tokens(const float* from, const SequenceView<const float>& view, int count,
                            int tokens, float* to) {
  if (view.step == 1 && count == kLanes) {
    for (int t = 0; t < tokens; ++t) store(to + t * kLanes, load_unaligned(from + t * view.token));
    return;
  }
  for (int i = 0; i < count; ++i)
    for (int t = 0; t < tokens; ++t) to[t * kLanes + i] = from[t * view.token + i * view.step];
}

ESR_INLINE void store_first(float* to, Vec v, int count) {
  if (count == kLanes) return store_unaligned(to, v);
  for (int i = 0; i < count; ++i) to[i] = v[i];
}

// Zero states, and for each of them the rate A log2(e): 2^(delta rate) is the decay.
ESR_INLINE void start_scan(const SelectiveScan& s, int first, int count, float* state,
                           float* rate) {
  for (int i = 0; i < s.states; ++i) {
    store(state + i * kLanes, splat(0.f));
    store(rate + i * kLanes, splat(0.f));
    for (int c = 0; c < count; ++c)
      rate[i * kLanes + c] = float(s.A[(size_t(first) + c) * s.states + i] * 1.4426950408889634);
  }
}

// All tokens of one group of channels of one sequence. Lanes beyond the last channel hold zeros.
inline void selective_scan(const SelectiveScan& s, int sequence, int group, float* scratch) {
  const int first = group * kLanes;
  const int count = s.channels - first < kLanes ? s.channels - first : kLanes;
  float* const state = scratch;
  float* const rate = state + size_t(s.states) * kLanes;
  float* const c = rate + size_t(s.states) * kLanes;
  float* const delta = c + kScanTokens * kLanes;
  start_scan(s, first, count, state, rate);
  float skip[kLanes] = {};
  for (int i = 0; i < count; ++i) skip[i] = s.D[first + i];
  const Vec D = load_unaligned(skip);
  for (size_t start = 0; start < s.length; start += kScanTokens) {
    const int tokens = s.length - start < kScanTokens ? int(s.length - start) : kScanTokens;
    take_tokens(s.c.at(sequence, start, first), s.c, count, tokens, c);
    take_tokens(s.delta.at(sequence, start, first), s.delta, count, tokens, delta);
    for (int t = 0; t < tokens; ++t) {
      const float* B = s.B.at(sequence, start + t, 0);
      const float* K = s.K.at(sequence, start + t, 0);
      const Vec x = load(c + t * kLanes), d = load(delta + t * kLanes), u = d * x;
      Vec o = splat(0.f);
      for (int i = 0; i < s.states; ++i) {
        float* const h = state + i * kLanes;
        const Vec next = fma(decay(d * load(rate + i * kLanes)), load(h), B[i * s.B.step] * u);
        store(h, next);
        o = fma(K[i * s.K.step], next, o);
      }
      const size_t at = (sequence * s.length + start + t) * s.channels + first;
      store_first(s.out + at, fma(D, x, o), count);
    }
  }
}

}  // namespace ESR_ISA
}  // namespace esr
