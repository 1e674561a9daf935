// One tile row of a formula.
#pragma once

#include "../blocks.h"
#include "../epilogue.h"
#include "../functions.h"
#include "formula.h"

namespace esr {
namespace ESR_ISA {

// Where an operand's vectors are: `step` floats apart, 0 for the same one again and again.
struct Place {
  const float* data;
  size_t step;
};

template <class F>
ESR_INLINE void each(Place a, float* out, int vectors, F f) {
  for (int v = 0; v < vectors; ++v) store(out + v * kLanes, f(load(a.data + v * a.step)));
}

template <class F>
ESR_INLINE void each(Place a, Place b, float* out, int vectors, F f) {
  for (int v = 0; v < vectors; ++v)
    store(out + v * kLanes, f(load(a.data + v * a.step), load(b.data + v * b.step)));
}

inline void apply_to_one(Function function, Place a, float* out, int n) {
  switch (function) {
    case Function::abs: return each(a, out, n, [](Vec x) { return absolute(x); });
    case Function::sqrt: return each(a, out, n, [](Vec x) { return square_root(x); });
    case Function::rsqrt: return each(a, out, n, [](Vec x) { return 1.f / square_root(x); });
    case Function::exp: return each(a, out, n, [](Vec x) { return exponential(x); });
    case Function::log: return each(a, out, n, [](Vec x) { return logarithm(x); });
    case Function::sigmoid: return each(a, out, n, [](Vec x) { return logistic(x); });
    case Function::tanh: return each(a, out, n, [](Vec x) { return hyperbolic_tangent(x); });
    case Function::softplus: return each(a, out, n, [](Vec x) { return softplus(x); });
    default: return each(a, out, n, [](Vec x) { return gelu(x); });
  }
}

ESR_INLINE Vec elu(Vec x, Vec alpha) {
  return x < 0.f ? alpha * exponential_minus_1(min_keep_nan(splat(0.f), x)) : x;
}

inline void apply_to_two(Function function, Place a, Place b, float* out, int n) {
  switch (function) {
    case Function::add: return each(a, b, out, n, [](Vec x, Vec y) { return x + y; });
    case Function::sub: return each(a, b, out, n, [](Vec x, Vec y) { return x - y; });
    case Function::mul: return each(a, b, out, n, [](Vec x, Vec y) { return x * y; });
    case Function::div: return each(a, b, out, n, [](Vec x, Vec y) { return x / y; });
    case Function::min: return each(a, b, out, n, [](Vec x, Vec y) { return minimum(x, y); });
    case Function::max: return each(a, b, out, n, [](Vec x, Vec y) { return maximum(x, y); });
    case Function::prelu:
      return each(a, b, out, n, [](Vec x, Vec y) { return x < 0.f ? y * x : x; });
    default: return each(a, b, out, n, [](Vec x, Vec y) { return elu(x, y); });
  }
}

// `n` vectors of the result at `out`; `places` has the operands of these vectors.
ESR_INLINE void evaluate(const FormulaRow& r, const Place* places, float* registers, float* out,
                         int n) {
  for (int i = 0; i < r.term_count; ++i) {
    const Term& term = r.terms[i];
    float* to = i + 1 < r.term_count ? registers + size_t(term.to) * kPieceVectors * kLanes : out;
    if (takes_two(term.function))
      apply_to_two(term.function, places[term.a], places[term.b], to, n);
    else
      apply_to_one(term.function, places[term.a], to, n);
  }
}

inline void clear_outside(const Geometry& g, float* channel) {
  const int block = g.blocks - 1;
  for (int p = 0; p < kTile; ++p) {
    float* at = channel + block * g.block_stride() + p * kLanes;
    store(at, keep_first(load(at), lanes_inside(g, block, p)));
  }
}

// A number for all vectors of a channel: the same vector again and again.
ESR_INLINE Place everywhere(float number, float* vector) {
  store(vector, splat(number));
  return {vector, 0};
}

// The places of one channel that are the same in all its rows; what vectors they need is at
// `scratch`.
ESR_INLINE void place_numbers(const FormulaRow& r, int c, float* scratch, Place* places) {
  for (int k = 0; k < r.constant_count; ++k, scratch += kLanes)
    places[r.source_count + k] = everywhere(r.constants[k * r.channels + c], scratch);
  for (int s = 0; s < r.source_count; ++s, scratch += kLanes) {
    if (!r.is_pixel[s]) continue;
    const SourceRows& source = r.sources[s];
    const size_t channel = source.channels == 1 ? 0 : c * source.geometry->channel_stride();
    places[s] = everywhere(source.first[kLanes + channel], scratch);
  }
}

inline void formula(const FormulaRow& r) {
  const Geometry& g = *r.geometry;
  const int vectors = g.blocks * kTile, fixed = r.source_count + r.constant_count;
  float* registers = r.scratch + size_t(fixed) * kLanes;
  Place places[FormulaSpec::kMostPlaces];
  for (int i = 0; i < FormulaSpec::kMostPlaces - fixed; ++i)
    places[fixed + i] = {registers + size_t(i) * kPieceVectors * kLanes, kLanes};
  for (int c = 0; c < r.channels; ++c) {
    place_numbers(r, c, r.scratch, places);
    for (int row = 0; row < r.rows; ++row) {
      float* out = r.out[row] + kLanes + c * g.channel_stride();
      for (int v = 0; v < vectors; v += kPieceVectors) {
        for (int s = 0; s < r.source_count; ++s) {
          if (r.is_pixel[s]) continue;
          const size_t channel = r.sources[s].channels == 1 ? 0 : c * g.channel_stride();
          places[s] = {r.sources[s].row[row] + kLanes + channel + size_t(v) * kLanes, kLanes};
        }
        const int n = vectors - v < kPieceVectors ? vectors - v : kPieceVectors;
        evaluate(r, places, registers, out + size_t(v) * kLanes, n);
      }
      clear_outside(g, out);
    }
  }
}

}  // namespace ESR_ISA
}  // namespace esr
